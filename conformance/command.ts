import { parseArgs } from 'node:util';
import { renderReport } from './report.ts';
import { runProxyConformance, TargetError } from './runner.ts';
import { EXTENSIONS, SECTION_NAMES, type Extension, type ProxyTarget } from './types.ts';

const HELP = `Tests a server of the durable proxy protocol from outside.

Usage
  npx durable-proxy conformance --url http://localhost:4440/v1/proxy --secret … [options]

  --url <url>               where the proxy is mounted; an origin alone means /v1/proxy below it.
                            Default $PROXY_CONFORMANCE_URL
  --secret <secret>         its service secret. Default $JWT_SECRET; not seen in process lists, unlike a flag
  --upstream-host <name>    by which name the server reaches this machine. Default 127.0.0.1. Its allowlist has
                            to let http://<name>:*/** through
  --extensions <list>       extensions that must be there: all, none, or some of
                            ${EXTENSIONS.join(', ')}.
                            Default: those that a probe finds
  --only <section>          repeatable: ${SECTION_NAMES.slice(0, 9).join(', ')},
                            ${SECTION_NAMES.slice(9).join(', ')}
  --concurrency <number>    tests at the same time. Default 8
  --json                    print the result as JSON
  -h, --help                this text

Exit code: 0 when nothing failed, 1 when a test did, 2 when the target cannot be tested.
`;

const FLAGS = {
  url: { type: 'string' },
  secret: { type: 'string' },
  'upstream-host': { type: 'string' },
  extensions: { type: 'string' },
  only: { type: 'string', multiple: true },
  concurrency: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

class UsageError extends Error {
  override readonly name = 'UsageError';
}

/**
 * Runs the suite for `npx durable-proxy conformance` and prints a report to stdout.
 * @param argv arguments after `conformance`.
 * @returns the exit code: 0 if no test failed, 1 if a test failed, 2 if the target cannot be tested or the arguments
 * are invalid.
 */
export async function runConformanceCommand(argv: readonly string[]): Promise<number> {
  try {
    const flags = parse(argv);
    if (flags.help) {
      process.stdout.write(HELP);
      return 0;
    }
    const result = await runProxyConformance(targetOf(flags));
    const json = () =>
      `${JSON.stringify(result, (_, value: unknown) => (value instanceof Error ? value.stack : value), 2)}\n`;
    process.stdout.write(flags.json ? json() : renderReport(result));
    return result.failed === 0 ? 0 : 1;
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof TargetError)) throw error;
    const cause = error.cause instanceof Error ? ` (${error.cause.message})` : '';
    process.stderr.write(`durable-proxy conformance: ${error.message}${cause}\n`);
    return 2;
  }
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: FLAGS, allowPositionals: false }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

function targetOf(flags: ReturnType<typeof parse>): ProxyTarget {
  const url = flags.url ?? process.env['PROXY_CONFORMANCE_URL'];
  const secret = flags.secret ?? process.env['JWT_SECRET'];
  if (!url) throw new UsageError('--url is missing. Example: --url http://localhost:4440/v1/proxy');
  if (!secret)
    throw new UsageError(
      '--secret is missing. Set it to the service secret of the server: --secret "$JWT_SECRET"',
    );
  const concurrency = flags.concurrency === undefined ? undefined : Number(flags.concurrency);
  if (concurrency !== undefined && !(Number.isInteger(concurrency) && concurrency > 0)) {
    throw new UsageError('--concurrency must be a whole number above 0');
  }
  return {
    url,
    secret,
    ...(flags['upstream-host'] !== undefined && { upstreamHost: flags['upstream-host'] }),
    ...(flags.extensions !== undefined && { extensions: extensionsOf(flags.extensions) }),
    ...(flags.only && { only: flags.only.flatMap((list) => names(list, SECTION_NAMES, '--only')) }),
    ...(concurrency !== undefined && { concurrency }),
  };
}

function extensionsOf(text: string): boolean | readonly Extension[] {
  if (text === 'all' || text === 'none') return text === 'all';
  return names(text, EXTENSIONS, '--extensions');
}

function names<Name extends string>(text: string, known: readonly Name[], flag: string): Name[] {
  return text.split(',').map((part) => {
    const name = known.find((each) => each === part.trim());
    if (name === undefined) throw new UsageError(`${flag} takes ${known.join(', ')}, not "${part}"`);
    return name;
  });
}
