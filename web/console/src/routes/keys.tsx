import type { IssuedKey } from "@consigne/client";
import { useConsigne, useKeys } from "@consigne/react";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useEffect, useState } from "react";

import { CreateKey } from "../keys/CreateKey.tsx";
import { exampleCall, masked } from "../keys/form.ts";
import { Countdown, KeyPanel, KeyState } from "../keys/KeyPanel.tsx";
import { Migration } from "../keys/Migration.tsx";
import { RevealKey } from "../keys/RevealKey.tsx";
import { may } from "../roles.ts";
import { KEY_STATES, type KeysSearch } from "../router.tsx";
import { useOrg, useSession } from "../session.tsx";
import { Button } from "../ui/Button.tsx";
import { Code } from "../ui/Copy.tsx";
import { OfOrg } from "../ui/Frame.tsx";
import { Stale } from "../ui/Stale.tsx";
import { Empty, Failure, Head, Loading, State, Time } from "../ui/states.tsx";
import { useWords } from "../words.ts";

/** The API keys of an organisation. */
export function Keys() {
  const { org } = useParams({ from: "/orgs/$org/keys" });
  const { say } = useWords();
  return (
    <OfOrg id={org} right="keys.see" title={say("nav.keys")}>
      <List id={org} key={org} />
    </OfOrg>
  );
}

function List({ id }: { id: string }) {
  const { say } = useWords();
  const { config } = useSession();
  const org = useOrg(id);
  const search = useSearch({ from: "/orgs/$org/keys" });
  const navigate = useNavigate({ from: "/orgs/$org/keys" });
  const { queries, keys: at } = useConsigne();
  const keys = useKeys(id);
  // The text of a new key is here and nowhere else: not in the address, the history, a cache or a storage.
  const [issued, setIssued] = useState<IssuedKey>();
  const go = (change: Partial<KeysSearch>, replace = false) => void navigate({ search: (before: KeysSearch) => ({ ...before, ...change }), replace });

  const mayChange = org !== undefined && may(org.role, "keys.change");
  const shown = keys.keys.filter(
    (key) => search.status === undefined || key.status === search.status || (search.status === "active" && key.status === "suspended"),
  );
  const open = keys.keys.find((key) => key.id === search.key);
  const create = mayChange && (
    <Button primary onClick={() => go({ create: true })}>
      {say("keys.create")}
    </Button>
  );
  // The key of the address may be on a later page.
  const { hasMore, loadMore, loading } = keys;
  const missing = search.key !== undefined && !open && !loading;
  const count = keys.keys.length;
  useEffect(() => {
    void count;
    if (missing && hasMore) void loadMore();
  }, [missing, hasMore, loadMore, count]);
  const reveal = (key: IssuedKey) => {
    setIssued(key);
    go({ create: undefined, key: undefined }, true);
  };
  return (
    <>
      <Head title={say("nav.keys")} text={say("keys.text")} action={create} />
      {mayChange && <Migration org={id} keys={keys.keys} />}
      {keys.error && <Failure what={say("keys.failed")} error={keys.error} retry={() => void keys.refresh()} />}
      <Stale at={queries.getQueryState(at.keys(id))?.dataUpdatedAt} again={() => void keys.refresh()} />
      {keys.loading && <Loading />}
      {missing && !hasMore && !issued && <p role="status">{say("keys.gone")}</p>}
      {!keys.loading && !keys.error && keys.keys.length === 0 && (
        <Empty text={say("keys.empty")}>
          <Code label={say("keys.empty.example")} text={exampleCall(config.apiUrl, "sk_test_...", ["pdf:read"])} />
        </Empty>
      )}
      {keys.keys.length > 0 && (
        <section className="grid gap-3">
          <nav aria-label={say("keys.status")} className="flex flex-wrap gap-1">
            {[undefined, ...KEY_STATES].map((status) => (
              <Link
                key={status ?? "all"}
                from="/orgs/$org/keys"
                search={(before: KeysSearch) => ({ ...before, status })}
                aria-current={search.status === status ? "true" : undefined}
                className={`rounded-md px-3 py-1.5 hover:bg-hover ${search.status === status ? "bg-hover font-medium" : "text-muted"}`}
                activeProps={{ "aria-current": search.status === status ? "true" : undefined }}
              >
                {say(status ? `keys.status.${status}` : "all")}
              </Link>
            ))}
          </nav>
          {shown.length === 0 ? (
            <p className="border-t border-line py-6 text-muted">{say("keys.none")}</p>
          ) : (
            <Table keys={shown} onOpen={(key) => go({ key })} />
          )}
          {keys.hasMore && (
            <div>
              <Button onClick={() => void keys.loadMore()}>{say("more")}</Button>
            </div>
          )}
        </section>
      )}
      {search.create && mayChange && !issued && <CreateKey issue={keys.issue} onIssued={reveal} onClose={() => go({ create: undefined }, true)} />}
      {open && !issued && org && (
        <KeyPanel
          key={open.id}
          org={id}
          shown={open}
          keys={keys}
          mayChange={mayChange}
          mayDelete={may(org.role, "keys.delete")}
          mayAudit={may(org.role, "audit.see")}
          onIssued={reveal}
          onClose={() => go({ key: undefined }, true)}
        />
      )}
      {issued && <RevealKey issued={issued} onStored={() => setIssued(undefined)} />}
    </>
  );
}

function Table({ keys, onOpen }: { keys: ReturnType<typeof useKeys>["keys"]; onOpen(id: string): void }) {
  const { say, number } = useWords();
  return (
    <div className="overflow-x-auto">
      <table className="grid-table">
        <thead>
          <tr>
            <th scope="col">{say("keys.name")}</th>
            <th scope="col" className="hidden sm:table-cell">
              {say("keys.key")}
            </th>
            <th scope="col" className="hidden lg:table-cell">
              {say("keys.scopes")}
            </th>
            <th scope="col" className="num hidden md:table-cell">
              {say("keys.month")}
            </th>
            <th scope="col" className="hidden md:table-cell">
              {say("keys.last")}
            </th>
            <th scope="col">{say("keys.status")}</th>
          </tr>
        </thead>
        <tbody>
          {keys.map((key) => (
            <tr key={key.id}>
              <td>
                <button type="button" className="text-start font-medium underline-offset-2 hover:underline" onClick={() => onOpen(key.id)}>
                  {key.name}
                </button>
                {key.environment === "test" && <span className="ms-2 text-xs text-muted">{say("keys.test")}</span>}
                <div className="whitespace-nowrap font-mono text-xs text-muted sm:hidden">{masked(key)}</div>
              </td>
              <td className="hidden whitespace-nowrap font-mono text-xs sm:table-cell">{masked(key)}</td>
              <td className="hidden font-mono text-xs lg:table-cell">{key.scopes.join(" ")}</td>
              <td className="num hidden md:table-cell">
                {number(key.monthly_used)}
                {key.monthly_quota !== null && <span className="text-muted"> / {number(key.monthly_quota)}</span>}
              </td>
              <td className="hidden md:table-cell">
                {key.last_used_at ? <Time at={key.last_used_at} /> : <span className="text-muted">{say("keys.never")}</span>}
              </td>
              <td>
                <KeyState shown={key} />
                {key.previous_valid_until && Date.parse(key.previous_valid_until) > Date.now() && (
                  <div className="text-xs text-muted">
                    <Countdown until={key.previous_valid_until} />
                  </div>
                )}
                {key.legacy && (
                  <div className="text-xs">
                    <State tone="warn">{say("keys.legacy")}</State>
                  </div>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
