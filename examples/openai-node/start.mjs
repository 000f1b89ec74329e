// Starts the proxy, and a script that asks the model. Kills the script in the middle of the answer and starts it again.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { startProxy } from './proxy.mjs';

if (!process.env.OPENAI_API_KEY) {
  console.error('OPENAI_API_KEY is not set. Start with: OPENAI_API_KEY=sk-... npm start');
  process.exit(1);
}
const question = process.argv[2] ?? 'Write 300 words about drops of water.';
const proxy = await startProxy();
// Ctrl+C reaches the script too, which stops the answer and ends.
process.on('SIGINT', () => {});

/** Runs ask.mjs until it ends, or kills it once it has printed some text. */
async function ask({ killAfter = Infinity } = {}) {
  const script = spawn(process.execPath, ['ask.mjs', question], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, PROXY_URL: proxy.url, PROXY_TOKEN: proxy.token, OPENAI_API_KEY: undefined },
  });
  let printed = 0;
  script.stdout.setEncoding('utf8').on('data', (text) => {
    process.stdout.write(text);
    printed += text.length;
    if (printed >= killAfter) script.kill('SIGKILL');
  });
  const [code, signal] = await once(script, 'close');
  return signal === 'SIGKILL' ? 'killed' : code;
}

let result = await ask({ killAfter: 10 });
if (result === 'killed') {
  console.log('\n--- ask.mjs was killed. Starting it again. ---');
  result = await ask();
}
await proxy.stop();
process.exitCode = result ?? 1;
