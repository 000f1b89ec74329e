import { durableProxy, type ProxyEvent } from 'durable-proxy';
import express from 'express';

/** Tokens that each user consumed, by model. */
const ledger = new Map<string, { answers: number; inputTokens: number; outputTokens: number }>();

function record(event: ProxyEvent): void {
  if (event.type !== 'closed' || !event.usage) return;
  const { model = 'unknown', inputTokens = 0, outputTokens = 0 } = event.usage;
  const account = `${event.subject ?? 'server'}/${model}`;
  const sum = ledger.get(account) ?? { answers: 0, inputTokens: 0, outputTokens: 0 };
  sum.answers += 1;
  sum.inputTokens += inputTokens;
  sum.outputTokens += outputTokens;
  ledger.set(account, sum);
}

const app = express();
const allowlist = ['https://api.openai.com/**'];
app.use('/v1/proxy', durableProxy({ jwtSecret: process.env.JWT_SECRET!, allowlist, onEvent: record }));
process.on('SIGUSR2', () => console.log(Object.fromEntries(ledger)));
app.listen(3000);
