/** By shape, not by `instanceof`: an error of another realm (a frame, jsdom, a worker) is one too. */
export function isError(value: unknown): value is Error {
  return (
    value instanceof Error ||
    (typeof value === 'object' &&
      value !== null &&
      typeof Reflect.get(value, 'name') === 'string' &&
      typeof Reflect.get(value, 'message') === 'string')
  );
}
