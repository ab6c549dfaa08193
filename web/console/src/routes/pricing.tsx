import type { Catalogue } from "@consigne/client";
import { useConsigne } from "@consigne/react";
import { useQuery } from "@tanstack/react-query";

import { useSession } from "../session.tsx";
import { KIND_WORDS } from "../ui/kinds.ts";
import { Failure, Head, Loading, State } from "../ui/states.tsx";
import { CATALOGUE_LANGUAGE } from "../ui/words.ts";
import { useWords } from "../words.ts";

/** What everything costs, from the catalogue. */
export function Pricing() {
  const { client, queries, keys } = useConsigne();
  const { say } = useWords();
  const catalogue = useQuery({ queryKey: [...keys.all, "catalogue"], queryFn: ({ signal }) => client.catalogue({ signal }) }, queries);
  return (
    <>
      <Head title={say("nav.pricing")} text={say("pricing.text")} />
      {catalogue.error && <Failure what={say("pricing.failed")} error={catalogue.error} retry={() => void catalogue.refetch()} />}
      {catalogue.isPending && <Loading rows={6} />}
      {catalogue.data && (
        <>
          <Plans plans={catalogue.data.plans} />
          <div className="grid gap-8 lg:grid-cols-2">
            <Services services={catalogue.data.services} />
            <Packs packs={catalogue.data.packs} />
          </div>
        </>
      )}
    </>
  );
}

/** The plans beside each other: a row for each limit. */
function Plans({ plans }: Pick<Catalogue, "plans">) {
  const { me } = useSession();
  const { say, number, bytes } = useWords();
  const kinds = Object.keys(plans[0]?.generations ?? {}).filter((kind) => kind in KIND_WORDS);
  const rows: [label: string, values: string[]][] = [
    [say("pricing.storage"), plans.map((plan) => bytes(plan.storage_bytes))],
    [say("pricing.orgs"), plans.map((plan) => number(plan.organisations))],
    [say("pricing.reads"), plans.map((plan) => number(plan.reads_per_minute))],
    [say("pricing.writes"), plans.map((plan) => number(plan.writes_per_minute))],
    ...kinds.map((kind): [string, string[]] => [
      say("pricing.jobs", { kind: say(KIND_WORDS[kind] ?? "kind.other") }),
      plans.map((plan) => number(plan.generations[kind] ?? 0)),
    ]),
  ];
  return (
    <section className="grid gap-3">
      <h2 className="text-base font-semibold">{say("pricing.plans")}</h2>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: the arrow keys move a table that is wider than a phone. */}
      <section className="overflow-x-auto" tabIndex={0} aria-label={say("pricing.plans")}>
        <table className="grid-table first-column-stays min-w-[440px]">
          <thead>
            <tr>
              <th scope="col">{say("pricing.limit")}</th>
              {plans.map((plan) => (
                <th key={plan.name} scope="col" className="num">
                  {plan.name}
                  {plan.name === me.subscription && (
                    <div>
                      <State tone="good">{say("pricing.yours")}</State>
                    </div>
                  )}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map(([label, values]) => (
              <tr key={label}>
                <th scope="row">{label}</th>
                {values.map((value, index) => (
                  <td key={plans[index]?.name} className="num">
                    {value}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </section>
    </section>
  );
}

function Services({ services }: Pick<Catalogue, "services">) {
  const { say, number, locale } = useWords();
  return (
    <section className="grid content-start gap-3">
      <h2 className="text-base font-semibold">{say("pricing.services")}</h2>
      {locale !== CATALOGUE_LANGUAGE && <p className="text-muted">{say("pricing.english")}</p>}
      <ul className="border-t border-line">
        {services.map((service) => (
          <li key={service.name} className="flex gap-3 border-b border-line py-2">
            <div className="grow">
              <p className="font-medium">
                <span lang={CATALOGUE_LANGUAGE}>{service.display_name}</span>{" "}
                {!service.is_active && <span className="font-normal text-muted">({say("pricing.closed")})</span>}
              </p>
              <p lang={CATALOGUE_LANGUAGE} className="text-muted">
                {service.description}
              </p>
            </div>
            <span className="whitespace-nowrap">
              {say("pricing.credits", { count: service.base_cost_per_call, shown: number(service.base_cost_per_call) })}
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Packs({ packs }: Pick<Catalogue, "packs">) {
  const { say, number, money } = useWords();
  return (
    <section className="grid content-start gap-3">
      <h2 className="text-base font-semibold">{say("packs.title")}</h2>
      <table className="grid-table">
        <thead>
          <tr>
            <th scope="col">{say("payments.credits")}</th>
            <th scope="col" className="num">
              {say("pricing.price")}
            </th>
            <th scope="col" className="num">
              {say("pricing.each")}
            </th>
          </tr>
        </thead>
        <tbody>
          {packs.map((pack) => (
            <tr key={pack.name}>
              <td>{number(pack.credits)}</td>
              <td className="num">{money(pack.amount, pack.currency)}</td>
              <td className="num">{money((pack.amount / pack.credits) * 1000, pack.currency)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
