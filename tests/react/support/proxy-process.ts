import { createProxyServer } from '../../../server/index.ts';

// A separate process can be killed, and the jsdom of the tests does not replace its globals.
const [dataDir = '', jwtSecret = ''] = process.argv.slice(2);
const proxy = await createProxyServer({
  port: 0,
  host: '127.0.0.1',
  jwtSecret,
  allowlist: ['http://127.0.0.1:*/**'],
  dataDir,
});
process.stdout.write(`${proxy.url}\n`);
// Exits with the process that started it.
process.stdin.resume().on('end', () => process.exit());
