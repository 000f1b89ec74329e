import { describeStore } from '../contract/index.ts';
import { openOverReference } from './contract.ts';

describeStore('durable-streams (file)', () => openOverReference({ mode: 'file' }));
