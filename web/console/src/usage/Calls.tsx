import type { UsageEntry } from "@consigne/client";
import { useConsigne } from "@consigne/react";

import { useEffect, useRef } from "react";

import { Button } from "../ui/Button.tsx";
import { Id } from "../ui/Id.tsx";
import { More } from "../ui/More.tsx";
import { Failure, Loading, State, Time } from "../ui/states.tsx";
import { useMore } from "../ui/useMore.ts";
import { useWords } from "../words.ts";

interface Props {
  org: string;
  day: string | undefined;
  /** Id of the key whose calls are listed; all when absent. */
  keyId: string | undefined;
  nameOf(id: string): string;
  onOpen(receipt: string): void;
  onClear(): void;
}

/** The calls themselves, newest first: of one day, or of one key. */
export function Calls({ org, day, keyId, nameOf, onOpen, onClear }: Props) {
  const { client } = useConsigne();
  const words = useWords();
  const { say, number } = words;
  const list = useMore<UsageEntry>(["calls", org, day, keyId], (cursor, signal) =>
    client.call("GET /api/orgs/{org}/usage", { path: { org }, query: { limit: 50, day, key: keyId, cursor } }, { signal }),
  );
  // Whoever chose a day in a chart above looks for its calls.
  const place = useRef<HTMLElement>(null);
  const before = useRef(day);
  useEffect(() => {
    if (day !== undefined && day !== before.current) place.current?.scrollIntoView({ block: "start" });
    before.current = day;
  }, [day]);
  const filters = [day && words.day(day), keyId && nameOf(keyId)].filter(Boolean).join(", ");
  return (
    <section ref={place} className="grid scroll-mt-4 gap-3">
      <div className="flex flex-wrap items-center gap-3">
        <h2 className="text-base font-semibold">{filters ? say("calls.of", { filters }) : say("calls.title")}</h2>
        {filters && (
          <Button quiet onClick={onClear}>
            {say("calls.clear")}
          </Button>
        )}
      </div>
      {list.error && <Failure what={say("calls.failed")} error={list.error} retry={list.again} />}
      {list.loading && <Loading rows={4} />}
      {list.items?.length === 0 && <p className="text-muted">{say("calls.none")}</p>}
      {list.items && list.items.length > 0 && (
        <div className="overflow-x-auto">
          <table className="grid-table">
            <thead>
              <tr>
                <th scope="col">{say("calls.what")}</th>
                <th scope="col">{say("calls.status")}</th>
                <th scope="col" className="hidden md:table-cell">
                  {say("calls.key")}
                </th>
                <th scope="col" className="num hidden sm:table-cell">
                  {say("usage.credits")}
                </th>
                <th scope="col" className="num hidden sm:table-cell">
                  {say("usage.speed")}
                </th>
                <th scope="col">{say("calls.when")}</th>
              </tr>
            </thead>
            <tbody>
              {list.items.map((entry) => (
                <tr key={entry.receipt_id}>
                  <td>
                    <button
                      type="button"
                      className="text-start font-medium underline-offset-2 hover:underline"
                      onClick={() => onOpen(entry.receipt_id)}
                    >
                      {[entry.method, entry.endpoint ?? entry.service].filter(Boolean).join(" ") || say("calls.unknown")}
                    </button>
                    <div className="text-muted">
                      <Id id={entry.receipt_id} />
                    </div>
                  </td>
                  <td>
                    {entry.status_code === null ? (
                      <State tone="plain">{say("calls.open")}</State>
                    ) : (
                      <State tone={entry.status_code < 400 ? "good" : "bad"}>{number(entry.status_code, { useGrouping: false })}</State>
                    )}
                  </td>
                  <td className="hidden md:table-cell">{nameOf(entry.key_id)}</td>
                  <td className="num hidden sm:table-cell">{number(entry.credits)}</td>
                  <td className="num hidden sm:table-cell">
                    {entry.response_ms === null ? "–" : number(entry.response_ms, { style: "unit", unit: "millisecond" })}
                  </td>
                  <td>
                    <Time at={entry.timestamp} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      <More list={list} />
    </section>
  );
}
