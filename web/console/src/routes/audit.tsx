import type { AuditView } from "@consigne/client";
import { useConsigne, useKeys } from "@consigne/react";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useMemo } from "react";

import type { AuditSearch } from "../router.tsx";
import { useOrg } from "../session.tsx";
import { Button } from "../ui/Button.tsx";
import { OfOrg } from "../ui/Frame.tsx";
import { Id } from "../ui/Id.tsx";
import { More } from "../ui/More.tsx";
import { Stale } from "../ui/Stale.tsx";
import { Empty, Failure, Head, Loading, Time } from "../ui/states.tsx";
import { Tabs } from "../ui/Tabs.tsx";
import { useMore } from "../ui/useMore.ts";
import { useWords } from "../words.ts";

/** Who did what in an organisation. */
export function Audit() {
  const { org } = useParams({ from: "/orgs/$org/audit" });
  const { say } = useWords();
  return (
    <OfOrg id={org} right="audit.see" title={say("audit.title")}>
      <Log org={org} key={org} />
    </OfOrg>
  );
}

/** What the actions are about: the part of their names before the dot. */
const SUBJECTS = ["key", "member", "invitation", "endpoint", "credits", "org"] as const;

/** Whether an entry is shown. */
export function matches({ action, subject }: AuditView, wanted: AuditSearch): boolean {
  return (wanted.action === undefined || action.startsWith(`${wanted.action}.`)) && (wanted.subject === undefined || subject === wanted.subject);
}

function Log({ org }: { org: string }) {
  const { client, queries, keys: at } = useConsigne();
  const { say, number } = useWords();
  const search = useSearch({ from: "/orgs/$org/audit" });
  const navigate = useNavigate({ from: "/orgs/$org/audit" });
  const list = useMore<AuditView>(["audit", org], (cursor, signal) =>
    client.call("GET /api/orgs/{org}/audit", { path: { org }, query: { cursor } }, { signal }),
  );
  const { keys } = useKeys(org);
  const members = useQuery(
    { queryKey: [...at.all, "members", org], queryFn: ({ signal }) => client.members.list(org, {}, { signal }).all() },
    queries,
  );
  const { data: endpoints } = useQuery(
    { queryKey: [...at.all, "endpoints", org], queryFn: ({ signal }) => client.endpoints.list(org, {}, { signal }).all() },
    queries,
  );
  const own = useOrg(org)?.name ?? org;
  const names = useMemo(() => {
    const known = new Map<string, string>([[org, own]]);
    for (const { id, url } of endpoints ?? []) known.set(id, url);
    for (const key of keys) known.set(key.id, key.name);
    for (const { user_id, name, email } of members.data ?? []) known.set(user_id, name ?? email ?? user_id);
    return known;
  }, [org, own, endpoints, keys, members.data]);
  const shown = list.items?.filter((entry) => matches(entry, search));
  const filtered = search.action !== undefined || search.subject !== undefined;
  return (
    <>
      <Head title={say("audit.title")} text={say("audit.text")} />
      <div className="flex flex-wrap items-center gap-3">
        <Tabs
          label={say("audit.filter")}
          tabs={[undefined, ...SUBJECTS].map((action) => ({
            label: say(action ? `audit.of.${action}` : "all"),
            active: search.action === action,
            search: (before) => ({ ...before, action }),
          }))}
        />
        {search.subject && (
          <Button quiet onClick={() => void navigate({ search: (before: AuditSearch) => ({ ...before, subject: undefined }) })}>
            {say("audit.clear", { name: names.get(search.subject) ?? search.subject })}
          </Button>
        )}
      </div>
      {list.error && <Failure what={say("audit.failed")} error={list.error} retry={list.again} />}
      <Stale at={list.at} again={list.again} />
      {list.loading && <Loading />}
      {shown?.length === 0 && <Empty text={say("audit.empty")} />}
      {shown && shown.length > 0 && (
        <div className="overflow-x-auto">
          <table className="grid-table stacked">
            <thead>
              <tr>
                <th scope="col">{say("audit.action")}</th>
                <th scope="col">{say("audit.subject")}</th>
                <th scope="col">{say("audit.actor")}</th>
                <th scope="col" className="hidden lg:table-cell">
                  {say("calls.from")}
                </th>
                <th scope="col">{say("calls.when")}</th>
              </tr>
            </thead>
            <tbody>
              {shown.map((entry) => (
                <tr key={entry.id}>
                  <td>
                    <Details entry={entry} />
                  </td>
                  <td>
                    <Subject org={org} id={entry.subject} name={names.get(entry.subject)} />
                  </td>
                  <td>{names.get(entry.actor) ?? entry.actor}</td>
                  <td className="hidden whitespace-nowrap lg:table-cell" title={entry.user_agent ?? undefined}>
                    {entry.ip ?? "–"}
                  </td>
                  <td>
                    <Time at={entry.timestamp} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {filtered && list.hasMore && list.items && <p className="text-muted">{say("audit.part", { count: number(list.items.length) })}</p>}
      <More list={list} />
    </>
  );
}

/** What was done, with its details where there are any. */
function Details({ entry }: { entry: AuditView }) {
  const { action, details } = entry;
  const text = details && typeof details === "object" && Object.keys(details).length > 0 ? JSON.stringify(details, null, 2) : undefined;
  if (!text) return <code className="whitespace-nowrap font-mono text-xs">{action}</code>;
  return (
    <details>
      <summary className="w-fit whitespace-nowrap font-mono text-xs">{action}</summary>
      <pre className="whitespace-pre-wrap font-mono text-xs text-muted">{text}</pre>
    </details>
  );
}

/** What it was done to: a key and an endpoint can be opened. */
function Subject({ org, id, name }: { org: string; id: string; name: string | undefined }) {
  const shown = name ?? <Id id={id} />;
  const look = "text-accent underline underline-offset-2";
  if (id.startsWith("key_")) {
    return (
      <Link to="/orgs/$org/keys" params={{ org }} search={{ key: id }} className={look}>
        {shown}
      </Link>
    );
  }
  if (id.startsWith("ep_")) {
    return (
      <Link to="/orgs/$org/webhooks" params={{ org }} search={{ endpoint: id }} className={look}>
        {shown}
      </Link>
    );
  }
  return shown;
}
