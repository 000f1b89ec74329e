import { svg } from './dom.ts';

const POINTS = 120;

/** A line of the latest values, without axes. */
export class Sparkline {
  readonly element: SVGSVGElement;
  readonly #values: number[] = [];
  readonly #area = svg('path', { class: 'area' });
  readonly #line = svg('path', { class: 'line' });

  constructor(label: string) {
    this.element = svg(
      'svg',
      {
        class: 'sparkline',
        viewBox: `0 0 ${POINTS - 1} 30`,
        preserveAspectRatio: 'none',
        role: 'img',
        'aria-label': label,
      },
      this.#area,
      this.#line,
    );
  }

  add(value: number): void {
    this.#values.push(value);
    if (this.#values.length > POINTS) this.#values.shift();
  }

  draw(): void {
    const most = this.#values.reduce((max, value) => Math.max(max, value), 1);
    // Fewer values are stretched over the whole width.
    const step = (POINTS - 1) / Math.max(1, this.#values.length - 1);
    const points = this.#values.map(
      (value, index) => `${(index * step).toFixed(1)},${(29 - (value / most) * 27).toFixed(1)}`,
    );
    const line = points.length > 1 ? `M${points.join('L')}` : '';
    this.#line.setAttribute('d', line);
    this.#area.setAttribute('d', line && `${line}V30H0Z`);
  }
}
