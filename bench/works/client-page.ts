import { readAnswers } from './client-read.ts';

declare global {
  interface Window {
    readAnswers: typeof readAnswers;
  }
}

window.readAnswers = readAnswers;
