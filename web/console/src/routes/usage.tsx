import { useConsigne, useKeys } from "@consigne/react";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { lazy, Suspense, useCallback, useMemo, useState } from "react";

import { Chart } from "../charts/Chart.tsx";
import { byGroup, type Day, everyDay, rangeBefore, rangeOf, type Series, totalsOf } from "../charts/days.ts";
import { byHour, firstHour, READ, type Recent, readSince } from "../charts/receipts.ts";
import { may } from "../roles.ts";
import { GROUPS, type Group, RANGES, type UsageSearch } from "../router.tsx";
import { useOrg } from "../session.tsx";
import { Button } from "../ui/Button.tsx";
import { OfOrg } from "../ui/Frame.tsx";
import { shortened } from "../ui/Id.tsx";
import { Stale } from "../ui/Stale.tsx";
import { Empty, Failure, Head, Loading } from "../ui/states.tsx";
import { Tabs } from "../ui/Tabs.tsx";
import { Calls } from "../usage/Calls.tsx";
import { Figures } from "../usage/Figures.tsx";
import { Groups } from "../usage/Groups.tsx";
import { useWords } from "../words.ts";

const Why = lazy(() => import("../why/Why.tsx").then((module) => ({ default: module.Why })));

/** The calls of an organisation. */
export function Usage() {
  const { org } = useParams({ from: "/orgs/$org/usage" });
  const { say } = useWords();
  return (
    <OfOrg id={org} right="usage.see" title={say("nav.usage")}>
      <Page id={org} key={org} />
    </OfOrg>
  );
}

const DAY = 86_400_000;

/** What a range shows: its points, those of the period before, and the calls themselves where they were read. */
interface Shown {
  points: Day[] | undefined;
  before: Day[] | undefined;
  recent: Recent | undefined;
  error: Error | null;
  /** When it was read; 0 before that. */
  at: number;
  again(): void;
}

/** The figures by day, as the API counts them. */
function useDays(org: string, days: number, compare: boolean): Shown {
  const { client, queries, keys } = useConsigne();
  const range = useMemo(() => rangeOf(days), [days]);
  const earlier = useMemo(() => rangeBefore(range), [range]);
  const read = (from: { from: string; to: string }, enabled: boolean) => ({
    queryKey: [...keys.stats(org), from.from, from.to],
    queryFn: async ({ signal }: { signal: AbortSignal }) => everyDay(from, (await client.credits.stats(org, from, { signal })).items),
    enabled,
  });
  const now = useQuery(read(range, days > 1), queries);
  const before = useQuery(read(earlier, days > 1 && compare), queries);
  return {
    points: now.data,
    before: compare ? before.data : undefined,
    recent: undefined,
    error: now.error ?? before.error,
    at: now.dataUpdatedAt,
    again: () => void Promise.all([now.refetch(), compare && before.refetch()]),
  };
}

/** The last 24 hours, counted here from the calls themselves. */
function useHours(org: string, enabled: boolean, compare: boolean): Shown {
  const { client, queries, keys } = useConsigne();
  const [now] = useState(Date.now);
  const since = firstHour(now) - (compare ? DAY : 0);
  const calls = useQuery(
    { queryKey: [...keys.all, "hours", org, since], queryFn: ({ signal }) => readSince(client, org, since, signal), enabled },
    queries,
  );
  const { data, dataUpdatedAt } = calls;
  return useMemo(() => {
    const first = firstHour(now);
    const recent = data && { ...data, entries: data.entries.filter(({ timestamp }) => Date.parse(timestamp) >= first) };
    const earlier = data?.entries.filter(({ timestamp }) => Date.parse(timestamp) < first);
    return {
      points: recent && byHour(recent.entries, now),
      before: compare && earlier ? byHour(earlier, now - DAY) : undefined,
      recent,
      error: calls.error,
      at: dataUpdatedAt,
      again: () => void calls.refetch(),
    };
  }, [data, dataUpdatedAt, now, compare, calls.error, calls.refetch]);
}

/** Names of the keys, for those who may see them; ids for others. */
function useKeyNames(org: string): (id: string) => string {
  const role = useOrg(org)?.role;
  const { keys } = useKeys(role && may(role, "keys.see") ? org : null);
  return useCallback((id: string) => keys.find((key) => key.id === id)?.name ?? shortened(id), [keys]);
}

function Page({ id }: { id: string }) {
  const { say, number, exact, locale } = useWords();
  const search = useSearch({ from: "/orgs/$org/usage" });
  const navigate = useNavigate({ from: "/orgs/$org/usage" });
  const { days = 30, by: group = "service", compare = false } = search;
  const hours = useHours(id, days === 1, compare);
  const daily = useDays(id, days, compare);
  const { points, before, recent, error, at, again } = days === 1 ? hours : daily;
  const keyName = useKeyNames(id);
  const nameOf = useMemo(() => {
    const countries = new Intl.DisplayNames(locale, { type: "region", fallback: "code" });
    return (name: string) => {
      if (name === "unknown") return say("calls.unknown");
      return group === "key" ? keyName(name) : group === "country" && /^[A-Z]{2}$/.test(name) ? (countries.of(name) ?? name) : name;
    };
  }, [locale, group, keyName, say]);
  const hour = useMemo(() => {
    const format = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", hour: "numeric", minute: "2-digit", timeZone: "UTC" });
    return (date: string) => format.format(new Date(date));
  }, [locale]);
  const go = (change: Partial<UsageSearch>, replace = false) =>
    void navigate({ search: (now: UsageSearch) => ({ ...now, ...change }), replace, resetScroll: false });
  const milliseconds = (value: number) => number(value, { style: "unit", unit: "millisecond", maximumFractionDigits: 0 });
  const percent = (value: number) => number(value / 100, { style: "percent" });
  const count = (value: number) => number(value);
  // Days that are over do not change any more.
  const last = points?.at(-1);
  const until = last && !last.complete ? last.counted_until : undefined;
  const shared = { days: points ?? [], label: days === 1 ? hour : undefined, onPick: (date: string) => go({ day: date.slice(0, 10) }) };
  const ghost = (of: (day: Day) => number | null): Series | undefined =>
    before && { name: say("usage.earlier"), colour: "text-muted", values: before.map(of) };
  return (
    <>
      <Head title={say("nav.usage")} text={say("usage.text")} action={<Button onClick={() => go({ why: "" })}>{say("why.title")}</Button>} />
      <div className="flex flex-wrap gap-x-6 gap-y-2">
        <Tabs
          label={say("usage.range")}
          tabs={RANGES.map((one) => ({
            label: say("usage.days", { days: one }),
            active: one === days,
            search: (now) => ({ ...now, days: one === 30 ? undefined : one }),
          }))}
        />
        <Tabs
          label={say("usage.by")}
          tabs={GROUPS.map((one: Group) => ({
            label: say(`usage.by.${one}`),
            active: one === group,
            search: (now) => ({ ...now, by: one === "service" ? undefined : one }),
          }))}
        />
        <label className="flex min-h-9 items-center gap-2">
          <input
            type="checkbox"
            className="size-4 accent-accent"
            checked={compare}
            onChange={(event) => go({ compare: event.target.checked || undefined }, true)}
          />
          {say("usage.compare")}
        </label>
      </div>
      {error && <Failure what={say("usage.failed")} error={error} retry={again} />}
      <Stale at={at} again={again} />
      {!points && !error && <Loading rows={6} />}
      {points && (
        <>
          <Figures now={totalsOf(points)} before={before && totalsOf(before)} />
          {until && <p className="text-muted">{say("usage.until", { when: exact(until) })}</p>}
          {recent?.partial && <p className="text-muted">{say("usage.partial", { count: number(READ) })}</p>}
          {totalsOf(points).calls === 0 ? (
            <Empty
              text={say("usage.empty")}
              action={
                <Link to="/orgs/$org/keys" params={{ org: id }} className="text-accent underline underline-offset-2">
                  {say("usage.empty.go")}
                </Link>
              }
            />
          ) : (
            <>
              <h2 className="sr-only">{say("usage.charts")}</h2>
              <div className="grid gap-8 lg:grid-cols-2">
                <Chart
                  {...shared}
                  title={say(`usage.calls.${group}`)}
                  kind="bars"
                  series={byGroup(points, group, say("usage.others"), nameOf)}
                  before={ghost((day) => day.requests)}
                  write={count}
                />
                <Chart
                  {...shared}
                  title={say("usage.credits")}
                  kind="bars"
                  series={[{ name: say("usage.credits"), colour: "text-accent", values: points.map((day) => day.credits) }]}
                  before={ghost((day) => day.credits)}
                  write={count}
                />
                <Chart
                  {...shared}
                  title={say("usage.success")}
                  kind="lines"
                  top={100}
                  series={[{ name: say("usage.success"), colour: "text-good", values: points.map((day) => day.success_rate) }]}
                  before={ghost((day) => day.success_rate)}
                  write={percent}
                />
                <Chart
                  {...shared}
                  title={say("usage.speed")}
                  kind="lines"
                  series={[
                    { name: say("usage.p50"), colour: "text-accent", values: points.map((day) => day.p50_ms) },
                    { name: say("usage.p95"), colour: "text-mileage", values: points.map((day) => day.p95_ms) },
                  ]}
                  write={milliseconds}
                />
              </div>
              <Groups days={points} before={before} group={group} entries={recent?.entries} nameOf={nameOf} />
            </>
          )}
        </>
      )}
      {/* Once what stands above has its height. */}
      {(points || error) && (
        <Calls
          org={id}
          day={search.day}
          keyId={search.key}
          nameOf={keyName}
          onOpen={(receipt) => go({ why: receipt })}
          onClear={() => go({ day: undefined, key: undefined })}
        />
      )}
      {search.why !== undefined && (
        <Suspense>
          <Why org={id} text={search.why} onSearch={(why) => go({ why })} onClose={() => go({ why: undefined }, true)} />
        </Suspense>
      )}
    </>
  );
}
