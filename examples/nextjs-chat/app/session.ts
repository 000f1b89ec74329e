/** Replace this with your session. It returns null if nobody is signed in. */
export async function currentUser(_request: Request): Promise<{ id: string } | null> {
  return process.env.NODE_ENV === 'production' ? null : { id: 'developer' };
}
