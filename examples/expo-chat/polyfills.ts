import { getRandomValues } from 'expo-crypto';
import { ReadableStream } from 'web-streams-polyfill';
import { StreamResponse } from './stream-response';

// Each is set only if the runtime lacks it. What else is missing is named by the error of createDurableFetch.
const globals = globalThis as unknown as Record<string, unknown>;
globals.ReadableStream ??= ReadableStream;
globals.crypto ??= { getRandomValues };
globals.DOMException ??= class DOMException extends Error {
  constructor(message?: string, name = 'Error') {
    super(message);
    this.name = name;
  }
};

// React Native's Response takes a stream for text.
if (!new Response(new (globals.ReadableStream as typeof ReadableStream)() as BodyInit).body) {
  globals.Response = StreamResponse;
}
