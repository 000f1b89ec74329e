import { withoutQuery, type ErrorTarget } from './errors.ts';
import { notify } from './notify.ts';
import type { DurableFetchOptions, Resumption } from './types.ts';

/**
 * Reports a change of state to the option `debug`: one line, without headers, queries and error messages, because those
 * can contain secrets.
 */
export function reportChange(
  debug: DurableFetchOptions['debug'],
  { method = 'resume', url = '' }: ErrorTarget,
  previous: Resumption,
  { status, attempt, offset, outcome, error }: Resumption,
): void {
  if (!debug || (status === previous.status && attempt === previous.attempt)) return;
  const code = (error as { code?: string } | undefined)?.code ?? error?.name;
  const details = JSON.stringify({ offset, attempt, outcome, error: code });
  const line = `durable-proxy: ${method} ${withoutQuery(url)} ${previous.status} -> ${status} ${details}`;
  // eslint-disable-next-line no-console -- what the option is for
  notify(debug === true ? console.log : debug, line);
}
