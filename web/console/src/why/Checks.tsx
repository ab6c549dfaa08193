import type { KeyView, RefusalCode } from "@consigne/client";
import { useConsigne } from "@consigne/react";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";

import { useOrg, useSession } from "../session.tsx";
import { Choice, Field } from "../ui/Field.tsx";
import { Failure, Loading, State } from "../ui/states.tsx";
import { useWords } from "../words.ts";
import { type Check, checksOf, type LimiterName, type Refusal } from "./verdict.ts";

/** The wallet of an organisation, as all pages read it. */
export function useWallet(org: string) {
  const { client, queries, keys } = useConsigne();
  return useQuery({ queryKey: [...keys.all, "wallet", org], queryFn: ({ signal }) => client.credits.wallet(org, { signal }) }, queries);
}

/** What there is to call, as all pages read it. */
export function useCatalogue() {
  const { client, queries, keys } = useConsigne();
  return useQuery({ queryKey: [...keys.all, "catalogue"], queryFn: ({ signal }) => client.catalogue({ signal }) }, queries);
}

interface Props {
  org: string;
  shown: KeyView;
  /** The scope of the call that is asked about; the person can choose another one. */
  scope?: string | undefined;
  /** What refused the call, if that is known. */
  refused?: LimiterName | null | undefined;
  /** Whether it is said what a call would meet; false where that was said already. */
  verdict?: boolean;
}

/** What each limiter would say of a call with a key now: its numbers, when it lifts, and what to do about the first that refuses. */
export function Checks({ org, shown, scope: asked, refused, verdict = true }: Props) {
  const { me } = useSession();
  const { say } = useWords();
  const wallet = useWallet(org);
  const catalogue = useCatalogue();
  const [chosen, setChosen] = useState(asked ?? shown.scopes[0] ?? "");
  if (wallet.error ?? catalogue.error) {
    const again = () => void Promise.all([wallet.refetch(), catalogue.refetch()]);
    return <Failure what={say("why.failed")} error={wallet.error ?? catalogue.error} retry={again} />;
  }
  if (!wallet.data || !catalogue.data) return <Loading rows={3} />;
  const service = catalogue.data.services.find(({ scopes }) => scopes.includes(chosen));
  const call = { scope: chosen || null, cost: service?.base_cost_per_call ?? 1 };
  const mine = shown.created_by === me.user_id;
  const checks = checksOf(shown, wallet.data, call, mine);
  const first = checks.find(({ code }) => code !== null);
  const scopes = [...new Set([...shown.scopes, ...catalogue.data.scopes])];
  return (
    <div className="grid gap-3">
      <Field label={say("why.scope")}>
        <Choice value={chosen} options={scopes.map((one) => [one, one])} onChange={setChosen} />
      </Field>
      {!verdict ? null : first?.code ? (
        <Verdict org={org} code={first.code} lifts={first.lifts} />
      ) : (
        <p>
          <State tone="good">
            <span className="whitespace-normal">{say("why.passes")}</span>
          </State>
        </p>
      )}
      <Table checks={checks} refused={refused} owner={shown.created_by_name ?? shown.created_by} />
    </div>
  );
}

/** Why a call is refused, until when, and what to do. */
export function Verdict({ org, code, lifts }: { org: string | undefined; code: RefusalCode; lifts: Refusal["resetsAt"] }) {
  const { say, relative, exact } = useWords();
  const role = useOrg(org ?? "")?.role;
  const lower = code.toLowerCase() as Lowercase<RefusalCode>;
  return (
    <div className="grid gap-1 border-s-2 border-bad ps-3">
      <p className="font-medium">
        <span aria-hidden="true" className="text-bad">
          ✕{" "}
        </span>
        {say(`why.code.${lower}`)}
      </p>
      <p>{lifts ? <span title={exact(lifts)}>{say("why.lifts", { when: relative(lifts), exact: exact(lifts) })}</span> : say("why.stays")}</p>
      <p>
        {say(`why.do.${lower}`)}{" "}
        {code === "INSUFFICIENT_CREDITS" && org && role && (
          <Link to="/orgs/$org/wallet" params={{ org }} className="text-accent underline underline-offset-2">
            {say("why.wallet")}
          </Link>
        )}
      </p>
      <p className="font-mono text-xs text-muted">{code}</p>
    </div>
  );
}

function Table({ checks, refused, owner }: { checks: Check[]; refused: LimiterName | null | undefined; owner: string }) {
  const { say, number } = useWords();
  const numbers = ({ name, have, of, unknown }: Check) => {
    if (unknown) return say("why.unknown", { name: owner });
    if (have === undefined) return "";
    if (name === "credits") return say("why.credits", { have: number(have), of: number(of ?? 0) });
    return of === null || of === undefined
      ? say("why.unlimited", { have: number(have) })
      : say("keys.used.of", { count: number(have), quota: number(of) });
  };
  return (
    <table className="grid-table">
      <caption className="sr-only">{say("why.table")}</caption>
      <thead>
        <tr>
          <th scope="col">{say("why.limiter")}</th>
          <th scope="col" className="num">
            {say("why.numbers")}
          </th>
          <th scope="col">{say("why.says")}</th>
        </tr>
      </thead>
      <tbody>
        {checks.map((check) => (
          <tr key={check.name}>
            <th scope="row">
              {say(`why.limiter.${check.name}`)}
              {refused === check.name && <div className="text-xs text-bad">{say("why.this")}</div>}
            </th>
            <td className="num">
              <span className="whitespace-normal">{numbers(check)}</span>
            </td>
            <td>
              <State tone={check.unknown ? "plain" : check.code ? "bad" : "good"}>
                {say(check.unknown ? "why.open" : check.code ? "why.refuses" : "why.lets")}
              </State>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
