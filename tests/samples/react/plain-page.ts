import { createDurableFetch } from 'durable-proxy/client';

const durableFetch = createDurableFetch({ proxyUrl: '/v1/proxy' });
const form = document.querySelector('form')!;
const [ask, stop] = form.querySelectorAll('button');
const output = document.querySelector('output')!;
const alert = document.querySelector('[role=alert]')!;
let stopper = new AbortController();

form.onsubmit = (event) => {
  event.preventDefault();
  const prompt = String(new FormData(form).get('prompt')).trim();
  if (prompt === '' || ask!.disabled) return;
  void show((signal) =>
    durableFetch('/api/essay', {
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ prompt }),
      requestId: 'essay', // After a reload, resume('essay') finds the answer while it is unfinished.
      signal,
      abortUpstream: true, // An abort of the signal also stops the model.
    }),
  );
};
stop!.onclick = () => stopper.abort();

async function show(fetchAnswer: (signal: AbortSignal) => Promise<Response | null>): Promise<void> {
  stopper = new AbortController();
  ask!.disabled = true;
  stop!.disabled = false;
  alert.textContent = '';
  try {
    const response = await fetchAnswer(stopper.signal);
    if (response === null) return;
    if (!response.ok) throw new Error(`The request failed with status ${response.status}.`);
    output.textContent = '';
    // A reader, because Safari cannot iterate over a body with `for await`.
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    for (let next = await reader.read(); !next.done; next = await reader.read())
      output.textContent += next.value;
  } catch (error) {
    alert.textContent = stopper.signal.aborted ? 'Stopped.' : (error as Error).message;
  } finally {
    ask!.disabled = false;
    stop!.disabled = true;
  }
}

void show((signal) => durableFetch.resume('essay', { signal, abortUpstream: true }));
