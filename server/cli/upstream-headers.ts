import type { PrepareUpstream } from 'durable-proxy';
import { comparableHost, compilePattern, type Pattern } from '../upstream/pattern.ts';
import { UsageError } from './usage-error.ts';

const EXAMPLE = `--upstream-header 'api.openai.com: Authorization: Bearer $OPENAI_API_KEY'`;

interface UpstreamHeader {
  readonly pattern: Pattern;
  readonly name: string;
  readonly value: string;
}

/**
 * Creates `prepareUpstream` from the values of `--upstream-header`, each `host: Name: value`. The host is written as
 * in an allowlist pattern: `api.openai.com`, `*.example.com`, `localhost:11434`. `$NAME` and `${NAME}` in the value
 * are replaced by environment variables, because every user of the machine can see command line arguments.
 *
 * @throws UsageError for a malformed value or an unset variable. The message never contains the
 * value, which may be a credential.
 */
export function upstreamHeaders(values: readonly string[], env: NodeJS.ProcessEnv): PrepareUpstream {
  const list = values.map((value) => parse(value, env));
  return ({ url, headers }) => {
    for (const { pattern, name, value } of list) {
      if (pattern.matchesOrigin(url, comparableHost(url.hostname))) headers.set(name, value);
    }
  };
}

function parse(text: string, env: NodeJS.ProcessEnv): UpstreamHeader {
  const [, host, name, template] = /^(\S+):\s+([^:\s]+):\s*(.*)$/.exec(text) ?? [];
  if (host === undefined || name === undefined || template === undefined || host.includes('/')) {
    throw new UsageError(`--upstream-header needs a host, a header name and a value. Example: ${EXAMPLE}`);
  }
  const value = template.replace(
    /\$(?:\{(\w+)\}|(\w+))/g,
    (_match, braced: string | undefined, bare: string) => {
      const variable = braced ?? bare;
      const replacement = env[variable];
      if (replacement) return replacement;
      throw new UsageError(
        `--upstream-header for ${host} uses $${variable}, which is not set. Export ${variable} first.`,
      );
    },
  );
  try {
    new Headers([[name, value]]);
  } catch {
    throw new UsageError(
      `--upstream-header for ${host} has an invalid header name or value. Example: ${EXAMPLE}`,
    );
  }
  return { pattern: compilePattern(host), name, value };
}
