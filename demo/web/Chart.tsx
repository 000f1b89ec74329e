import type { Sample, Timeline } from './timeline.ts';

const WIDTH = 300;
const HEIGHT = 96;
const FLOOR = HEIGHT - 10;

/** Bytes over time: shaded while the connection was lost, with a jump when it caught up. */
export function Chart({ timeline: { samples, marks } }: { timeline: Timeline }) {
  const last = samples.at(-1);
  const spanMs = Math.max(last?.ms ?? 0, 4000);
  const most = Math.max(last?.bytes ?? 0, 256);
  const x = (ms: number): number => (ms / spanMs) * WIDTH;
  const y = (bytes: number): number => FLOOR - (bytes / most) * (FLOOR - 8);

  const line = samples.map(({ ms, bytes }) => `${x(ms).toFixed(1)},${y(bytes).toFixed(1)}`).join(' ');
  const label =
    last === undefined
      ? 'No answer yet'
      : `${last.bytes} bytes in ${(last.ms / 1000).toFixed(1)} seconds, connection lost ${marks.filter(({ kind }) => kind === 'lost').length} times`;
  return (
    <svg className="chart" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={label}>
      {gaps(samples).map(([from, to]) => (
        <rect
          key={from}
          className="gap"
          x={x(from)}
          y="0"
          width={Math.max(x(to) - x(from), 2)}
          height={FLOOR}
        />
      ))}
      <line className="floor" x1="0" x2={WIDTH} y1={FLOOR} y2={FLOOR} />
      {last !== undefined && (
        <>
          <polygon className="area" points={`0,${FLOOR} ${line} ${x(last.ms)},${FLOOR}`} />
          <polyline className="bytes" points={line} />
        </>
      )}
      {marks.map(({ ms, kind }, index) => (
        <circle key={index} className="mark" data-kind={kind} cx={x(ms)} cy={FLOOR} r="4" />
      ))}
    </svg>
  );
}

/** Returns the periods without a connection. The last one may not have ended. */
function gaps(samples: readonly Sample[]): [from: number, to: number][] {
  const found: [number, number][] = [];
  let open: [number, number] | undefined;
  for (const { ms, lost } of samples) {
    if (open) open[1] = ms;
    if (lost && !open) found.push((open = [ms, ms]));
    if (!lost) open = undefined;
  }
  return found;
}
