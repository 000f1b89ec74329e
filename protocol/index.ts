export * from './control.ts';
export * from './errors.ts';
export * from './headers.ts';
export * from './outcomes.ts';
export * from './query.ts';
