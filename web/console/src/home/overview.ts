import type { DayView, EndpointView, KeyView, WalletView } from "@consigne/client";

const DAY = 86_400_000;
/** Days before its end at which a key is named. */
const KEY_SOON = 14;
/** Days before their end at which credits are named. */
const LOT_SOON = 7;
/** Share of a quota from which its key is named. */
const NEARLY = 0.9;
/** Days of the forecast, today among them. */
const PACE_DAYS = 7;

/** First and last day (UTC) of the forecast, as `2026-11-21`. */
export function paceRange(now = Date.now()): { from: string; to: string } {
  const day = (time: number) => new Date(time).toISOString().slice(0, 10);
  return { from: day(now - (PACE_DAYS - 1) * DAY), to: day(now) };
}

/** What an organisation did lately, and how long its credits last at that pace. */
export interface Pace {
  calls: number;
  /** Share of calls that succeeded, from 0 to 1; null where nothing was reported. */
  success: number | null;
  /** Credits a day, counted from the first day on which any were spent; 0 if none were. */
  credits: number;
  /** Whole days until the balance is spent; null if nothing is spent. */
  left: number | null;
}

/** Counts the pace of the days up to `to`. Days without calls may be absent. */
export function paceOf(days: readonly DayView[], balance: number, to: string): Pace {
  const sum = (of: (day: DayView) => number) => days.reduce((all, day) => all + of(day), 0);
  const outcomes = sum((day) => (day.success_rate === null ? 0 : day.outcomes));
  const [first] = days
    .filter((day) => day.credits > 0)
    .map((day) => day.date)
    .sort();
  // With less than seven days of use, the pace is per day of use, not a seventh of the sum.
  const credits = first === undefined ? 0 : sum((day) => day.credits) / ((Date.parse(to) - Date.parse(first)) / DAY + 1);
  return {
    calls: sum((day) => day.requests),
    success: outcomes === 0 ? null : sum((day) => ((day.success_rate ?? 0) / 100) * day.outcomes) / outcomes,
    credits,
    left: credits === 0 ? null : Math.floor(balance / credits),
  };
}

/** Something that somebody should look at, the most urgent kind first. */
export type Matter =
  | { what: "closed" }
  | { what: "disabled" | "failing"; endpoint: EndpointView }
  | { what: "day" | "month"; key: KeyView; share: number }
  | { what: "expires"; key: KeyView; at: string }
  | { what: "lots"; credits: number; at: string };

interface Seen {
  wallet: WalletView | undefined;
  keys: readonly KeyView[];
  endpoints: readonly EndpointView[];
}

/** Finds what somebody should look at: what is refused now, then what will be soon. */
export function mattersOf({ wallet, keys, endpoints }: Seen, now = Date.now()): Matter[] {
  const soon = (time: string | null, days: number) => time !== null && Date.parse(time) > now && Date.parse(time) - now < days * DAY;
  const active = keys.filter((key) => key.status === "active");
  const share = (used: number, quota: number | null) => (quota ? used / quota : 0);
  const lots = (wallet?.buckets ?? []).filter((lot) => lot.left > 0 && soon(lot.expires_at, LOT_SOON));
  const byTime = <T extends { at: string }>(all: T[]) => all.sort((a, b) => a.at.localeCompare(b.at));
  const matters: Matter[] = wallet && !wallet.is_open ? [{ what: "closed" }] : [];
  for (const endpoint of endpoints) {
    if (endpoint.status === "disabled") matters.push({ what: "disabled", endpoint });
    else if (endpoint.failing_since) matters.push({ what: "failing", endpoint });
  }
  for (const key of active) {
    const [day, month] = [share(key.daily_used, key.daily_quota), share(key.monthly_used, key.monthly_quota)];
    if (Math.max(day, month) >= NEARLY) matters.push(month >= day ? { what: "month", key, share: month } : { what: "day", key, share: day });
  }
  const expiring = active.filter((key) => soon(key.expires_at, KEY_SOON)).map((key) => ({ what: "expires" as const, key, at: key.expires_at ?? "" }));
  const ending = lots.map((lot) => ({ what: "lots" as const, credits: lot.left, at: lot.expires_at ?? "" }));
  return [...matters, ...byTime(expiring), ...byTime(ending)];
}
