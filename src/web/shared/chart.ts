// Lines over days, drawn by uPlot. It is large: import this file only when there is something to draw.
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';

export interface Line {
  /** The name of a custom property that holds its colour. */
  color: string;
  width: number;
  dash?: number[];
  /** The ground below it is tinted. */
  filled?: boolean;
}

export interface Chart {
  /** Draws `ys`, a row of figures for each line, over `xs`: days since 1970, rising. */
  show(xs: number[], ys: number[][]): void;
  destroy(): void;
}

const AXIS_FONT = '13px system-ui, sans-serif';

/** Puts a chart into `target` that fills its width. `label`: of a day; `figure`: of a number; `onday`: the day under the pointer. */
export function chart(
  target: HTMLElement,
  lines: readonly Line[],
  { height, label, figure, onday }: { height: number; label: (day: number) => string; figure: (value: number) => string; onday: (at: number | undefined) => void },
): Chart {
  let data: uPlot.AlignedData = [[], ...lines.map(() => [])];
  const dark = matchMedia('(prefers-color-scheme: dark)');

  function make(): uPlot {
    const style = getComputedStyle(target);
    const color = (name: string) => style.getPropertyValue(name).trim();
    const grid = { stroke: color('--line'), width: 1 };
    const axis = { stroke: color('--quiet'), font: AXIS_FONT, ticks: { show: false } };
    const options: uPlot.Options = {
      width: Math.max(target.clientWidth, 100),
      height,
      legend: { show: false },
      cursor: { drag: { x: false, y: false }, y: false, points: { size: 8 } },
      scales: { x: { time: false }, y: { range: (_, __, highest) => [0, Math.max(highest * 1.05, 5)] } },
      axes: [
        { ...axis, grid: { show: false }, incrs: [1, 2, 7, 14, 28, 61, 122], space: 56, values: (_, days) => days.map(label) },
        { ...axis, grid, size: 52, incrs: STEPS, values: (_, values) => values.map(figure) },
      ],
      series: [
        {},
        ...lines.map((line) => ({
          stroke: color(line.color),
          width: line.width,
          ...(line.dash && { dash: line.dash }),
          ...(line.filled && { fill: `${color(line.color)}22` }),
          points: { show: false },
        })),
      ],
      hooks: { setCursor: [({ cursor }) => onday(cursor.idx ?? undefined)] },
    };
    return new uPlot(options, data, target);
  }

  let plot = make();
  const redraw = () => {
    plot.destroy();
    plot = make();
  };
  const watcher = new ResizeObserver(() => {
    if (target.clientWidth > 0 && target.clientWidth !== plot.width) plot.setSize({ width: target.clientWidth, height });
  });
  watcher.observe(target);
  dark.addEventListener('change', redraw);
  return {
    show(xs, ys) {
      data = [xs, ...ys];
      // The labels' language may have changed too.
      redraw();
    },
    destroy() {
      watcher.disconnect();
      dark.removeEventListener('change', redraw);
      plot.destroy();
    },
  };
}

/** Whole numbers only: there is no half dose. */
const STEPS = Array.from({ length: 9 }, (_, power) => [1, 2, 5].map((digit) => digit * 10 ** power)).flat();
