/** An error response of the inspector. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly status: number;

  /** @param message text that the operator sees. */
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}
