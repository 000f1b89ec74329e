/** Sends a command to the demo's server. Resolves with undefined if the server cannot be reached. */
export async function post(path: string, body: object = {}): Promise<Response | undefined> {
  return fetch(`/demo/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  }).catch(() => undefined);
}
