import { useConsigne, useKeys } from "@consigne/react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { may } from "../roles.ts";
import { lastOrg, useSession } from "../session.tsx";
import { Button } from "../ui/Button.tsx";
import { Code } from "../ui/Copy.tsx";
import { Choice, Field, TextArea, TextInput } from "../ui/Field.tsx";
import { Failure, Head, Loading, State } from "../ui/states.tsx";
import { useWork } from "../ui/useWork.ts";
import { CATALOGUE_LANGUAGE } from "../ui/words.ts";
import { Checks, Verdict } from "../why/Checks.tsx";
import { useWords } from "../words.ts";
import { curlOf, type Draft, METHODS, type Outcome, scopeOf, send } from "./playground.request.ts";

/** Calls a service through the gateway with a key that is typed here and kept nowhere. */
export function Playground() {
  const { client, queries, keys } = useConsigne();
  const { config } = useSession();
  const { say, number } = useWords();
  const catalogue = useQuery({ queryKey: [...keys.all, "catalogue"], queryFn: ({ signal }) => client.catalogue({ signal }) }, queries);
  const [draft, setDraft] = useState<Draft>({ service: "pdf", method: "GET", path: "documents/1", key: "", body: "" });
  const [outcome, setOutcome] = useState<Outcome>();
  const [asked, setAsked] = useState<Draft>();
  const set = (change: Partial<Draft>) => setDraft((before) => ({ ...before, ...change }));
  const { busy, failure, run } = useWork(async () => {
    setOutcome(undefined);
    setAsked(draft);
    setOutcome(await send(config.apiUrl, draft));
  });
  const services = catalogue.data?.services.filter((service) => service.is_active) ?? [];
  const cost = services.find(({ name }) => name === draft.service)?.base_cost_per_call;
  return (
    <>
      <Head title={say("nav.playground")} text={say("play.text")} />
      {catalogue.error && <Failure what={say("pricing.failed")} error={catalogue.error} retry={() => void catalogue.refetch()} />}
      {catalogue.isPending && <Loading />}
      {catalogue.data && (
        <div className="grid gap-8 lg:grid-cols-2">
          <form className="grid content-start gap-4" onSubmit={run}>
            <Field label={say("play.key")} hint={say("play.key.hint")}>
              <TextInput type="password" required mono value={draft.key} onChange={(key) => set({ key: key.trim() })} placeholder="sk_test_..." />
            </Field>
            <div className="grid grid-cols-[minmax(0,1fr)_7rem] gap-3">
              <Field label={say("play.service")}>
                <Choice
                  lang={CATALOGUE_LANGUAGE}
                  value={draft.service}
                  options={services.map(({ name, display_name }) => [name, display_name])}
                  onChange={(service) => set({ service })}
                />
              </Field>
              <Field label={say("play.method")}>
                <Choice value={draft.method} options={METHODS.map((method) => [method, method])} onChange={(method) => set({ method })} />
              </Field>
            </div>
            <Field label={say("play.path")}>
              <TextInput mono required value={draft.path} onChange={(path) => set({ path })} />
            </Field>
            {draft.method !== "GET" && (
              <Field label={say("play.body")}>
                <TextArea value={draft.body} onChange={(body) => set({ body })} />
              </Field>
            )}
            <div className="flex flex-wrap items-center gap-3">
              <Button primary type="submit" busy={busy}>
                {say("play.send")}
              </Button>
              {cost !== undefined && <span className="text-muted">{say("pricing.credits", { count: cost, shown: number(cost) })}</span>}
            </div>
            <Code label={say("play.curl")} text={curlOf(config.apiUrl, draft)} />
          </form>
          <section aria-label={say("play.answer")} aria-live="polite" className="grid content-start gap-3">
            <h2 className="text-base font-semibold">{say("play.answer")}</h2>
            {failure !== undefined && <Failure what={say("play.failed")} error={failure} />}
            {outcome?.refusal && <Refused outcome={outcome} draft={asked ?? draft} />}
            {outcome ? <Answer outcome={outcome} /> : <p className="text-muted">{say("play.none")}</p>}
          </section>
        </div>
      )}
    </>
  );
}

function Answer({ outcome }: { outcome: Outcome }) {
  const { say, number, relative } = useWords();
  const { status, milliseconds, remaining, requestId, retryAfter, text } = outcome;
  return (
    <>
      <p className="flex flex-wrap gap-x-4 gap-y-1">
        <State tone={status < 400 ? "good" : "bad"}>{say("deliveries.answer", { status })}</State>
        <span>{say("deliveries.took", { ms: number(milliseconds) })}</span>
        {remaining !== null && <span>{say("play.remaining", { count: number(remaining) })}</span>}
        {retryAfter !== null && <span>{say("failure.after", { when: relative(Date.now() + retryAfter * 1000) })}</span>}
      </p>
      {requestId && (
        <p className="text-muted">
          {say("failure.request")} <code className="font-mono text-xs">{requestId}</code>
        </p>
      )}
      <Code label={say("play.body")} text={text} />
    </>
  );
}

/** What refused a call: the limiter and its numbers at this moment, when it lifts, and what to do. */
function Refused({ outcome, draft }: { outcome: Outcome; draft: Draft }) {
  const { say } = useWords();
  const { orgs } = useSession();
  const org = lastOrg(orgs);
  const sees = org !== undefined && may(org.role, "keys.see");
  const { keys } = useKeys(sees ? org.id : null);
  const { refusal } = outcome;
  // The text of a key names no organisation: it is found by its end among those of the organisation that is looked at.
  const key = keys.find((one) => draft.key.startsWith(`${one.prefix}_`) && draft.key.endsWith(one.hint));
  if (!refusal) return null;
  return (
    <section aria-label={say("why.refused")} className="grid gap-3">
      <h3 className="font-medium">{say("why.refused")}</h3>
      <Verdict org={org?.id} code={refusal.code} lifts={refusal.resetsAt} />
      {org && key && <Checks key={outcome.requestId} org={org.id} shown={key} scope={scopeOf(draft)} refused={refusal.limiter} verdict={false} />}
    </section>
  );
}
