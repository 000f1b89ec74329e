import { createDurableFetch } from 'durable-proxy/client';

const durableFetch = createDurableFetch({ proxyUrl: '/v1/proxy' });
const output = document.querySelector('output')!;

async function ask(prompt: string): Promise<void> {
  const response = await durableFetch('/api/essay', {
    method: 'POST',
    body: JSON.stringify({ prompt }),
    headers: { 'Content-Type': 'application/json' },
    // Under this name a reload finds the answer, as long as it is unfinished.
    requestId: 'essay',
  });
  await show(response);
}

async function show(response: Response): Promise<void> {
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  output.textContent = '';
  for (let next = await reader.read(); !next.done; next = await reader.read())
    output.textContent += next.value;
}

const unfinished = await durableFetch.resume('essay');
if (unfinished) await show(unfinished);
document.querySelector('button')!.onclick = () => void ask('On drops of water');
