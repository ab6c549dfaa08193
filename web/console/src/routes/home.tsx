import { useConsigne, useKeys, useUsage } from "@consigne/react";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";

import { may } from "../roles.ts";
import { lastOrg, useSession } from "../session.tsx";
import { Button } from "../ui/Button.tsx";
import { CreateOrg } from "../ui/CreateOrg.tsx";
import { Failure, Head, Loading } from "../ui/states.tsx";
import { type MessageId, useWords } from "../words.ts";

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
  const called = (wallet.data?.total_used ?? 0) > 0 || keys.keys.some((key) => key.last_used_at !== null);
  const failed = error ?? keys.error ?? wallet.error;
  const link = "text-accent underline underline-offset-2";
  return (
    <>
      <Head title={say("home.title", { name: me.first_name ?? me.full_name ?? "" })} text={say("home.text")} />
      {failed && <Failure what={say("home.failed")} error={failed} retry={() => void Promise.all([refresh(), keys.refresh(), wallet.refetch()])} />}
      {loading ? (
        <Loading rows={3} />
      ) : (
        <ol className="max-w-2xl border-t border-line">
          <Step done={(storage?.totalFiles ?? 0) > 0} title="home.upload" text="home.upload.text">
            <Link to="/files" className={link}>
              {say("home.upload.go")}
            </Link>
          </Step>
          <Step done={keys.keys.length > 0} title="home.key" text="home.key.text">
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
              <Link to="/orgs/$org/usage" params={{ org: org.id }} className={link}>
                {say("home.call.go")}
              </Link>
            )}
          </Step>
        </ol>
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
