/**
 * Decides which origins may read responses. `true` reflects the request's origin; a function receives the
 * origin and calls back with the decision.
 */
export type CorsOrigin =
  | boolean
  | string
  | RegExp
  | (string | RegExp)[]
  | ((
      requestOrigin: string | undefined,
      callback: (error: Error | null, origin?: boolean | string | RegExp | (string | RegExp)[]) => void,
    ) => void);

/**
 * Options of the `cors` package, which the proxy uses. Declared here because `cors` ships no types, so that
 * consumers need not install `@types/cors`.
 *
 * @see https://github.com/expressjs/cors#configuration-options
 */
export interface CorsOptions {
  /** Value of `Access-Control-Allow-Origin`. @default '*' */
  origin?: CorsOrigin;
  /** Methods that a preflight allows. */
  methods?: string | string[];
  /** Request headers that a preflight allows. */
  allowedHeaders?: string | string[];
  /** Response headers that a page may read. */
  exposedHeaders?: string | string[];
  /** Sends `Access-Control-Allow-Credentials: true`. @default false */
  credentials?: boolean;
  /** Seconds for which a browser may cache a preflight. @default 86400 */
  maxAge?: number;
  /** Passes preflights to the app instead of responding to them. @default false */
  preflightContinue?: boolean;
  /** Status of a preflight response. @default 204 */
  optionsSuccessStatus?: number;
}
