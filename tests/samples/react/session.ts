/** Stands for the reader's own session: a cookie `user=<id>`. */
export async function currentUser(request: Request): Promise<{ id: string } | null> {
  const id = /\buser=(\w+)/.exec(request.headers.get('cookie') ?? '')?.[1];
  return id === undefined ? null : { id };
}
