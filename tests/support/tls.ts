import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { temporaryFolder } from './proxy.ts';

export interface TlsServer {
  readonly port: number;
  /** Files of the certificate, which is trusted by nothing else, and of its key. */
  readonly cert: string;
  readonly key: string;
  /** Method, host and path of each request. */
  readonly requests: string[];
  close(): Promise<void>;
}

/**
 * A server for https://*.example.test and 127.0.0.1. With `requireClient`, clients need the same certificate.
 */
export async function startTlsServer({ requireClient = false } = {}): Promise<TlsServer> {
  const folder = await temporaryFolder();
  const [key, cert] = [join(folder.path, 'key.pem'), join(folder.path, 'cert.pem')];
  await promisify(execFile)('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
    ...['-keyout', key, '-out', cert, '-subj', '/CN=example.test'],
    ...['-addext', 'subjectAltName=DNS:*.example.test,IP:127.0.0.1'],
  ]);
  const requests: string[] = [];
  const pem = await readFile(cert);
  const server = createServer(
    {
      key: await readFile(key),
      cert: pem,
      ca: pem,
      requestCert: requireClient,
      rejectUnauthorized: requireClient,
    },
    (req, res) => {
      requests.push(`${req.method} ${req.headers.host}${req.url}`);
      req.resume();
      res.end(`hello from ${req.headers.host}`);
    },
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    ...{ cert, key, requests },
    port: (server.address() as AddressInfo).port,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
      await folder.remove();
    },
  };
}
