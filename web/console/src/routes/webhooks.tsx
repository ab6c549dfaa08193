import type { IssuedEndpoint } from "@consigne/client";
import { useConsigne } from "@consigne/react";
import { useQuery } from "@tanstack/react-query";
import { useBlocker, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useState } from "react";

import type { WebhooksSearch } from "../router.tsx";
import { Button } from "../ui/Button.tsx";
import { Code } from "../ui/Copy.tsx";
import { Buttons, Dialog } from "../ui/Dialog.tsx";
import { OfOrg } from "../ui/Frame.tsx";
import { Stale } from "../ui/Stale.tsx";
import { Empty, Failure, Head, Loading } from "../ui/states.tsx";
import { Endpoint, EndpointState } from "../webhooks/Endpoint.tsx";
import { EndpointForm } from "../webhooks/EndpointForm.tsx";
import { SNIPPET } from "../webhooks/snippet.ts";
import { useWords } from "../words.ts";

/** Where an organisation is told what happened. */
export function Webhooks() {
  const { org } = useParams({ from: "/orgs/$org/webhooks" });
  const { say } = useWords();
  return (
    <OfOrg id={org} right="webhooks.see" title={say("nav.webhooks")}>
      <Endpoints org={org} key={org} />
    </OfOrg>
  );
}

function useEndpoints(org: string) {
  const { client, queries, keys } = useConsigne();
  const key = [...keys.all, "endpoints", org];
  const list = useQuery({ queryKey: key, queryFn: ({ signal }) => client.endpoints.list(org, {}, { signal }).all() }, queries);
  return { list, refresh: () => queries.invalidateQueries({ queryKey: key }) };
}

type NewEndpoint = Parameters<ReturnType<typeof useConsigne>["client"]["endpoints"]["create"]>[1];

function Endpoints({ org }: { org: string }) {
  const { client } = useConsigne();
  const { say } = useWords();
  const search = useSearch({ from: "/orgs/$org/webhooks" });
  const navigate = useNavigate({ from: "/orgs/$org/webhooks" });
  const { list, refresh } = useEndpoints(org);
  // Like the text of a key, the secret is here and nowhere else.
  const [issued, setIssued] = useState<IssuedEndpoint>();
  const go = (change: WebhooksSearch, replace = false) => void navigate({ search: change, replace });
  const reveal = async (endpoint: IssuedEndpoint) => {
    setIssued(endpoint);
    await refresh();
    go({ endpoint: endpoint.id }, true);
  };
  const open = list.data?.find(({ id }) => id === search.endpoint);
  return (
    <>
      <Head
        title={say("nav.webhooks")}
        text={say("hooks.text")}
        action={
          <Button primary onClick={() => go({ create: true })}>
            {say("hooks.create")}
          </Button>
        }
      />
      {list.error && <Failure what={say("hooks.failed")} error={list.error} retry={() => void list.refetch()} />}
      <Stale at={list.dataUpdatedAt} again={() => void list.refetch()} />
      {list.isPending && <Loading />}
      {list.data?.length === 0 && (
        <Empty text={say("hooks.empty")}>
          <Code label={say("hooks.empty.example")} text={SNIPPET} />
        </Empty>
      )}
      {list.data && list.data.length > 0 && (
        <table className="grid-table stacked">
          <thead>
            <tr>
              <th scope="col">{say("hooks.url")}</th>
              <th scope="col" className="hidden md:table-cell">
                {say("hooks.events")}
              </th>
              <th scope="col">{say("hooks.state")}</th>
            </tr>
          </thead>
          <tbody>
            {list.data.map((endpoint) => (
              <tr key={endpoint.id}>
                <td>
                  <button
                    type="button"
                    className="text-start font-medium underline-offset-2 hover:underline"
                    onClick={() => go({ endpoint: endpoint.id })}
                  >
                    {endpoint.url}
                  </button>
                </td>
                <td className="hidden font-mono text-xs md:table-cell">{endpoint.events.join(" ")}</td>
                <td>
                  <EndpointState endpoint={endpoint} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {search.create && !issued && (
        <Dialog title={say("hooks.create")} onClose={() => go({}, true)}>
          <EndpointForm
            verb={say("hooks.create")}
            failed={say("hooks.create.failed")}
            work={({ url, events }) => client.endpoints.create(org, { url, events: events as NewEndpoint["events"] }).then(reveal)}
            onClose={() => go({}, true)}
          />
        </Dialog>
      )}
      {open && !issued && (
        <Endpoint
          key={open.id}
          org={org}
          endpoint={open}
          search={search}
          onSearch={(change) => go({ ...search, ...change }, true)}
          onIssued={reveal}
          onChange={refresh}
          onClose={() => go({}, true)}
        />
      )}
      {issued && <Secret secret={issued.secret} onStored={() => setIssued(undefined)} />}
    </>
  );
}

/** Shows the secret of an endpoint for the only time. */
function Secret({ secret, onStored }: { secret: string; onStored(): void }) {
  const { say } = useWords();
  useBlocker({ shouldBlockFn: ({ current, next }) => current.pathname !== next.pathname, enableBeforeUnload: true });
  return (
    <Dialog title={say("hooks.secret.title")}>
      <p>
        <span aria-hidden="true" className="text-warn">
          !{" "}
        </span>
        {say("hooks.secret.once")}
      </p>
      <Code label={say("hooks.secret")} text={secret} />
      <Code label={say("reveal.env")} text={`CONSIGNE_WEBHOOK_SECRET=${secret}`} />
      <Code label={say("hooks.empty.example")} text={SNIPPET} />
      <Buttons>
        <Button primary onClick={onStored}>
          {say("reveal.stored")}
        </Button>
      </Buttons>
    </Dialog>
  );
}
