import type { KeyView } from "@consigne/client";
import { Link } from "@tanstack/react-router";
import { useEffect, useState } from "react";

import { useWords } from "../words.ts";

const DAY = 86_400_000;

/** Keys whose text comes from an older installation and must be replaced, those with the least time first. */
export function legacyOf(keys: readonly KeyView[]): KeyView[] {
  const usable = keys.filter((key) => key.legacy && (key.status === "active" || key.status === "suspended"));
  return usable.sort((a, b) => (a.replace_by ?? "9").localeCompare(b.replace_by ?? "9"));
}

/** Whole days until a time, 0 on its last day and after it. */
export const daysUntil = (time: string, now = Date.now()): number => Math.max(0, Math.floor((Date.parse(time) - now) / DAY));

/** Where this browser keeps how many there were: the API names those that are left. */
const KEPT = "consigne.migration.";

/** Returns how many of the keys that were ever seen here are rotated, and forgets them with the last one. */
export function progressOf(org: string, left: number, storage: Storage = localStorage): { done: number; total: number } {
  const total = Math.max(left, Number(storage.getItem(KEPT + org) ?? 0));
  if (left === 0) storage.removeItem(KEPT + org);
  else storage.setItem(KEPT + org, String(total));
  return { done: total - left, total };
}

/** Names the keys that must be rotated, the days that are left, and how far it is. It goes with the last of them. */
export function Migration({ org, keys }: { org: string; keys: readonly KeyView[] }) {
  const { say, day, number } = useWords();
  const legacy = legacyOf(keys);
  const [progress, setProgress] = useState({ done: 0, total: 0 });
  useEffect(() => {
    // Before the keys are there, none is left.
    if (keys.length > 0) setProgress(progressOf(org, legacy.length));
  }, [org, keys.length, legacy.length]);
  const first = legacy[0];
  if (!first) return null;
  const { done, total } = progress;
  const far = say("migration.progress", { done: number(done), total: number(total) });
  return (
    <section aria-label={say("migration.title")} className="grid gap-2 border-s-2 border-warn ps-3">
      <p className="font-medium">
        <span aria-hidden="true" className="text-warn">
          !{" "}
        </span>
        {first.replace_by
          ? say("migration.until", { keys: legacy.length, days: daysUntil(first.replace_by), date: day(first.replace_by) })
          : say("migration.open", { keys: legacy.length })}
      </p>
      {done > 0 && (
        <div className="grid max-w-sm gap-1">
          <p className="text-muted">{far}</p>
          <progress className="h-2 w-full accent-accent" aria-label={far} max={total} value={done} />
        </div>
      )}
      <ul className="flex flex-wrap gap-x-4 gap-y-1">
        {legacy.map((key) => (
          <li key={key.id}>
            <Link to="/orgs/$org/keys" params={{ org }} search={{ key: key.id }} className="text-accent underline underline-offset-2">
              {key.name}
            </Link>
          </li>
        ))}
      </ul>
    </section>
  );
}
