import type { DeliveryView, EndpointView, IssuedEndpoint } from "@consigne/client";
import { useConsigne } from "@consigne/react";
import { useQuery } from "@tanstack/react-query";
import { useBlocker, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";

import type { WebhooksSearch } from "../router.tsx";
import { Button } from "../ui/Button.tsx";
import { Confirm } from "../ui/Confirm.tsx";
import { Code } from "../ui/Copy.tsx";
import { Buttons, Dialog } from "../ui/Dialog.tsx";
import { Checks, Field, TextInput } from "../ui/Field.tsx";
import { OfOrg } from "../ui/Frame.tsx";
import { Empty, Failure, Head, Loading, State, Time } from "../ui/states.tsx";
import { useWork } from "../ui/useWork.ts";
import { type MessageId, useWords } from "../words.ts";

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

/** How a server verifies a request, with the client's own function. */
const SNIPPET = `import { verifyWebhook } from "@consigne/client/webhooks";

const event = await verifyWebhook({
  secret: process.env.CONSIGNE_WEBHOOK_SECRET,
  headers: request.headers, // webhook-id, webhook-timestamp, webhook-signature
  body: await request.text(),
});`;

function useEndpoints(org: string) {
  const { client, queries, keys } = useConsigne();
  const key = [...keys.all, "endpoints", org];
  const list = useQuery({ queryKey: key, queryFn: ({ signal }) => client.endpoints.list(org, {}, { signal }).all() }, queries);
  return { list, refresh: () => queries.invalidateQueries({ queryKey: key }) };
}

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
      {list.isPending && <Loading />}
      {list.data?.length === 0 && (
        <Empty text={say("hooks.empty")}>
          <Code label={say("hooks.empty.example")} text={SNIPPET} />
        </Empty>
      )}
      {list.data && list.data.length > 0 && (
        <table className="grid-table">
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
      {search.create && !issued && <CreateEndpoint create={(body) => client.endpoints.create(org, body).then(reveal)} onClose={() => go({}, true)} />}
      {open && !issued && <Endpoint org={org} endpoint={open} onIssued={reveal} onChange={refresh} onClose={() => go({}, true)} />}
      {issued && <Secret secret={issued.secret} onStored={() => setIssued(undefined)} />}
    </>
  );
}

function EndpointState({ endpoint }: { endpoint: EndpointView }) {
  const { say, relative } = useWords();
  if (endpoint.status === "disabled") {
    return <State tone="bad">{say(endpoint.disabled_reason === "gone" ? "hooks.disabled.gone" : "hooks.disabled.failing")}</State>;
  }
  if (endpoint.failing_since) return <State tone="warn">{say("hooks.failing", { since: relative(endpoint.failing_since) })}</State>;
  return <State tone="good">{say("hooks.active")}</State>;
}

type NewEndpoint = Parameters<ReturnType<typeof useConsigne>["client"]["endpoints"]["create"]>[1];

function CreateEndpoint({ create, onClose }: { create(body: NewEndpoint): Promise<unknown>; onClose(): void }) {
  const { client, queries, keys } = useConsigne();
  const { say } = useWords();
  const catalogue = useQuery({ queryKey: [...keys.all, "catalogue"], queryFn: ({ signal }) => client.catalogue({ signal }) }, queries);
  const [url, setUrl] = useState("");
  const [events, setEvents] = useState<string[]>([]);
  const [asked, setAsked] = useState(false);
  const { busy, failure, run } = useWork(() => create({ url, events: events as NewEndpoint["events"] }));
  const submit = (event: FormEvent) => {
    setAsked(true);
    if (events.length > 0) return void run(event);
    event.preventDefault();
  };
  return (
    <Dialog title={say("hooks.create")} onClose={busy ? undefined : onClose}>
      <form className="grid gap-4" onSubmit={submit}>
        <Field label={say("hooks.url")} hint={say("hooks.url.hint")}>
          <TextInput type="url" required value={url} onChange={setUrl} placeholder="https://example.com/webhooks" />
        </Field>
        {catalogue.error && <Failure what={say("pricing.failed")} error={catalogue.error} retry={() => void catalogue.refetch()} />}
        {catalogue.isPending && <Loading rows={3} />}
        {catalogue.data && (
          <Checks
            legend={say("hooks.events")}
            options={catalogue.data.event_types}
            chosen={events}
            error={asked && events.length === 0 ? say("hooks.events.none") : ""}
            onChange={setEvents}
          />
        )}
        {failure !== undefined && <Failure what={say("hooks.create.failed")} error={failure} />}
        <Buttons>
          <Button onClick={onClose} disabled={busy}>
            {say("cancel")}
          </Button>
          <Button primary type="submit" busy={busy}>
            {say("hooks.create")}
          </Button>
        </Buttons>
      </form>
    </Dialog>
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

interface EndpointProps {
  org: string;
  endpoint: EndpointView;
  onIssued(endpoint: IssuedEndpoint): Promise<void>;
  onChange(): Promise<void>;
  onClose(): void;
}

/** One endpoint, and what was sent to it. */
function Endpoint({ org, endpoint, onIssued, onChange, onClose }: EndpointProps) {
  const { client, queries, keys } = useConsigne();
  const { say } = useWords();
  const [deleting, setDeleting] = useState(false);
  const key = [...keys.all, "deliveries", org, endpoint.id];
  const deliveries = useQuery(
    {
      queryKey: key,
      queryFn: async ({ signal }) => (await client.endpoints.deliveries(org, endpoint.id, {}, { signal })).items,
      // What is pending may move at any moment.
      refetchInterval: ({ state }) => (state.data?.some(({ status }) => status === "pending") ? 2_000 : 10_000),
    },
    queries,
  );
  const again = () => queries.invalidateQueries({ queryKey: key });
  const test = useWork(() => client.endpoints.test(org, endpoint.id).then(again));
  const rotate = useWork(() => client.endpoints.rotate(org, endpoint.id).then(onIssued));
  const enable = useWork(() => client.endpoints.update(org, endpoint.id, { status: "active" }).then(onChange));
  const failure = test.failure ?? rotate.failure ?? enable.failure;
  if (deleting) {
    return (
      <Confirm
        title={say("hooks.delete.title")}
        verb={say("hooks.delete")}
        failed={say("hooks.work.failed")}
        work={() => client.endpoints.delete(org, endpoint.id).then(onChange)}
        onClose={() => setDeleting(false)}
      >
        <p>{say("hooks.delete.text", { url: endpoint.url })}</p>
      </Confirm>
    );
  }
  return (
    <Dialog title={endpoint.url} onClose={onClose} drawer>
      <p>
        <EndpointState endpoint={endpoint} />
      </p>
      <p className="font-mono text-xs">{endpoint.events.join(" ")}</p>
      <div className="flex flex-wrap gap-2">
        <Button onClick={() => void test.run()} busy={test.busy}>
          {say("hooks.test")}
        </Button>
        {endpoint.status === "disabled" && (
          <Button onClick={() => void enable.run()} busy={enable.busy}>
            {say("hooks.enable")}
          </Button>
        )}
        <Button onClick={() => void rotate.run()} busy={rotate.busy} title={say("hooks.rotate.text")}>
          {say("hooks.rotate")}
        </Button>
        <Button danger onClick={() => setDeleting(true)}>
          {say("hooks.delete")}
        </Button>
        <Button onClick={onClose}>{say("close")}</Button>
      </div>
      {failure !== undefined && <Failure what={say("hooks.work.failed")} error={failure} />}
      <h3 className="text-base font-semibold">{say("deliveries.title")}</h3>
      {deliveries.error && <Failure what={say("deliveries.failed")} error={deliveries.error} retry={() => void deliveries.refetch()} />}
      {deliveries.isPending && <Loading rows={3} />}
      {deliveries.data?.length === 0 && <p className="text-muted">{say("deliveries.empty")}</p>}
      <ul className="border-t border-line">
        {deliveries.data?.map((delivery) => (
          <Delivery key={delivery.id} delivery={delivery} redeliver={() => client.endpoints.redeliver(org, delivery.id).then(again)} />
        ))}
      </ul>
    </Dialog>
  );
}

const DELIVERY_WORDS: Record<DeliveryView["status"], ["good" | "plain" | "bad", MessageId]> = {
  pending: ["plain", "deliveries.pending"],
  delivered: ["good", "deliveries.delivered"],
  failed: ["bad", "deliveries.failed.state"],
  cancelled: ["plain", "deliveries.cancelled"],
};

function Delivery({ delivery, redeliver }: { delivery: DeliveryView; redeliver(): Promise<unknown> }) {
  const { say, relative, number } = useWords();
  const { busy, failure, run } = useWork(redeliver);
  const [tone, word] = DELIVERY_WORDS[delivery.status];
  return (
    <li className="grid gap-1 border-b border-line py-3">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <span className="grow font-mono text-xs">{delivery.type}</span>
        <State tone={tone}>{say(word)}</State>
        <span className="text-muted">
          <Time at={delivery.created_at} />
        </span>
      </div>
      <code className="font-mono text-xs text-muted">{delivery.id}</code>
      {delivery.next_attempt_at && <p>{say("deliveries.next", { when: relative(delivery.next_attempt_at) })}</p>}
      <ol className="grid gap-1">
        {delivery.attempts.map((attempt) => (
          <li key={attempt.number} className="grid gap-0.5">
            <div className="flex flex-wrap gap-x-3">
              <span>{say("deliveries.attempt", { number: attempt.number })}</span>
              <State tone={attempt.error === null ? "good" : "bad"}>
                {attempt.status_code === null
                  ? say("deliveries.noanswer", { error: attempt.error })
                  : say("deliveries.answer", { status: attempt.status_code })}
              </State>
              {attempt.duration_ms !== null && <span className="text-muted">{say("deliveries.took", { ms: number(attempt.duration_ms) })}</span>}
              <span className="text-muted">
                <Time at={attempt.at} />
              </span>
            </div>
            {attempt.response && (
              <details>
                <summary className="w-fit text-muted">{say("deliveries.body")}</summary>
                <pre className="whitespace-pre-wrap rounded-md bg-hover p-2 font-mono text-xs">{attempt.response}</pre>
              </details>
            )}
          </li>
        ))}
      </ol>
      {delivery.status !== "pending" && (
        <div>
          <Button onClick={() => void run()} busy={busy}>
            {say("deliveries.redeliver")}
          </Button>
        </div>
      )}
      {failure !== undefined && <Failure what={say("hooks.work.failed")} error={failure} />}
    </li>
  );
}
