// Takes the pictures of the operator's page in docs/images (`npm run screenshot`): an hour of answers, and some that run.
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { clearInterval, setInterval } from 'node:timers';
import express from 'express';
import { chromium } from 'playwright-core';
import { tsImport } from 'tsx/esm/api';
import { Agent } from 'undici/index.js';
import { buildPage } from './inspector-page.mjs';

const { durableProxy } = await tsImport('../server/index.ts', import.meta.url);
const { IDEMPOTENCY_KEY, STREAM_KEY, UPSTREAM_METHOD, UPSTREAM_URL } = await tsImport(
  '../protocol/headers.ts',
  import.meta.url,
);
const { durableInspector } = await tsImport('../server/inspector.ts', import.meta.url);

const OUT = 'docs/images';
const RUNNING = 14;
const ENDED = 260;
const MINUTE_MS = 60_000;
const UPSTREAMS = [
  'https://api.openai.com/v1/responses',
  'https://api.anthropic.com/v1/messages',
  'https://generativelanguage.googleapis.com/v1beta/models/gemini-3-pro:streamGenerateContent',
];
const MODELS = ['gpt-5.2', 'claude-opus-4-6', 'gemini-3-pro'];
const SENTENCE =
  'A durable stream separates the answer from the connection that carries it. The proxy reads the provider once, stores each ' +
  'chunk before anybody sees it, and lets every reader continue at its own offset. ';

/** Creates a generator of pseudorandom numbers in [0, 1), for the same pictures each time. */
function randomOf(seed) {
  let state = seed;
  return () => (state = (state * 16807) % 2147483647) / 2147483647;
}

const random = randomOf(7);
const pick = (list) => list[Math.floor(random() * list.length)];
const subject = () => `user-${100 + Math.floor(random() * 60)}`;

const dataDir = await mkdtemp(join(tmpdir(), 'durable-proxy-screenshot-'));
const model = createServer((req, res) => {
  res.writeHead(200, {
    'content-type': 'text/event-stream',
    'x-request-id': 'req_7f3a',
    'openai-processing-ms': '214',
  });
  const words = SENTENCE.repeat(40).split(/(?<= )/);
  const timer = setInterval(() => {
    const content = words.splice(0, 2).join('');
    if (content === '') return void res.end('data: [DONE]\n\n');
    res.write(`data: ${JSON.stringify({ choices: [{ delta: { content } }] })}\n\n`);
  }, 90);
  res.once('close', () => clearInterval(timer));
}).listen(0, '127.0.0.1');
await once(model, 'listening');
const upstream = 'http://api.openai.com/v1/chat/completions';
/** Connects to the model of this script instead of the provider. */
const dispatcher = new Agent({
  connect: (_options, callback) => {
    const socket = connect(model.address().port, '127.0.0.1', () => callback(null, socket));
    socket.once('error', callback);
  },
});

const proxy = durableProxy({
  jwtSecret: 'a secret of the pictures that is long enough',
  allowlist: ['http://api.openai.com/**'],
  dispatcher,
  dataDir,
  authenticate: (req) => ({ subject: String(req.headers['x-subject']) }),
  logger: { debug() {}, info() {}, warn() {}, error() {} },
});
const app = express();
app.use('/v1/proxy', proxy);
app.use('/ops/streams', durableInspector(proxy, { authorize: () => true }));
const server = app.listen(0, '127.0.0.1');
await once(server, 'listening');
await proxy.ready;
const origin = `http://127.0.0.1:${server.address().port}`;

/** Emits the events of an hour. Their clock is that of the time at which they would have happened. */
function remember() {
  const { emit } = proxy[Symbol.for('durable-proxy.inspectable.1')].context;
  const start = Date.now();
  /** Events with their times. */
  const events = [];
  for (let index = 0; index < ENDED; index += 1) {
    const at = start - 30_000 - random() ** 1.15 * 58 * MINUTE_MS;
    const kind = Math.floor(random() * UPSTREAMS.length);
    const about = { streamId: randomUUID(), subject: subject() };
    // The provider has a bad time.
    const isBad = start - at > 21 * MINUTE_MS && start - at < 26 * MINUTE_MS;
    const outcome = pick([
      ...Array.from({ length: isBad ? 5 : 40 }, () => 'complete'),
      ...['aborted', 'aborted', 'truncated', 'timeout'],
      ...Array.from({ length: isBad ? 5 : 1 }, () => 'upstream-error'),
    ]);
    const durationMs = 3_000 + random() * 40_000;
    const outputTokens = Math.round(durationMs / 22);
    const usage = {
      format: 'openai-chat',
      model: MODELS[kind],
      inputTokens: Math.round(200 + random() * 4_000),
      outputTokens,
    };
    const headersMs = 180 + random() * 900;
    const streamKey = `chat-${Math.floor(random() * 900)}`;
    const begunAt = at - durationMs;
    events.push([begunAt, { type: 'created', upstream: UPSTREAMS[kind], headersMs, streamKey, ...about }]);
    events.push([begunAt + 1, { type: 'first-byte', ms: 40 + random() * 300, ...about }]);
    if (random() < 0.08) {
      const recovered = { attempt: 1, cause: 'upstream-error', gapMs: 640, adopted: false };
      events.push([begunAt + 2, { type: 'recovered', ...recovered, ...about }]);
    }
    const hasUsage = outcome === 'complete' || outcome === 'truncated';
    const closed = { outcome, bytes: outputTokens * 140, durationMs, ...(hasUsage && { usage }) };
    events.push([at, { type: 'closed', ...closed, ...about }]);
  }
  for (const [code, status, times] of [
    ['TOO_MANY_STREAMS', 429, 9],
    ['SIGNATURE_EXPIRED', 401, 6],
    ['UPSTREAM_TIMEOUT', 504, 2],
  ])
    for (let i = 0; i < times; i += 1)
      events.push([start - 1, { type: 'refused', code, status, method: 'POST' }]);
  const realNow = Date.now;
  for (const [at, event] of events.sort(([a], [b]) => a - b)) {
    Date.now = () => at;
    emit(event);
  }
  Date.now = realNow;
}

async function run(index) {
  const created = await fetch(`${origin}/v1/proxy`, {
    method: 'POST',
    headers: {
      [UPSTREAM_URL]: upstream,
      [UPSTREAM_METHOD]: 'POST',
      [IDEMPOTENCY_KEY]: randomUUID(),
      [STREAM_KEY]: `chat-${index}`,
      'x-subject': `user-${120 + index * 3}`,
    },
    body: '{}',
  });
  const url = new URL(created.headers.get('location'), origin);
  for (let reader = 0; reader < 1 + (index % 3); reader += 1)
    void fetch(`${url}&live=sse`).then((read) => read.text());
  return url.pathname.split('/').at(-1);
}

await buildPage();
const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--font-render-hinting=none'],
});
try {
  remember();
  const ids = [];
  for (let index = 0; index < RUNNING; index += 1) ids.push(await run(index));
  const shots = [
    ['inspector-light', 1440, 900, 'light', false],
    ['inspector-dark', 1440, 900, 'dark', false],
    ['inspector-answer-light', 1440, 900, 'light', true],
    ['inspector-answer-dark', 1440, 900, 'dark', true],
    ['inspector-390-light', 390, 844, 'light', false],
    ['inspector-390-dark', 390, 844, 'dark', false],
    ['inspector-answer-390-light', 390, 844, 'light', true],
    ['inspector-answer-390-dark', 390, 844, 'dark', true],
  ];
  const first = await browser.newPage();
  await first.goto(`${origin}/ops/streams/`);
  await first.locator('.rows .row').first().waitFor();
  // The chart of the throughput and the timelines need some seconds.
  await first.waitForTimeout(12_000);
  for (const [name, width, height, colorScheme, isAnswer] of shots) {
    const context = await browser.newContext({
      viewport: { width, height },
      colorScheme,
      deviceScaleFactor: width < 500 ? 2 : 1,
    });
    const page = await context.newPage();
    await page.goto(`${origin}/ops/streams/${isAnswer ? `#${ids[4]}` : ''}`);
    await page.locator('.rows .row').first().waitFor({ state: 'attached' });
    await page.waitForTimeout(isAnswer ? 3_000 : 4_000);
    await page.screenshot({ path: `${OUT}/${name}.png` });
    await context.close();
  }
} finally {
  await browser.close();
  await proxy.close({ drainMs: 0 });
  server.closeAllConnections();
  server.close();
  model.closeAllConnections();
  model.close();
  await dispatcher.close();
  await rm(dataDir, { recursive: true, force: true });
}
