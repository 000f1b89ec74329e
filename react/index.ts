export * from './chat.ts';
export * from './query.ts';
export * from './status.ts';
