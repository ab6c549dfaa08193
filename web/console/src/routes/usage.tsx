import { useUsage } from "@consigne/react";
import { Link, useParams, useSearch } from "@tanstack/react-router";
import { useMemo } from "react";

import { Chart } from "../charts/Chart.tsx";
import { byService, everyDay, rangeOf } from "../charts/days.ts";
import { RANGES, type UsageSearch } from "../router.tsx";
import { OfOrg } from "../ui/Frame.tsx";
import { Empty, Failure, Head, Loading } from "../ui/states.tsx";
import { useWords } from "../words.ts";

/** The calls of an organisation by day. */
export function Usage() {
  const { org } = useParams({ from: "/orgs/$org/usage" });
  const { say } = useWords();
  return (
    <OfOrg id={org} right="usage.see" title={say("nav.usage")}>
      <Calls id={org} key={org} />
    </OfOrg>
  );
}

function Calls({ id }: { id: string }) {
  const { say, number } = useWords();
  const { days: chosen = 30 } = useSearch({ from: "/orgs/$org/usage" });
  const range = useMemo(() => rangeOf(chosen), [chosen]);
  const { days: found, loading, error, refresh } = useUsage({ org: id, ...range });
  const days = useMemo(() => everyDay(range, found), [range, found]);
  const calls = days.reduce((sum, day) => sum + day.requests, 0);
  const credits = days.reduce((sum, day) => sum + day.credits, 0);
  const outcomes = days.reduce((sum, day) => sum + day.outcomes, 0);
  const good = days.reduce((sum, day) => sum + day.outcomes * (day.success_rate ?? 0), 0);
  const milliseconds = (value: number) => number(value, { style: "unit", unit: "millisecond" });
  const percent = (value: number) => number(value / 100, { style: "percent" });
  return (
    <>
      <Head title={say("nav.usage")} text={say("usage.text")} />
      <nav aria-label={say("usage.range")} className="flex flex-wrap gap-1">
        {RANGES.map((one) => (
          <Link
            key={one}
            from="/orgs/$org/usage"
            search={(before: UsageSearch) => ({ ...before, days: one === 30 ? undefined : one })}
            className={`rounded-md px-3 py-1.5 hover:bg-hover ${one === chosen ? "bg-hover font-medium" : "text-muted"}`}
            activeProps={{ "aria-current": one === chosen ? "true" : undefined }}
          >
            {say("usage.days", { days: one })}
          </Link>
        ))}
      </nav>
      {error && <Failure what={say("usage.failed")} error={error} retry={() => void refresh()} />}
      {loading && <Loading rows={6} />}
      {!loading && !error && (
        <>
          <dl className="grid grid-cols-1 gap-4 border-y border-line py-4 sm:grid-cols-3">
            <Figure label={say("usage.calls")} value={number(calls)} />
            <Figure label={say("usage.credits")} value={number(credits)} />
            <Figure label={say("usage.success")} value={outcomes === 0 ? say("chart.none") : percent(Math.round(good / outcomes))} />
          </dl>
          {calls === 0 ? (
            <Empty
              text={say("usage.empty")}
              action={
                <Link to="/orgs/$org/keys" params={{ org: id }} className="text-accent underline underline-offset-2">
                  {say("usage.empty.go")}
                </Link>
              }
            />
          ) : (
            <div className="grid gap-8 lg:grid-cols-2">
              <Chart
                title={say("usage.calls.service")}
                kind="bars"
                days={days}
                series={byService(days, say("usage.others"))}
                write={(value) => number(value)}
              />
              <Chart
                title={say("usage.credits")}
                kind="bars"
                days={days}
                series={[{ name: say("usage.credits"), colour: "text-accent", values: days.map((day) => day.credits) }]}
                write={(value) => number(value)}
              />
              <Chart
                title={say("usage.success")}
                kind="lines"
                top={100}
                days={days}
                series={[{ name: say("usage.success"), colour: "text-good", values: days.map((day) => day.success_rate) }]}
                write={percent}
              />
              <Chart
                title={say("usage.speed")}
                kind="lines"
                days={days}
                series={[
                  { name: "p50", colour: "text-accent", values: days.map((day) => day.p50_ms) },
                  { name: "p95", colour: "text-mileage", values: days.map((day) => day.p95_ms) },
                ]}
                write={milliseconds}
              />
            </div>
          )}
        </>
      )}
    </>
  );
}

function Figure({ label, value }: { label: string; value: string }) {
  return (
    <div>
      <dt className="text-muted">{label}</dt>
      <dd className="text-lg font-semibold">{value}</dd>
    </div>
  );
}
