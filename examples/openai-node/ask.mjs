// Asks the model and prints the answer. If it was killed, the next start continues the answer: the model is called once.
import { createDurableFetch } from 'durable-proxy/client';
import OpenAI from 'openai';
import { fileStorage } from './storage.mjs';

const { PROXY_URL, PROXY_TOKEN, OPENAI_BASE_URL = 'https://api.openai.com/v1' } = process.env;

const question = (process.argv[2] ?? '').trim();
if (question === '') {
  console.error('Usage: npm start "a question"');
  process.exit(2);
}

// Ctrl+C stops the model. A crash, a kill or a deploy does not.
const stopper = new AbortController();
process.once('SIGINT', () => stopper.abort());

const durableFetch = createDurableFetch({
  proxyUrl: PROXY_URL,
  proxyAuthorization: PROXY_TOKEN,
  storage: fileStorage('answers.local.json'),
  abortUpstream: true, // An abort of the signal also stops the model.
});
const openai = new OpenAI({
  apiKey: 'added by the proxy',
  baseURL: OPENAI_BASE_URL,
  // The name under which the next process finds the answer.
  fetch: (url, init) => durableFetch(url, { ...init, requestId: 'answer' }),
});

try {
  const messages = [{ role: 'user', content: question }];
  const request = { model: 'gpt-4.1-mini', messages, stream: true };
  let finishReason = null;
  for await (const chunk of await openai.chat.completions.create(request, { signal: stopper.signal })) {
    const [choice] = chunk.choices;
    process.stdout.write(choice?.delta.content ?? '');
    finishReason = choice?.finish_reason ?? finishReason;
  }
  console.log();
  if (stopper.signal.aborted) console.error('Stopped.');
  else if (finishReason === null) throw new Error('The answer is incomplete.');
} catch (error) {
  console.error(stopper.signal.aborted ? 'Stopped.' : `\n${error.message}`);
  process.exitCode = 1;
}
