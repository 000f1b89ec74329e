import type { Resumption } from 'durable-proxy/client';
import { useEffect, useState, useSyncExternalStore } from 'react';
import { Chart } from './Chart.tsx';
import { createRecorder } from './timeline.ts';
import { Trouble } from './Trouble.tsx';

const WORDS: Record<Resumption['status'], string> = {
  idle: 'No answer under way',
  creating: 'Asking the model',
  streaming: 'Connected',
  reconnecting: 'Reconnecting',
  complete: 'Complete',
  aborted: 'Stopped',
  failed: 'Interrupted',
  expired: 'Expired',
};

/** Shows the connection over time, and the controls to disturb it. */
export function Connection({ resumption }: { resumption: Resumption }) {
  const [recorder] = useState(createRecorder);
  const timeline = useSyncExternalStore(recorder.subscribe, recorder.snapshot);
  useEffect(() => recorder.record(resumption, performance.now()), [recorder, resumption]);
  useEffect(() => {
    const clock = setInterval(() => recorder.tick(performance.now()), 250);
    return () => clearInterval(clock);
  }, [recorder]);

  return (
    <aside id="connection" className="connection" aria-label="Connection">
      <h2>Connection</h2>
      <p className="state" data-status={resumption.status}>
        {WORDS[resumption.status]}
        {resumption.attempt > 0 && <span> · attempt {resumption.attempt}</span>}
      </p>
      <Chart timeline={timeline} />
      <ol className="marks" aria-label="Events">
        {timeline.marks.map(({ ms, kind, label }, index) => (
          <li key={index} data-kind={kind}>
            <span className="time">{(ms / 1000).toFixed(1)} s</span> {label}
          </li>
        ))}
      </ol>
      <Trouble streaming={resumption.status === 'streaming'} status={resumption.status} />
    </aside>
  );
}
