import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import express, { type NextFunction, type Request, type Response } from 'express';
import helmet from 'helmet';
import { ProxyError } from './shared/errors.ts';
import { corsMiddleware } from './http/cors.ts';
import { createHttpServer, limitHeaders } from './http/http-server.ts';
import { renderError, toProxyError } from './http/render-error.ts';
import { ignoreErrors } from './http/response.ts';
import { durableInspector } from './inspector.ts';
import { createRouter, type DurableProxyRouter } from './middleware.ts';
import { createKeyring } from './auth/keyring.ts';
import { createOperatorCheck } from './auth/operator.ts';
import { createServiceAuth, type ServiceAuth } from './auth/service.ts';
import { faultLogger, silentLogger } from './shared/logger.ts';
import { metricsEndpoint, readyEndpoint } from './telemetry/endpoints.ts';
import { ProxyMetrics } from './telemetry/metrics.ts';
import type { DurableProxyOptions, ProxyServerOptions } from './options.ts';
import { resolveServerOptions } from './options/resolve.ts';
import { PROXY_OPTIONS } from './options/table.ts';
import type { CloseOptions } from './proxy.ts';

/** Path of the proxy in the standalone server. */
export const MOUNT_PATH = '/v1/proxy';

/** Path of the operator's page in the standalone server. */
export const INSPECTOR_PATH = '/inspector';

/** A proxy with an HTTP server of its own. */
export interface ProxyServer {
  /** The server's origin, such as `http://localhost:4440`; the proxy is at `/v1/proxy` below it. */
  readonly url: string;
  /**
   * Stops like `close` of `durableProxy`, and stops listening. Idempotent.
   * @param options `drainMs`: milliseconds to wait for running streams.
   */
  stop(options?: CloseOptions): Promise<void>;
}

/**
 * Starts the proxy as an HTTP server with `GET /health` and `GET /ready`. Resolves when the server listens and its
 * store is open.
 * @param options the options of `durableProxy`, and where to listen.
 * @returns the running server.
 * @throws ConfigurationError for invalid options; the error of `listen`, such as EADDRINUSE; the error of the store.
 */
export async function createProxyServer(options: ProxyServerOptions): Promise<ProxyServer> {
  const {
    port,
    host,
    metrics: hasMetrics,
    inspector: hasInspector,
    proxyOptions,
    ...httpOptions
  } = resolveServerOptions(options);
  const metrics = hasMetrics ? new ProxyMetrics() : undefined;
  const proxy = createRouter(metrics ? withMetrics(proxyOptions, metrics) : proxyOptions, {
    retries: false,
  });
  const serverOptions = {
    ...httpOptions,
    requestBodyTimeoutMs: proxyOptions.requestBodyTimeoutMs ?? PROXY_OPTIONS.requestBodyTimeoutMs.fallback,
    cors: corsMiddleware(proxyOptions.cors ?? {}),
  };
  const app = express();
  app.disable('x-powered-by');
  // The proxy sets this header itself.
  app.use(helmet({ crossOriginResourcePolicy: false }));
  app.use((_req, res, next) => {
    ignoreErrors(res);
    next();
  });
  app.use(limitHeaders(serverOptions));
  app.get('/health', (_req, res) => {
    res.json({ status: 'ok' });
  });
  app.get(
    '/ready',
    readyEndpoint(() => proxy.readiness()),
  );
  if (metrics) app.get('/metrics', metricsEndpoint(metrics, serviceAuthOf(proxyOptions)));
  if (hasInspector) mountInspector(app, proxy, proxyOptions);
  app.use(MOUNT_PATH, proxy);
  app.use((req, res) =>
    renderError(req, res, new ProxyError('NOT_FOUND', `Not found. The proxy is mounted at ${MOUNT_PATH}`)),
  );
  app.use((error: unknown, req: Request, res: Response, next: NextFunction) => {
    void next;
    // Express responds 400 to targets that it cannot decode.
    const bad = (error as { status?: unknown } | null)?.status === 400;
    renderError(
      req,
      res,
      bad ? new ProxyError('INVALID_REQUEST', 'The request target is malformed') : toProxyError(error),
    );
  });
  const { server, close } = createHttpServer(app, serverOptions);
  try {
    await proxy.ready;
    await listen(server, port, host);
  } catch (error) {
    await proxy.close({ drainMs: 0 });
    throw error;
  }
  // Without a listener, an error while accepting a connection, such as ENOBUFS, would end the process.
  server.on('error', (err) => {
    (proxyOptions.logger ?? faultLogger()).error({ err }, 'the HTTP server could not accept a connection');
  });
  let stopping: Promise<void> | undefined;
  const stop = async (closeOptions?: CloseOptions): Promise<void> => {
    await proxy.close(closeOptions);
    await close();
  };
  return { url: originOf(server, host), stop: (closeOptions) => (stopping ??= stop(closeOptions)) };
}

/** Passes events and appends to the metrics and to the listeners of the options. */
function withMetrics(options: DurableProxyOptions, metrics: ProxyMetrics): DurableProxyOptions {
  const { onEvent, onAppend } = options;
  return {
    ...options,
    onEvent(event) {
      metrics.onEvent(event);
      return onEvent?.(event);
    },
    onAppend(ms) {
      metrics.onAppend(ms);
      onAppend?.(ms);
    },
  };
}

/** Serves the operator's page to browsers that send the service secret. */
function mountInspector(
  app: express.Express,
  proxy: DurableProxyRouter,
  { jwtSecret, acceptJwtSecret = true }: DurableProxyOptions,
): void {
  const authorize = createOperatorCheck(createKeyring(jwtSecret), acceptJwtSecret);
  app.use(INSPECTOR_PATH, (req, res, next) => {
    if (authorize(req)) return next();
    // Makes the browser ask for the secret.
    const headers = { 'WWW-Authenticate': 'Basic realm="durable-proxy", charset="UTF-8"' };
    const message = 'Send the service secret as the password of HTTP Basic authentication';
    renderError(req, res, new ProxyError('MISSING_SECRET', message, { headers }));
  });
  app.use(INSPECTOR_PATH, durableInspector(proxy, { authorize }));
}

function serviceAuthOf({ jwtSecret, acceptJwtSecret = true }: DurableProxyOptions): ServiceAuth {
  const keyring = createKeyring(jwtSecret);
  return createServiceAuth({ keyring, logger: silentLogger, acceptJwtSecret, acceptLegacyTokens: false });
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function originOf(server: Server, host: string): string {
  const { port } = server.address() as AddressInfo;
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
