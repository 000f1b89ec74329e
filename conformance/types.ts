import { PREFER_UPSTREAM_STATUS, RESPOND_ASYNC } from '../protocol/headers.ts';

/** Optional features of a server (docs/PROTOCOL.md, extensions). */
export const EXTENSIONS = [
  'outcomes',
  'idempotency',
  'abort-by-key',
  'prefer',
  'compact-events',
  PREFER_UPSTREAM_STATUS,
  RESPOND_ASYNC,
  'upstream-head',
  'recovery',
  'completeness',
  'unread',
  'find',
  'follow',
  'scope',
  'as-upstream',
  'tokens',
] as const;

/** Name of an extension of the protocol. */
export type Extension = (typeof EXTENSIONS)[number];

/** Sections of the suite, in the order of the report. */
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
  'compact-events',
  'respond-async',
  'upstream-head',
  'recovery',
  'completeness',
  'unread',
  'find',
  'follow',
  'scope',
  'as-upstream',
  'tokens',
] as const;

/** Name of a section of the suite. */
export type SectionName = (typeof SECTION_NAMES)[number];

/**
 * Creates a signed URL of a stream with the secret of the server under test.
 * @param options id of the stream, path of the mount, and how long and for what the URL is valid.
 */
export type SignUrl = (options: {
  readonly streamId: string;
  /** Path of the mount, such as `/v1/proxy`. */
  readonly basePath: string;
  readonly expiresInSeconds: number;
  readonly scope?: 'read';
}) => string | Promise<string>;

/** The server under test, and which tests to run. */
export interface ProxyTarget {
  /** URL of the mount, such as `http://host/v1/proxy`. An origin alone means `/v1/proxy` on it. */
  url: string;
  /** Service secret of the server. */
  secret: string;
  /**
   * Host under which the server reaches the upstreams of the suite, which listen on this machine. The allowlist of the
   * server must cover `http://{upstreamHost}:*` + `/**`.
   * @default '127.0.0.1'
   */
  upstreamHost?: string;
  /**
   * Extensions that the server must have: all (`true`), none (`false`), or these.
   * @default those that are detected
   */
  extensions?: boolean | readonly Extension[];
  /**
   * Sections to run.
   * @default all
   */
  only?: readonly SectionName[];
  /**
   * Number of concurrent tests.
   * @default 8
   */
  concurrency?: number;
  /**
   * Creates signed URLs, which only an operator can do. Without it, tests of read-only and expired URLs are skipped.
   */
  signUrl?: SignUrl;
  /** Ends the run. The remaining tests are skipped. */
  signal?: AbortSignal;
  /**
   * Called with the result of each test when it ends.
   * @param result title, result and duration of the test.
   */
  onResult?: (result: TestResult) => void;
}

/** The result of one test. */
export interface TestResult {
  /** Section of the test. */
  readonly section: SectionName;
  /** Title of the test, with its requirement ids. */
  readonly title: string;
  /** Requirement ids in the title. */
  readonly requirements: readonly string[];
  /** Result of the test. */
  readonly status: 'passed' | 'failed' | 'skipped';
  /** Reason why the test failed or was skipped. */
  readonly reason?: string;
  /** Error of a failed test. */
  readonly error?: Error;
  /** Duration of the test in milliseconds. */
  readonly milliseconds: number;
}

/** The result of a run. */
export interface ConformanceResult {
  /** URL of the mount that was tested. */
  readonly url: string;
  /** Extensions that were tested. */
  readonly extensions: readonly Extension[];
  /** Number of passed tests. */
  readonly passed: number;
  /** Number of failed tests. */
  readonly failed: number;
  /** Number of skipped tests. */
  readonly skipped: number;
  /** Duration of the run in milliseconds. */
  readonly milliseconds: number;
  /** Results in the order of the sections. */
  readonly tests: readonly TestResult[];
}
