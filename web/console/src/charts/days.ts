import type { DayView } from "@consigne/client";

/** A day of the range, whether or not anything was called on it. */
export type Day = Pick<DayView, "date" | "requests" | "credits" | "outcomes" | "success_rate" | "p50_ms" | "p95_ms" | "services" | "complete">;

const DAY = 86_400_000;

/** Returns the first and last day (UTC) of a range that ends today, as `2026-11-21`. */
export function rangeOf(days: number, now = Date.now()): { from: string; to: string } {
  const text = (time: number) => new Date(time).toISOString().slice(0, 10);
  return { from: text(now - (days - 1) * DAY), to: text(now) };
}

/** Returns every day of a range, oldest first. A day that the API does not list had no calls, and no outcomes. */
export function everyDay(range: { from: string; to: string }, found: readonly DayView[]): Day[] {
  const known = new Map(found.map((day) => [day.date, day]));
  const all: Day[] = [];
  for (let time = Date.parse(range.from); time <= Date.parse(range.to); time += DAY) {
    const date = new Date(time).toISOString().slice(0, 10);
    const quiet = { date, requests: 0, credits: 0, outcomes: 0, success_rate: null, p50_ms: null, p95_ms: null, services: {}, complete: true };
    all.push(known.get(date) ?? quiet);
  }
  return all;
}

/** A series of a chart: a value for each day, null where there is nothing to say. */
export interface Series {
  name: string;
  /** Class of its colour, such as `text-pdf`. */
  colour: string;
  values: (number | null)[];
}

/** Splits a line where a value is missing, so that a gap is drawn and not a zero. */
export function runs(values: readonly (number | null)[]): { start: number; values: number[] }[] {
  const all: { start: number; values: number[] }[] = [];
  values.forEach((value, index) => {
    if (value === null) return;
    const last = all.at(-1);
    if (last && last.start + last.values.length === index) last.values.push(value);
    else all.push({ start: index, values: [value] });
  });
  return all;
}

/** Returns a round number not below any value: where the axis ends. */
export function ceiling(values: readonly (number | null)[]): number {
  const most = Math.max(0, ...values.map((value) => value ?? 0));
  if (most <= 4) return 4;
  const power = 10 ** Math.floor(Math.log10(most));
  return [2, 4, 6, 8, 10].map((step) => step * power).find((step) => step >= most) ?? 10 * power;
}

const COLOURS: Record<string, string> = { pdf: "text-pdf", ai: "text-ai", mileage: "text-mileage" };

/** Returns calls by service: the three that were called most, and the rest as `others`. */
export function byService(days: readonly Day[], others: string): Series[] {
  const sums = new Map<string, number>();
  for (const day of days) for (const [name, count] of Object.entries(day.services)) sums.set(name, (sums.get(name) ?? 0) + count);
  const ranked = [...sums].sort(([a, x], [b, y]) => y - x || a.localeCompare(b)).map(([name]) => name);
  const shown = ranked.length > 4 ? ranked.slice(0, 3) : ranked;
  const spare = ["text-accent", "text-good", "text-warn", "text-bad"];
  const series: Series[] = shown.map((name, index) => ({
    name,
    colour: COLOURS[name] ?? spare[index] ?? "text-other",
    values: days.map((day) => day.services[name] ?? 0),
  }));
  if (shown.length < ranked.length) {
    const rest = (day: Day) => ranked.slice(3).reduce((sum, name) => sum + (day.services[name] ?? 0), 0);
    series.push({ name: others, colour: "text-other", values: days.map(rest) });
  }
  return series;
}

/** Writes days and series as CSV with a head. */
export function csv(head: string, days: readonly Day[], series: readonly Series[]): string {
  const quoted = (text: string) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const lines = [[head, ...series.map(({ name }) => name)].map(quoted)];
  days.forEach((day, index) => {
    lines.push([day.date, ...series.map(({ values }) => String(values[index] ?? ""))]);
  });
  return `${lines.map((line) => line.join(",")).join("\r\n")}\r\n`;
}
