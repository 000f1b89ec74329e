import { fileURLToPath } from 'node:url';

/** The package's entry points and their sources: the one list that the build, the tests and the demo read. */
export const ENTRIES = {
  index: 'server/index.ts',
  web: 'server/web.ts',
  tokens: 'server/tokens.ts',
  embedded: 'server/store/embedded/index.ts',
  redis: 'server/store/redis/index.ts',
  opentelemetry: 'server/telemetry/opentelemetry.ts',
  inspector: 'server/inspector.ts',
  'durable-streams': 'server/store/durable-streams/index.ts',
  testing: 'server/testing/index.ts',
  conformance: 'conformance/index.ts',
  client: 'core-client/index.ts',
  sessions: 'core-client/session.ts',
  transports: 'core-client/transports/index.ts',
  react: 'react/index.ts',
  'react/status': 'react/status.ts',
  'react/chat': 'react/chat.ts',
  'react/query': 'react/query.ts',
  'react/devtools': 'react/devtools/index.ts',
} as const satisfies Record<string, string>;

export type EntryPoint = keyof typeof ENTRIES;

/** Maps `durable-proxy` and its subpaths to their sources, so that tests and demo read like a user's code. */
export const SOURCE_ALIASES = Object.entries(ENTRIES).map(([entry, file]) => ({
  find: new RegExp(`^durable-proxy${entry === 'index' ? '' : `/${entry}`}$`),
  replacement: fileURLToPath(new URL(`../${file}`, import.meta.url)),
}));
