import { changeOf, type Totals } from "../charts/days.ts";
import { useWords } from "../words.ts";

/** The figures of a range, beside those of the period before. */
export function Figures({ now, before }: { now: Totals; before: Totals | undefined }) {
  const { say, number } = useWords();
  const percent = (value: number) => number(value / 100, { style: "percent" });
  const signed = (share: number) => number(share, { style: "percent", signDisplay: "exceptZero", maximumFractionDigits: 0 });
  const counted = (name: "calls" | "credits") => {
    const change = before && changeOf(now[name], before[name]);
    return before && say("usage.before", { before: number(before[name]), change: change === null || change === undefined ? "–" : signed(change) });
  };
  const points =
    before && now.success !== null && before.success !== null
      ? say("usage.before", { before: percent(before.success), change: number(now.success - before.success, { signDisplay: "exceptZero" }) })
      : before && say("usage.before.none");
  return (
    <dl className="grid grid-cols-2 gap-4 border-y border-line py-4 sm:grid-cols-3">
      <Figure label={say("usage.calls")} value={number(now.calls)} before={counted("calls")} />
      <Figure label={say("usage.credits")} value={number(now.credits)} before={counted("credits")} />
      <Figure label={say("usage.success")} value={now.success === null ? say("chart.none") : percent(now.success)} before={points} />
    </dl>
  );
}

function Figure({ label, value, before }: { label: string; value: string; before: string | undefined }) {
  return (
    <div>
      <dt className="text-muted">{label}</dt>
      <dd className="text-lg font-semibold">{value}</dd>
      {before && <dd className="text-muted">{before}</dd>}
    </div>
  );
}
