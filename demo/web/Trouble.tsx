import type { ResumptionStatus } from 'durable-proxy/client';
import { useEffect, useState } from 'react';
import { post } from './post.ts';

/** Buttons for fault injection. Their endpoints belong to the demo. */
export function Trouble({ streaming, status }: { streaming: boolean; status: ResumptionStatus }) {
  const calls = useModelCalls(status);
  return (
    <section className="trouble" aria-labelledby="trouble">
      <h3 id="trouble">Break something</h3>
      <div>
        <button type="button" disabled={!streaming} onClick={() => void post('cut')}>
          Cut the connection
        </button>
        <button type="button" onClick={() => void post('offline', { seconds: 5 })}>
          Go offline for 5 s
        </button>
        <button type="button" onClick={() => location.reload()}>
          Reload the page
        </button>
        <a className="button" href={location.href} target="_blank" rel="noreferrer">
          Open a second tab
        </a>
        <button type="button" className="wide" onClick={() => void post('agent/fail')}>
          Make the model fail
        </button>
        <button type="button" className="danger" onClick={() => void post('crash')}>
          Kill the server
        </button>
        <button type="button" className="danger" onClick={() => void post('agent/crash')}>
          Kill the agent
        </button>
      </div>
      {calls !== undefined && (
        <p className="calls">
          The model was called <strong>{calls}</strong> {calls === 1 ? 'time' : 'times'} since the agent
          started.
        </p>
      )}
    </section>
  );
}

/** Counted by the scripted model itself; asked again when an answer begins or ends. */
function useModelCalls(status: ResumptionStatus): number | undefined {
  const [calls, setCalls] = useState<number>();
  useEffect(() => {
    const left = new AbortController();
    fetch('/demo/model', { signal: left.signal })
      .then((response) => response.json() as Promise<{ calls?: number }>)
      .then((model) => setCalls(model.calls))
      .catch(() => undefined);
    return () => left.abort();
  }, [status]);
  return calls;
}
