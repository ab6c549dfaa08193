import type { DayView } from "@consigne/client";

import type { Group } from "../router.tsx";

/** A day of the range, whether or not anything was called on it. */
export type Day = Pick<
  DayView,
  "date" | "requests" | "credits" | "outcomes" | "success_rate" | "p50_ms" | "p95_ms" | "services" | "keys" | "countries" | "complete"
> &
  Partial<Pick<DayView, "counted_until">>;

const DAY = 86_400_000;

/** Returns the first and last day (UTC) of a range that ends today, as `2026-11-21`. */
export function rangeOf(days: number, now = Date.now()): { from: string; to: string } {
  return { from: dayOf(now - (days - 1) * DAY), to: dayOf(now) };
}

const dayOf = (time: number) => new Date(time).toISOString().slice(0, 10);

/** Returns the range of the same length that ends the day before a range begins. */
export function rangeBefore({ from, to }: { from: string; to: string }): { from: string; to: string } {
  const days = Math.round((Date.parse(to) - Date.parse(from)) / DAY) + 1;
  return { from: dayOf(Date.parse(from) - days * DAY), to: dayOf(Date.parse(from) - DAY) };
}

/** A point of a chart at which nothing was called. */
export const quiet = (date: string): Day => ({
  ...{ date, requests: 0, credits: 0, outcomes: 0, success_rate: null, p50_ms: null, p95_ms: null },
  ...{ services: {}, keys: {}, countries: {}, complete: true },
});

/** Returns every day of a range, oldest first. A day that the API does not list had no calls, and no outcomes. */
export function everyDay(range: { from: string; to: string }, found: readonly DayView[]): Day[] {
  const known = new Map(found.map((day) => [day.date, day]));
  const all: Day[] = [];
  for (let time = Date.parse(range.from); time <= Date.parse(range.to); time += DAY) {
    const date = new Date(time).toISOString().slice(0, 10);
    all.push(known.get(date) ?? quiet(date));
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

const FIELDS = { service: "services", key: "keys", country: "countries" } as const;

/** Calls of each service, key or country in a range, the most first. */
export function ranked(days: readonly Day[], group: Group): [name: string, calls: number][] {
  const sums = new Map<string, number>();
  for (const day of days) for (const [name, count] of Object.entries(day[FIELDS[group]])) sums.set(name, (sums.get(name) ?? 0) + count);
  return [...sums].sort(([a, x], [b, y]) => y - x || a.localeCompare(b));
}

/** Returns calls by service, key or country: the three with the most calls, and the rest as `others`. */
export function byGroup(days: readonly Day[], group: Group, others: string, nameOf: (name: string) => string = (name) => name): Series[] {
  const names = ranked(days, group).map(([name]) => name);
  const shown = names.length > 4 ? names.slice(0, 3) : names;
  const spare = ["text-accent", "text-good", "text-warn", "text-bad"];
  const count = (day: Day, name: string) => day[FIELDS[group]][name] ?? 0;
  const series: Series[] = shown.map((name, index) => ({
    name: nameOf(name),
    colour: COLOURS[name] ?? spare[index] ?? "text-other",
    values: days.map((day) => count(day, name)),
  }));
  if (shown.length < names.length) {
    const rest = (day: Day) => names.slice(3).reduce((sum, name) => sum + count(day, name), 0);
    series.push({ name: others, colour: "text-other", values: days.map(rest) });
  }
  return series;
}

/** The figures of a range as a whole. */
export interface Totals {
  calls: number;
  credits: number;
  /** Whole per cent; null without outcomes. */
  success: number | null;
}

export function totalsOf(days: readonly Day[]): Totals {
  const sum = (of: (day: Day) => number) => days.reduce((total, day) => total + of(day), 0);
  const outcomes = sum((day) => day.outcomes);
  const good = sum((day) => day.outcomes * (day.success_rate ?? 0));
  return { calls: sum((day) => day.requests), credits: sum((day) => day.credits), success: outcomes === 0 ? null : Math.round(good / outcomes) };
}

/** How much a figure changed against the period before, as a share; null where there was nothing to compare with. */
export const changeOf = (now: number, before: number): number | null => (before === 0 ? null : (now - before) / before);

/** Writes days and series as CSV with a head. */
export function csv(head: string, days: readonly Day[], series: readonly Series[]): string {
  const quoted = (text: string) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const lines = [[head, ...series.map(({ name }) => name)].map(quoted)];
  days.forEach((day, index) => {
    lines.push([day.date, ...series.map(({ values }) => String(values[index] ?? ""))]);
  });
  return `${lines.map((line) => line.join(",")).join("\r\n")}\r\n`;
}
