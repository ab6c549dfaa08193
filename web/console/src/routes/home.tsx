import { useConsigne, useKeys } from "@consigne/react";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type ReactNode, useEffect, useRef, useState } from "react";

import { Overview } from "../home/Overview.tsx";
import { paceOf } from "../home/overview.ts";
import { homeQueries } from "../home/queries.ts";
import { Migration } from "../keys/Migration.tsx";
import { may } from "../roles.ts";
import { lastOrg, useSession } from "../session.tsx";
import { Button } from "../ui/Button.tsx";
import { CreateOrg } from "../ui/CreateOrg.tsx";
import { Failure, Head, Loading } from "../ui/states.tsx";
import { type MessageId, useWords } from "../words.ts";

/** Milliseconds between two looks at what was done elsewhere. */
const LOOK = 5_000;

export { warm } from "../home/queries.ts";

/** The first page: three steps that tick themselves, and once they are done what there is to know today. */
export function Home() {
  const { me, orgs } = useSession();
  const { say } = useWords();
  const consigne = useConsigne();
  const { queries, keys: at } = consigne;
  const org = lastOrg(orgs);
  const builds = org !== undefined && may(org.role, "keys.see");
  const id = org?.id ?? "";
  const keys = useKeys(builds ? org.id : null);
  const read = homeQueries(consigne, id);
  const enabled = org !== undefined;
  const files = useQuery(read.files, queries);
  const wallet = useQuery({ ...read.wallet, enabled }, queries);
  const days = useQuery({ ...read.days, enabled }, queries);
  const endpoints = useQuery({ ...read.endpoints, enabled: org !== undefined && may(org.role, "webhooks.see") }, queries);
  const [creating, setCreating] = useState(false);
  const uploaded = (files.data?.total ?? 0) > 0;
  // Whoever sees no keys sees what they spend.
  const called = (wallet.data?.total_used ?? 0) > 0 || keys.keys.some((key) => key.last_used_at !== null);
  const made = keys.keys.length > 0 || (!builds && called);
  const all = uploaded && made && called;
  const loading = files.isPending || keys.loading || (org !== undefined && wallet.isPending);
  const rest = days.isLoading || endpoints.isLoading;
  const reads = [files, keys, wallet, days, endpoints];
  const failed = reads.find(({ error }) => error)?.error;
  // Whether a step was taken is not known while what it shows in could not be read.
  const unknown = [files, keys, wallet].some(({ error }) => error);
  // Whoever takes the last step here sees it ticked.
  const open = useRef(false);
  if (!loading && !unknown && !all) open.current = true;
  const steps = open.current || (!all && !unknown);
  useEffect(() => {
    if (all || unknown) return;
    // A step that was taken elsewhere, such as a call in a terminal, ticks itself here.
    const timer = setInterval(() => {
      if (document.visibilityState !== "visible") return;
      for (const key of [at.usage, at.keys(id), [...at.all, "wallet", id]]) void queries.invalidateQueries({ queryKey: key });
    }, LOOK);
    return () => clearInterval(timer);
  }, [all, unknown, queries, at, id]);
  const again = () => {
    void files.refetch();
    for (const read of org ? [wallet, days] : []) void read.refetch();
    for (const read of builds ? [keys.refresh, endpoints.refetch] : []) void read();
  };
  const link = "text-accent underline underline-offset-2";
  return (
    <>
      <Head title={say("home.title", { name: me.first_name ?? me.full_name ?? "" })} />
      {failed && <Failure what={say("home.failed")} error={failed} retry={again} />}
      {org && builds && may(org.role, "keys.change") && <Migration org={org.id} keys={keys.keys} />}
      {(loading || (!steps && rest)) && <Loading rows={8} />}
      {!loading && steps && (
        <section className="grid gap-3">
          <h2 className="text-base font-semibold">{say("home.steps")}</h2>
          <p className="text-muted">{say("home.text")}</p>
          <ol className="max-w-2xl border-t border-line">
            <Step done={uploaded} title="home.upload" text="home.upload.text">
              <Link to="/files" className={link}>
                {say("home.upload.go")}
              </Link>
            </Step>
            <Step done={made} title="home.key" text="home.key.text">
              {org ? (
                builds && (
                  <Link to="/orgs/$org/keys" params={{ org: org.id }} search={{ create: true }} className={link}>
                    {say("home.key.go")}
                  </Link>
                )
              ) : (
                <Button onClick={() => setCreating(true)}>{say("org.create")}</Button>
              )}
            </Step>
            <Step done={called} title="home.call" text="home.call.text">
              {org && (
                <Link to="/playground" className={link}>
                  {say("home.call.go")}
                </Link>
              )}
            </Step>
          </ol>
          {all && <p role="status">{say("home.all")}</p>}
        </section>
      )}
      {!loading && !rest && (uploaded || made || called) && (
        <Overview
          org={org}
          wallet={wallet.data}
          keys={keys.keys}
          endpoints={endpoints.data ?? []}
          pace={days.data && wallet.data && paceOf(days.data, wallet.data.balance, read.today)}
          files={files.data}
        />
      )}
      {creating && <CreateOrg onClose={() => setCreating(false)} />}
    </>
  );
}

function Step({ done, title, text, children }: { done: boolean; title: MessageId; text: MessageId; children: ReactNode }) {
  const { say } = useWords();
  return (
    <li className="flex gap-3 border-b border-line py-4">
      <span
        aria-hidden="true"
        className={`mt-0.5 grid size-5 shrink-0 place-content-center rounded-full border text-xs ${done ? "border-good text-good" : "border-control"}`}
      >
        {done ? "✓" : ""}
      </span>
      <div className="grid gap-1">
        <h3 className="font-medium">
          {say(title)}
          <span className="sr-only"> {say(done ? "home.done" : "home.todo")}</span>
        </h3>
        {!done && <p className="text-muted">{say(text)}</p>}
        {!done && <div>{children}</div>}
      </div>
    </li>
  );
}
