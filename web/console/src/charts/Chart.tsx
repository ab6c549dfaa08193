import { type KeyboardEvent, type RefObject, useId, useLayoutEffect, useRef, useState } from "react";

import { useWords } from "../words.ts";
import { ceiling, csv, type Day, runs, type Series } from "./days.ts";

interface Props {
  title: string;
  days: Day[];
  series: Series[];
  /** Bars for counts, stacked; lines for everything else. */
  kind: "bars" | "lines";
  /** Writes a value with its unit. */
  write(value: number): string;
  /** Where the axis ends; a round number above all values when absent. */
  top?: number;
  /** The period before, drawn as a broken line, and a column of the table. */
  before?: Series | undefined;
  /** Writes the time of a point; a day when absent. */
  label?: ((date: string) => string) | undefined;
  /** Called with a point that was clicked, or chosen by Enter. */
  onPick?: ((date: string) => void) | undefined;
}

/** Width that has not been measured, in pixels. */
const UNMEASURED = 560;
const HEIGHT = 160;
/** Width of a figure of the axis, in pixels. */
const DIGIT = 8;
const BASE = HEIGHT - 8;

/** Measures an element, so that what is drawn in it has the same size of text on a phone. */
function useWidth(): [frame: RefObject<HTMLElement | null>, width: number] {
  const frame = useRef<HTMLElement>(null);
  const [width, setWidth] = useState(UNMEASURED);
  useLayoutEffect(() => {
    const element = frame.current;
    if (!element || typeof ResizeObserver === "undefined") return;
    const measure = () => setWidth(element.clientWidth || UNMEASURED);
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return [frame, width];
}

/** A chart by day. Mouse and arrow keys read the same numbers, and below it is a table of them all. */
export function Chart({ title, days, series: now, kind, write, top, before, label, onPick }: Props) {
  const words = useWords();
  const { say } = words;
  const day = label ?? words.day;
  const id = useId();
  const [frame, width] = useWidth();
  const [at, setAt] = useState<number>();
  const series = before ? [...now, before] : now;
  const sums = days.map((_, index) => now.reduce((sum, { values }) => sum + (values[index] ?? 0), 0));
  const end = top ?? ceiling(kind === "bars" ? [...sums, ...(before?.values ?? [])] : series.flatMap(({ values }) => values));
  // The figures of the axis stand beside the bars, and not behind them.
  const left = 12 + DIGIT * Math.max(...[end, end / 2].map((one) => write(one).length));
  const step = (width - left) / Math.max(1, days.length);
  const x = (index: number) => left + step * (index + 0.5);
  const y = (value: number) => BASE - (value / end) * (BASE - 12);
  const shown = at === undefined ? undefined : days[at];
  const move = (event: KeyboardEvent) => {
    const last = days.length - 1;
    const moves: Record<string, number> = {
      ArrowLeft: Math.max(0, (at ?? last + 1) - 1),
      ArrowRight: Math.min(last, (at ?? -1) + 1),
      Home: 0,
      End: last,
    };
    const next = moves[event.key];
    if (event.key === "Enter" && shown) onPick?.(shown.date);
    else if (next === undefined) return;
    else setAt(next);
    event.preventDefault();
  };
  const value = (index: number, { values }: Series) => {
    const one = values[index];
    return one === null || one === undefined ? say("chart.none") : write(one);
  };
  const reading = shown && at !== undefined ? `${day(shown.date)}: ${series.map((one) => `${one.name} ${value(at, one)}`).join(", ")}` : "";
  const head = say(label ? "chart.hour" : "chart.day");
  const download = () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([csv(head, days, series)], { type: "text/csv" }));
    link.download = `${title}.csv`;
    link.click();
    URL.revokeObjectURL(link.href);
  };
  return (
    <figure className="grid content-start gap-2" aria-labelledby={id}>
      <figcaption className="flex flex-wrap items-baseline gap-x-4 gap-y-1">
        <h3 id={id} className="font-medium">
          {title}
        </h3>
        {(series.length > 1 || series[0]?.name !== title) && (
          <ul className="flex flex-wrap gap-3 text-xs text-muted">
            {series.map(({ name, colour }) => (
              <li key={name} className="flex items-center gap-1">
                <span aria-hidden="true" className={`size-2 rounded-full bg-current ${colour}`} />
                {name}
              </li>
            ))}
          </ul>
        )}
      </figcaption>
      <section
        ref={frame}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: the arrow keys read the chart.
        tabIndex={0}
        aria-label={say(onPick ? "chart.keys.pick" : "chart.keys", { title })}
        className={onPick && "cursor-pointer"}
        onKeyDown={move}
        onClick={() => shown && onPick?.(shown.date)}
        onBlur={() => setAt(undefined)}
        onPointerLeave={() => setAt(undefined)}
        onPointerMove={(event) => {
          const box = event.currentTarget.getBoundingClientRect();
          const index = Math.floor((((event.clientX - box.left) / box.width) * width - left) / step);
          setAt(Math.min(days.length - 1, Math.max(0, index)));
        }}
      >
        <svg viewBox={`0 0 ${width} ${HEIGHT}`} className="block h-40 w-full" aria-hidden="true">
          {[0, 0.5, 1].map((part) => (
            <g key={part} className="text-line">
              <line x1={left} x2={width} y1={y(end * part)} y2={y(end * part)} stroke="currentColor" />
              {part > 0 && (
                <text x={left - 8} y={y(end * part) + 4} fontSize="12" textAnchor="end" className="fill-muted">
                  {write(end * part)}
                </text>
              )}
            </g>
          ))}
          {at !== undefined && <rect x={x(at) - step / 2} y="0" width={step} height={BASE} className="fill-hover" />}
          {kind === "bars" ? <Bars days={days} series={now} x={x} y={y} width={Math.max(1, step * 0.7)} /> : <Lines series={now} x={x} y={y} />}
          {before && <Lines series={[before]} x={x} y={y} broken />}
        </svg>
      </section>
      <p role="status" className="min-h-5 text-xs text-muted">
        {reading || (days[0] && `${day(days[0].date)} – ${day(days.at(-1)?.date ?? days[0].date)}`)}
      </p>
      <details>
        <summary className="w-fit text-muted">{say("chart.table")}</summary>
        <table className="grid-table">
          <caption className="sr-only">{title}</caption>
          <thead>
            <tr>
              <th scope="col">{head}</th>
              {series.map(({ name }) => (
                <th key={name} scope="col" className="num">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {days.map((one, index) => (
              <tr key={one.date}>
                <th scope="row">{day(one.date)}</th>
                {series.map((each) => (
                  <td key={each.name} className="num">
                    {value(index, each)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
        <button type="button" className="mt-2 text-accent underline underline-offset-2" onClick={download}>
          {say("chart.csv")}
        </button>
      </details>
    </figure>
  );
}

interface Drawn {
  x(index: number): number;
  y(value: number): number;
}

function Bars({ days, series, width, x, y }: Drawn & { days: Day[]; series: Series[]; width: number }) {
  return days.map((day, index) => {
    let below = 0;
    return series.map(({ name, colour, values }) => {
      const value = values[index] ?? 0;
      const from = below;
      below += value;
      if (value === 0) return null;
      return (
        <rect
          key={`${day.date} ${name}`}
          x={x(index) - width / 2}
          width={width}
          y={y(below)}
          height={y(from) - y(below)}
          className={`fill-current ${colour}`}
        />
      );
    });
  });
}

function Lines({ series, x, y, broken = false }: Drawn & { series: Series[]; broken?: boolean }) {
  return series.flatMap(({ name, colour, values }) =>
    runs(values).map(({ start, values: run }) => {
      const points = run.map((value, index) => `${x(start + index)},${y(value)}`).join(" ");
      return (
        <g key={`${name} ${start}`} className={colour}>
          <polyline
            points={points}
            fill="none"
            stroke="currentColor"
            strokeWidth="2"
            strokeLinejoin="round"
            strokeDasharray={broken ? "4 4" : undefined}
          />
          {!broken && run.map((value, index) => <circle key={index} cx={x(start + index)} cy={y(value)} r="2.5" fill="currentColor" />)}
        </g>
      );
    }),
  );
}
