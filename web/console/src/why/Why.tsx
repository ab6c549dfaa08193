import type { ConsigneClient, KeyView, UsageEntry } from "@consigne/client";
import { useConsigne, useKeys } from "@consigne/react";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type FormEvent, type ReactNode, useEffect, useState } from "react";

import { masked } from "../keys/form.ts";
import { may } from "../roles.ts";
import { useOrg } from "../session.tsx";
import { Button } from "../ui/Button.tsx";
import { Actions, Dialog } from "../ui/Dialog.tsx";
import { Field, TextInput } from "../ui/Field.tsx";
import { Failure, Loading, State, Time } from "../ui/states.tsx";
import { useWords } from "../words.ts";
import { Checks, useCatalogue } from "./Checks.tsx";
import { addressOf, findKey, type Sought, soughtOf } from "./verdict.ts";

/** Most receipts that are looked through for one of them. The API finds them by day or by key only. */
const LOOKED = 20_000;
const PAGE = 1_000;

/** Looks for a receipt in the log, newest first. Returns null if it is not among the calls that are looked through. */
export async function findReceipt(client: ConsigneClient, org: string, id: string, signal?: AbortSignal): Promise<UsageEntry | null> {
  let looked = 0;
  for await (const entry of client.credits.usage(org, { limit: PAGE }, { signal })) {
    if (entry.receipt_id === id) return entry;
    looked += 1;
    if (looked >= LOOKED) break;
  }
  return null;
}

interface Props {
  org: string;
  /** What is looked for, as in the address; empty at first. */
  text: string;
  onSearch(text: string): void;
  onClose(): void;
}

/** Why a call was refused: found by the id of its receipt, or by its key. */
export function Why({ org, text, onSearch, onClose }: Props) {
  const { say } = useWords();
  const [typed, setTyped] = useState(text);
  useEffect(() => setTyped(text), [text]);
  const search = (event: FormEvent) => {
    event.preventDefault();
    // A key's text stays here: the address gets its end alone.
    const kept = addressOf(soughtOf(typed));
    setTyped(kept);
    onSearch(kept);
  };
  const sought = text === "" ? undefined : soughtOf(text);
  return (
    <Dialog title={say("why.title")} onClose={onClose} drawer>
      <form className="flex items-end gap-2" onSubmit={search}>
        <div className="min-w-0 grow">
          <Field label={say("why.search")}>
            <TextInput required mono value={typed} onChange={setTyped} />
          </Field>
        </div>
        <Button type="submit">{say("why.look")}</Button>
      </form>
      {!sought && <p className="text-muted">{say("why.hint")}</p>}
      {sought &&
        ("receipt" in sought ? <OfReceipt key={sought.receipt} org={org} id={sought.receipt} /> : <OfKey key={text} org={org} sought={sought} />)}
      <Actions onClose={onClose} />
    </Dialog>
  );
}

/** Finds a key among all keys of the organisation, those on later pages included. */
function useKey(org: string, sought: Sought | undefined): { found: KeyView | undefined; looking: boolean; error: unknown; again(): void } {
  const role = useOrg(org)?.role;
  const sees = role !== undefined && may(role, "keys.see");
  const { keys, loading, error, hasMore, loadMore, refresh } = useKeys(sees && sought ? org : null);
  const found = sought && findKey(keys, sought);
  const next = sought !== undefined && !found && !loading && hasMore;
  const count = keys.length;
  useEffect(() => {
    void count;
    if (next) void loadMore();
  }, [next, loadMore, count]);
  return { found, looking: loading || next, error, again: () => void refresh() };
}

function OfKey({ org, sought, scope, told = true }: { org: string; sought: Sought; scope?: string | undefined; told?: boolean }) {
  const { say } = useWords();
  const role = useOrg(org)?.role;
  const { found, looking, error, again } = useKey(org, sought);
  if (role && !may(role, "keys.see")) return <p>{say("why.role")}</p>;
  if (error) return <Failure what={say("keys.failed")} error={error} retry={again} />;
  if (looking) return <Loading rows={3} />;
  if (!found) return <p role="status">{say("why.nokey")}</p>;
  return (
    <section className="grid gap-3" aria-label={say("why.now")}>
      {told && <p className="text-muted">{say("why.unkept")}</p>}
      <h3 className="text-base font-semibold">
        {say("why.key", { name: found.name })}{" "}
        <Link to="/orgs/$org/keys" params={{ org }} search={{ key: found.id }} className="font-mono text-xs text-accent underline underline-offset-2">
          {masked(found)}
        </Link>
      </h3>
      <Checks org={org} shown={found} scope={scope} />
    </section>
  );
}

function OfReceipt({ org, id }: { org: string; id: string }) {
  const { client, queries, keys } = useConsigne();
  const { say, number } = useWords();
  const receipt = useQuery(
    { queryKey: [...keys.all, "receipt", org, id], queryFn: ({ signal }) => findReceipt(client, org, id, signal), staleTime: 60_000 },
    queries,
  );
  if (receipt.error) return <Failure what={say("why.receipt.failed")} error={receipt.error} retry={() => void receipt.refetch()} />;
  if (receipt.isPending) return <Loading rows={4} />;
  if (!receipt.data) return <p role="status">{say("why.noreceipt", { count: number(LOOKED) })}</p>;
  return <Receipt org={org} entry={receipt.data} />;
}

function Fact({ label, children }: { label: string; children: ReactNode }) {
  return (
    <div className="grid grid-cols-[9rem_minmax(0,1fr)] gap-3 border-b border-line py-2">
      <dt className="text-muted">{label}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** A call that was charged, what came of it, and what its key would meet now. */
function Receipt({ org, entry }: { org: string; entry: UsageEntry }) {
  const { say, number } = useWords();
  const { data: catalogue } = useCatalogue();
  const { found } = useKey(org, { key: entry.key_id });
  const service = catalogue?.services.find(({ name }) => name === entry.service);
  const writes = entry.method !== null && !["GET", "HEAD"].includes(entry.method);
  const scope = service?.scopes.find((one) => one.endsWith(writes ? ":write" : ":read")) ?? service?.scopes[0];
  const status = entry.status_code;
  const story =
    status === null ? "why.receipt.open" : status >= 500 ? "why.receipt.void" : status >= 400 ? "why.receipt.refused" : "why.receipt.good";
  const details = entry.details && Object.keys(entry.details as object).length > 0 ? JSON.stringify(entry.details, null, 2) : "";
  return (
    <section className="grid gap-3" aria-label={say("why.receipt")}>
      <p>
        <State tone={status === null ? "plain" : status < 400 ? "good" : "bad"}>
          <span className="whitespace-normal">{say(story, { status, credits: entry.credits, shown: number(entry.credits) })}</span>
        </State>
      </p>
      <dl className="border-t border-line">
        <Fact label={say("calls.when")}>
          <Time at={entry.timestamp} />
        </Fact>
        <Fact label={say("why.receipt")}>
          <code className="font-mono text-xs">{entry.receipt_id}</code>
        </Fact>
        <Fact label={say("calls.key")}>
          {found ? (
            <Link to="/orgs/$org/keys" params={{ org }} search={{ key: found.id }} className="text-accent underline underline-offset-2">
              {found.name}
            </Link>
          ) : (
            <code className="font-mono text-xs">{entry.key_id}</code>
          )}
        </Fact>
        <Fact label={say("calls.what")}>
          <code className="font-mono text-xs">
            {[entry.method, entry.endpoint ?? entry.service].filter(Boolean).join(" ") || say("calls.unknown")}
          </code>
        </Fact>
        <Fact label={say("calls.status")}>{status === null ? say("calls.open") : say("deliveries.answer", { status })}</Fact>
        <Fact label={say("usage.speed")}>
          {entry.response_ms === null ? say("calls.open") : say("deliveries.took", { ms: number(entry.response_ms) })}
        </Fact>
        <Fact label={say("usage.credits")}>{number(entry.credits)}</Fact>
        <Fact label={say("calls.from")}>{[entry.ip, entry.country].filter(Boolean).join(", ") || say("calls.unknown")}</Fact>
        {entry.user_agent && <Fact label={say("calls.agent")}>{entry.user_agent}</Fact>}
        {details && (
          <Fact label={say("calls.details")}>
            <pre className="whitespace-pre-wrap font-mono text-xs">{details}</pre>
          </Fact>
        )}
      </dl>
      <h3 className="text-base font-semibold">{say("why.now")}</h3>
      <OfKey org={org} sought={{ key: entry.key_id }} scope={scope} told={false} />
    </section>
  );
}
