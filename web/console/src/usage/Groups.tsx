import type { UsageEntry } from "@consigne/client";

import { type Day, ranked } from "../charts/days.ts";
import { figuresOf, ofGroup } from "../charts/receipts.ts";
import type { Group } from "../router.tsx";
import { useWords } from "../words.ts";

/** Rows that are shown before those of the rest are added up. */
const ROWS = 20;

interface Props {
  days: Day[];
  before: Day[] | undefined;
  group: Group;
  /** The calls themselves, where they were read: they tell credits, outcomes and times of each group. */
  entries: readonly UsageEntry[] | undefined;
  nameOf(name: string): string;
}

/** The calls of each service, key or country, as a table. */
export function Groups({ days, before, group, entries, nameOf }: Props) {
  const { say, number } = useWords();
  const all = ranked(days, group);
  const earlier = new Map(before ? ranked(before, group) : []);
  const rest = all.slice(ROWS).reduce((sum, [, calls]) => sum + calls, 0);
  const milliseconds = (value: number | null) => (value === null ? say("chart.none") : number(value, { style: "unit", unit: "millisecond" }));
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard scrolls it.
    <section className="overflow-x-auto" tabIndex={0} aria-label={say(`usage.by.${group}`)}>
      <table className="grid-table">
        <caption className="sr-only">{say(`usage.by.${group}`)}</caption>
        <thead>
          <tr>
            <th scope="col">{say(`usage.by.${group}`)}</th>
            <th scope="col" className="num">
              {say("usage.calls")}
            </th>
            {before && (
              <th scope="col" className="num">
                {say("usage.earlier")}
              </th>
            )}
            {entries &&
              (["usage.credits", "usage.success", "usage.p50", "usage.p95"] as const).map((id) => (
                <th key={id} scope="col" className="num">
                  {say(id)}
                </th>
              ))}
          </tr>
        </thead>
        <tbody>
          {all.slice(0, ROWS).map(([name, calls]) => {
            const own = entries && figuresOf(ofGroup(entries, group, name));
            return (
              <tr key={name}>
                <th scope="row">{nameOf(name)}</th>
                <td className="num">{number(calls)}</td>
                {before && <td className="num">{number(earlier.get(name) ?? 0)}</td>}
                {own && (
                  <>
                    <td className="num">{number(own.credits)}</td>
                    <td className="num">{own.success_rate === null ? say("chart.none") : number(own.success_rate / 100, { style: "percent" })}</td>
                    <td className="num">{milliseconds(own.p50_ms)}</td>
                    <td className="num">{milliseconds(own.p95_ms)}</td>
                  </>
                )}
              </tr>
            );
          })}
          {rest > 0 && (
            <tr>
              <th scope="row">{say("usage.others")}</th>
              <td className="num">{number(rest)}</td>
            </tr>
          )}
        </tbody>
      </table>
    </section>
  );
}
