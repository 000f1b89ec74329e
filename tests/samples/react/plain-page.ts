import { createDurableFetch } from 'durable-proxy/client';

const durableFetch = createDurableFetch({ proxyUrl: '/v1/proxy' });
const form = document.querySelector('form')!;
const [ask, stop] = form.querySelectorAll('button');
const output = document.querySelector('output')!;
const alert = document.querySelector('[role=alert]')!;
let stopper = new AbortController();

form.onsubmit = async (event) => {
  event.preventDefault();
  const prompt = String(new FormData(form).get('prompt')).trim();
  if (prompt === '' || ask!.disabled) return;
  ask!.disabled = true;
  stopper.abort(); // A new question stops a resumed answer.
  await show((signal) =>
    durableFetch('/api/essay', {
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ prompt }),
      requestId: 'essay', // After a reload, resume('essay') finds the answer while it is unfinished.
      signal,
      abortUpstream: true, // An abort of the signal also stops the model.
    }),
  );
  ask!.disabled = false;
};
stop!.onclick = () => stopper.abort();

async function show(fetchAnswer: (signal: AbortSignal) => Promise<Response | null>): Promise<void> {
  const { signal } = (stopper = new AbortController());
  stop!.disabled = false;
  alert.textContent = '';
  try {
    const response = await fetchAnswer(signal);
    if (response === null) return;
    if (!response.ok) throw new Error(`The request failed with status ${response.status}.`);
    output.textContent = '';
    // A reader, because Safari cannot iterate over a body with `for await`.
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    for (let next = await reader.read(); !next.done; next = await reader.read())
      output.textContent += next.value;
  } catch (error) {
    console.info(error);
    if (stopper.signal === signal)
      alert.textContent = signal.aborted ? 'Stopped.' : 'The answer is incomplete. Ask again.';
  } finally {
    if (stopper.signal === signal) stop!.disabled = true;
  }
}

void show((signal) => durableFetch.resume('essay', { signal, abortUpstream: true }));
