import type { KeyView } from "@consigne/client";

import { useWords } from "../words.ts";

const DAY = 86_400_000;

/** Keys whose text comes from an older installation and must be replaced, those with the least time first. */
export function legacyOf(keys: readonly KeyView[]): KeyView[] {
  const usable = keys.filter((key) => key.legacy && (key.status === "active" || key.status === "suspended"));
  return usable.sort((a, b) => (a.replace_by ?? "9").localeCompare(b.replace_by ?? "9"));
}

/** Whole days until a time, 0 on its last day and after it. */
export const daysUntil = (time: string, now = Date.now()): number => Math.max(0, Math.floor((Date.parse(time) - now) / DAY));

/** Names the keys that must be rotated, and the days that are left. It goes with the last of them. */
export function Migration({ keys, onOpen }: { keys: readonly KeyView[]; onOpen(id: string): void }) {
  const { say, day } = useWords();
  const legacy = legacyOf(keys);
  const first = legacy[0];
  if (!first) return null;
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
      <ul className="flex flex-wrap gap-x-4 gap-y-1">
        {legacy.map((key) => (
          <li key={key.id}>
            <button type="button" className="text-accent underline underline-offset-2" onClick={() => onOpen(key.id)}>
              {key.name}
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
