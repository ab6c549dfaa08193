import { useConsigne, useKeys, useUsage } from "@consigne/react";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type ReactNode, useEffect, useState } from "react";

import { Migration } from "../keys/Migration.tsx";
import { may } from "../roles.ts";
import { lastOrg, useSession } from "../session.tsx";
import { Button } from "../ui/Button.tsx";
import { CreateOrg } from "../ui/CreateOrg.tsx";
import { Failure, Head, Loading } from "../ui/states.tsx";
import { type MessageId, useWords } from "../words.ts";

/** Milliseconds between two looks at what was done elsewhere. */
const LOOK = 5_000;

/** The first page: three steps that tick themselves. */
export function Home() {
  const { me, orgs } = useSession();
  const { say } = useWords();
  const { client, queries, keys: at } = useConsigne();
  const org = lastOrg(orgs);
  const builds = org !== undefined && may(org.role, "keys.see");
  const { storage, error, loading, refresh } = useUsage();
  const keys = useKeys(builds ? org.id : null);
  const wallet = useQuery(
    {
      queryKey: [...at.all, "wallet", org?.id],
      queryFn: ({ signal }) => client.credits.wallet(org?.id ?? "", { signal }),
      enabled: org !== undefined,
    },
    queries,
  );
  const [creating, setCreating] = useState(false);
  const uploaded = (storage?.totalFiles ?? 0) > 0;
  // Whoever sees no keys sees what they spend.
  const called = (wallet.data?.total_used ?? 0) > 0 || keys.keys.some((key) => key.last_used_at !== null);
  const made = keys.keys.length > 0 || (!builds && called);
  const all = uploaded && made && called;
  useEffect(() => {
    if (all) return;
    // A step that was taken elsewhere, such as a call in a terminal, ticks itself here.
    const timer = setInterval(() => {
      if (document.visibilityState !== "visible") return;
      for (const key of [at.usage, at.keys(org?.id ?? ""), [...at.all, "wallet", org?.id]]) void queries.invalidateQueries({ queryKey: key });
    }, LOOK);
    return () => clearInterval(timer);
  }, [all, queries, at, org?.id]);
  const failed = error ?? keys.error ?? wallet.error;
  const link = "text-accent underline underline-offset-2";
  return (
    <>
      <Head title={say("home.title", { name: me.first_name ?? me.full_name ?? "" })} text={say("home.text")} />
      {failed && <Failure what={say("home.failed")} error={failed} retry={() => void Promise.all([refresh(), keys.refresh(), wallet.refetch()])} />}
      {org && builds && may(org.role, "keys.change") && <Migration org={org.id} keys={keys.keys} />}
      {loading ? (
        <Loading rows={3} />
      ) : (
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
      )}
      {all && <p role="status">{say("home.all")}</p>}
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
        <h2 className="font-medium">
          {say(title)}
          <span className="sr-only"> {say(done ? "home.done" : "home.todo")}</span>
        </h2>
        {!done && <p className="text-muted">{say(text)}</p>}
        {!done && <div>{children}</div>}
      </div>
    </li>
  );
}
