import { PREFER_UPSTREAM_STATUS, RESPOND_ASYNC } from '../protocol/headers.ts';

/** What a server may have beyond the plain protocol; each is additive (docs/PROTOCOL.md, extensions). */
export const EXTENSIONS = [
  'outcomes',
  'idempotency',
  'abort-by-key',
  'prefer',
  PREFER_UPSTREAM_STATUS,
  RESPOND_ASYNC,
  'upstream-head',
  'recovery',
  'completeness',
  'unread',
  'find',
  'scope',
  'as-upstream',
  'tokens',
] as const;

/** The name of an extension of the protocol. */
export type Extension = (typeof EXTENSIONS)[number];

/** The parts of the suite, in the order in which they are reported. */
export const SECTION_NAMES = [
  'create',
  'headers',
  'read',
  'long-poll',
  'sse',
  'head',
  'abort',
  'delete',
  'auth',
  'allowlist',
  'cors',
  'errors',
  'limits',
  'outcomes',
  'idempotency',
  'abort-by-key',
  'prefer',
  'respond-async',
  'upstream-head',
  'recovery',
  'completeness',
  'unread',
  'find',
  'scope',
  'as-upstream',
  'tokens',
] as const;

/** The name of a part of the suite. */
export type SectionName = (typeof SECTION_NAMES)[number];

/** Makes a signed URL of a stream as the operator of the server under test makes one. */
export type SignUrl = (options: {
  readonly streamId: string;
  /** Path of the mount, such as `/v1/proxy`. */
  readonly basePath: string;
  readonly expiresInSeconds: number;
  readonly scope?: 'read';
}) => string | Promise<string>;

/** The server under test, and which tests to run. */
export interface ProxyTarget {
  /** Where the proxy is mounted, such as `http://host/v1/proxy`. An origin alone means `/v1/proxy` below it. */
  url: string;
  /** Its service secret. */
  secret: string;
  /**
   * The name under which the server reaches the suite's own upstreams, which listen on this machine; its
   * allowlist has to let `http://{upstreamHost}:*` + `/**` through. Default `127.0.0.1`.
   */
  upstreamHost?: string;
  /** Extensions that must be there: all, none, or these. Default: those that a probe finds. */
  extensions?: boolean | readonly Extension[];
  /** Run these sections alone. */
  only?: readonly SectionName[];
  /** Tests that run at the same time. Default 8. */
  concurrency?: number;
  /** Only an operator can make read-only and expired URLs; without this their tests are skipped. */
  signUrl?: SignUrl;
  /** Ends the run: what has not run is skipped. */
  signal?: AbortSignal;
  /** Told of each test as it ends. */
  onResult?: (result: TestResult) => void;
}

/** The result of one test. */
export interface TestResult {
  readonly section: SectionName;
  readonly title: string;
  /** Ids of docs/PROTOCOL.md that the title names. */
  readonly requirements: readonly string[];
  readonly status: 'passed' | 'failed' | 'skipped';
  /** Why it was skipped or failed, in a sentence or a few lines. */
  readonly reason?: string;
  /** What a failed test threw. */
  readonly error?: Error;
  readonly milliseconds: number;
}

/** The result of a run. */
export interface ConformanceResult {
  /** The base URL that was tested. */
  readonly url: string;
  readonly extensions: readonly Extension[];
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly milliseconds: number;
  /** In the order of the sections. */
  readonly tests: readonly TestResult[];
}
