/** The command line is invalid. The process exits with 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
