import { describeStore } from '../contract/index.ts';
import { openOverReference } from './contract.ts';

describeStore('durable-streams (memory)', () => openOverReference({ mode: 'memory' }));
