import { generate } from 'lean-qr';
import { useMemo } from 'react';

/** Light modules around a QR code, which readers need. */
const MARGIN = 4;

/** A QR code. Dark on white in both themes, because some readers cannot read inverted codes. */
export default function QrCode({ text }: { text: string }) {
  const { path, size } = useMemo(() => {
    const code = generate(text);
    let drawn = '';
    for (let y = 0; y < code.size; y++)
      for (let x = 0; x < code.size; x++) if (code.get(x, y)) drawn += `M${x} ${y}h1v1h-1z`;
    return { path: drawn, size: code.size };
  }, [text]);
  const box = `${-MARGIN} ${-MARGIN} ${size + 2 * MARGIN} ${size + 2 * MARGIN}`;
  return (
    <svg
      className="qr"
      viewBox={box}
      role="img"
      aria-label="QR code"
      data-text={text}
      shapeRendering="crispEdges"
    >
      <rect x={-MARGIN} y={-MARGIN} width="100%" height="100%" fill="white" />
      <path d={path} fill="black" />
    </svg>
  );
}
