import { createDurableFetch } from 'durable-proxy/client';

const durableFetch = createDurableFetch({ proxyUrl: '/v1/proxy' });
const form = document.querySelector('form');
const [send, stop] = form.querySelectorAll('button');
const output = document.querySelector('output');
const alert = document.querySelector('[role=alert]');
let stopper = new AbortController();

// The name under which the answer is found after a reload. This page keeps it in the URL.
if (location.hash === '') history.replaceState(null, '', `#${crypto.randomUUID()}`);
const requestId = location.hash.slice(1);

form.onsubmit = (event) => {
  event.preventDefault();
  const message = String(new FormData(form).get('message')).trim();
  if (message === '' || send.disabled) return;
  void show((signal) =>
    durableFetch('/api/answer', {
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ message }),
      requestId,
      signal,
      abortUpstream: true, // An abort of the signal also stops the model.
    }),
  );
};
stop.onclick = () => stopper.abort();

async function show(fetchAnswer) {
  stopper = new AbortController();
  send.disabled = true;
  stop.disabled = false;
  alert.textContent = '';
  try {
    const response = await fetchAnswer(stopper.signal);
    if (response === null) return;
    if (!response.ok) throw new Error((await response.json()).error.message);
    output.textContent = '';
    // A reader, because Safari cannot iterate over a body with `for await`.
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let next = await reader.read(); !next.done; next = await reader.read())
      output.textContent += next.value;
  } catch (error) {
    alert.textContent = stopper.signal.aborted ? 'Stopped.' : error.message;
  } finally {
    send.disabled = false;
    stop.disabled = true;
  }
}

void show((signal) => durableFetch.resume(requestId, { signal, abortUpstream: true }));
