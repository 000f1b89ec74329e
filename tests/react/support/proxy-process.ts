import { createProxyServer } from '../../../server/index.ts';

// A process of its own: it can be killed, and the tests' jsdom does not replace its globals.
const [dataDir = '', jwtSecret = ''] = process.argv.slice(2);
const proxy = await createProxyServer({
  port: 0,
  host: '127.0.0.1',
  jwtSecret,
  allowlist: ['http://127.0.0.1:*/**'],
  dataDir,
});
process.stdout.write(`${proxy.url}\n`);
// It ends with whoever started it.
process.stdin.resume().on('end', () => process.exit());
