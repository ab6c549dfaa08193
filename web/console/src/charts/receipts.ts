import type { ConsigneClient, UsageEntry } from "@consigne/client";

import type { Group } from "../router.tsx";
import { type Day, quiet } from "./days.ts";

const HOUR = 3_600_000;
/** Most receipts that are read for the charts of a day. */
export const READ = 10_000;

/** The calls since a time, newest first. */
export interface Recent {
  entries: UsageEntry[];
  /** Whether there are more calls than were read. */
  partial: boolean;
}

/** Reads the calls of an organisation since a time. */
export async function readSince(client: ConsigneClient, org: string, since: number, signal?: AbortSignal): Promise<Recent> {
  const entries: UsageEntry[] = [];
  for await (const entry of client.credits.usage(org, { limit: 1_000 }, { signal })) {
    if (Date.parse(entry.timestamp) < since) break;
    if (entries.length >= READ) return { entries, partial: true };
    entries.push(entry);
  }
  return { entries, partial: false };
}

/** Returns the value below which a share of the values lies, by nearest rank; null without values. */
export function percentile(values: readonly number[], percent: number): number | null {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((sorted.length * percent) / 100) - 1)] ?? null;
}

const nameOf: Record<Group, (entry: UsageEntry) => string> = {
  service: (entry) => entry.service ?? "unknown",
  key: (entry) => entry.key_id,
  country: (entry) => entry.country ?? "unknown",
};

/** The figures of some calls: the same as the API counts for a day. */
export function figuresOf(entries: readonly UsageEntry[], date = ""): Day {
  const point = quiet(date);
  const counts = (group: Group) => {
    const found: Record<string, number> = {};
    for (const entry of entries) found[nameOf[group](entry)] = (found[nameOf[group](entry)] ?? 0) + 1;
    return found;
  };
  const statuses = entries.flatMap(({ status_code }) => (status_code === null ? [] : [status_code]));
  const good = statuses.filter((status) => status >= 200 && status < 400).length;
  const times = entries.flatMap(({ response_ms }) => (response_ms === null ? [] : [response_ms]));
  return {
    ...point,
    requests: entries.length,
    credits: entries.reduce((sum, { credits }) => sum + credits, 0),
    outcomes: statuses.length,
    success_rate: statuses.length === 0 ? null : Math.round((good * 100) / statuses.length),
    p50_ms: percentile(times, 50),
    p95_ms: percentile(times, 95),
    ...{ services: counts("service"), keys: counts("key"), countries: counts("country") },
  };
}

/** Returns the 24 hours that end with the present one, oldest first. */
export function byHour(entries: readonly UsageEntry[], now: number): Day[] {
  const last = Math.floor(now / HOUR) * HOUR;
  const hours = new Map<number, UsageEntry[]>();
  for (const entry of entries) {
    const hour = Math.floor(Date.parse(entry.timestamp) / HOUR) * HOUR;
    hours.set(hour, [...(hours.get(hour) ?? []), entry]);
  }
  return Array.from({ length: 24 }, (_, index) => {
    const hour = last - (23 - index) * HOUR;
    return figuresOf(hours.get(hour) ?? [], new Date(hour).toISOString().replace(".000", ""));
  });
}

/** When the first of the 24 hours begins. */
export const firstHour = (now: number): number => Math.floor(now / HOUR) * HOUR - 23 * HOUR;

/** The calls of one service, key or country. */
export const ofGroup = (entries: readonly UsageEntry[], group: Group, name: string): UsageEntry[] =>
  entries.filter((entry) => nameOf[group](entry) === name);
