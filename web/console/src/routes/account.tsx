import { DataExport } from "../account/DataExport.tsx";
import { useSession } from "../session.tsx";
import { KIND_WORDS } from "../ui/kinds.ts";
import { Meter } from "../ui/Meter.tsx";
import { Head, Time } from "../ui/states.tsx";
import { useWords } from "../words.ts";

/** Who is signed in, their plan and its limits. */
export function Account() {
  const { me } = useSession();
  const { say, number, bytes } = useWords();
  const { limits } = me;
  const facts: [label: string, value: string][] = [
    [say("account.name"), me.full_name ?? say("account.unknown")],
    [say("account.email"), me.email ?? say("account.unknown")],
    [say("account.id"), me.user_id],
    [say("account.plan"), me.subscription],
    [say("account.role"), me.role],
    [say("pricing.storage"), bytes(limits.storage_bytes)],
    [say("pricing.reads"), number(limits.reads_per_minute)],
    [say("pricing.writes"), number(limits.writes_per_minute)],
  ];
  return (
    <>
      <Head title={say("nav.account")} text={say("account.text")} />
      <dl className="max-w-2xl border-t border-line">
        {facts.map(([label, value]) => (
          <div key={label} className="grid gap-x-3 border-b border-line py-2 sm:grid-cols-[12rem_minmax(0,1fr)]">
            <dt className="text-muted">{label}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <section className="grid max-w-2xl gap-3">
        <h2 className="text-base font-semibold">{say("account.jobs")}</h2>
        <ul className="grid gap-4 sm:grid-cols-2">
          {Object.entries(limits.generations).map(([kind, { limit, used, resets_at }]) => {
            const name = say(KIND_WORDS[kind] ?? "kind.other");
            return (
              <li key={kind} className="grid gap-1">
                <p className="flex justify-between">
                  <span>{name}</span>
                  <span>{say("account.used", { used: number(used), limit: number(limit) })}</span>
                </p>
                <Meter label={name} percent={limit === 0 ? 0 : (used / limit) * 100} />
                <p className="text-xs text-muted">
                  {say("account.resets")} <Time at={resets_at} />
                </p>
              </li>
            );
          })}
        </ul>
      </section>
      <DataExport />
    </>
  );
}
