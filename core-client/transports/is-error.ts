/** Returns true for errors, including those of another realm (a frame, jsdom, a worker), where `instanceof` fails. */
export function isError(value: unknown): value is Error {
  return (
    value instanceof Error ||
    (typeof value === 'object' &&
      value !== null &&
      typeof Reflect.get(value, 'name') === 'string' &&
      typeof Reflect.get(value, 'message') === 'string')
  );
}
