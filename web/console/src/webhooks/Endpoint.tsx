import type { DeliveryView, EndpointView, IssuedEndpoint } from "@consigne/client";
import { useConsigne } from "@consigne/react";
import { useState } from "react";

import { Countdown } from "../keys/KeyPanel.tsx";
import { DELIVERY_STATES, type WebhooksSearch } from "../router.tsx";
import { Button } from "../ui/Button.tsx";
import { Confirm } from "../ui/Confirm.tsx";
import { Actions, Dialog } from "../ui/Dialog.tsx";
import { More } from "../ui/More.tsx";
import { Rotate } from "../ui/Rotate.tsx";
import { Failure, Loading, State } from "../ui/states.tsx";
import { Tabs } from "../ui/Tabs.tsx";
import { useMore } from "../ui/useMore.ts";
import { useWork } from "../ui/useWork.ts";
import { useWords } from "../words.ts";
import { DELIVERY_WORDS, Delivery } from "./Delivery.tsx";
import { changeOf, EndpointForm } from "./EndpointForm.tsx";

interface Props {
  org: string;
  endpoint: EndpointView;
  search: WebhooksSearch;
  onSearch(change: Partial<WebhooksSearch>): void;
  onIssued(endpoint: IssuedEndpoint): Promise<void>;
  onChange(): Promise<void>;
  onClose(): void;
}

type Step = "look" | "edit" | "rotate" | "delete";

/** The state of an endpoint, in a word and a sign. */
export function EndpointState({ endpoint }: { endpoint: EndpointView }) {
  const { say, relative } = useWords();
  if (endpoint.status === "disabled") {
    return <State tone="bad">{say(endpoint.disabled_reason === "gone" ? "hooks.disabled.gone" : "hooks.disabled.failing")}</State>;
  }
  if (endpoint.failing_since) return <State tone="warn">{say("hooks.failing", { since: relative(endpoint.failing_since) })}</State>;
  return <State tone="good">{say("hooks.active")}</State>;
}

/** One endpoint, and what was sent to it. */
export function Endpoint({ org, endpoint, search, onSearch, onIssued, onChange, onClose }: Props) {
  const { client, queries, keys } = useConsigne();
  const { say, number } = useWords();
  const [step, setStep] = useState<Step>("look");
  const back = () => setStep("look");
  const { state, delivery: open } = search;
  const at = ["deliveries", org, endpoint.id];
  const list = useMore<DeliveryView>(
    [...at, state],
    (cursor, signal) =>
      client.call(
        "GET /api/orgs/{org}/endpoints/{endpoint}/deliveries",
        { path: { org, endpoint: endpoint.id }, query: { status: state, limit: 25, cursor } },
        { signal },
      ),
    { refetchInterval: (items) => (items?.some(({ status }) => status === "pending") ? 2_000 : 10_000) },
  );
  const again = () => queries.invalidateQueries({ queryKey: [...keys.all, ...at] });
  const test = useWork(() => client.endpoints.test(org, endpoint.id).then(again));
  const enable = useWork(() => client.endpoints.update(org, endpoint.id, { status: "active" }).then(onChange));
  const failure = test.failure ?? enable.failure;
  if (step === "edit") {
    return (
      <Dialog title={say("hooks.edit.title")} onClose={back}>
        <EndpointForm
          before={endpoint}
          verb={say("save")}
          failed={say("hooks.edit.failed")}
          work={async (draft) => {
            await client.endpoints.update(org, endpoint.id, changeOf(endpoint, draft) as Parameters<typeof client.endpoints.update>[2]);
            await onChange();
            back();
          }}
          onClose={back}
        />
      </Dialog>
    );
  }
  if (step === "rotate") {
    return (
      <Rotate
        title={say("hooks.rotate.title")}
        text={say("hooks.rotate.text")}
        grace={say("hooks.grace")}
        verb={say("hooks.rotate")}
        failed={say("hooks.work.failed")}
        rotate={(grace) => client.endpoints.rotate(org, endpoint.id, { grace_seconds: grace }).then(onIssued)}
        onBack={back}
      />
    );
  }
  if (step === "delete") {
    return (
      <Confirm
        title={say("hooks.delete.title")}
        verb={say("hooks.delete")}
        failed={say("hooks.work.failed")}
        work={() => client.endpoints.delete(org, endpoint.id).then(onChange)}
        onClose={back}
      >
        <p>{say("hooks.delete.text", { url: endpoint.url })}</p>
      </Confirm>
    );
  }
  const rotating = endpoint.previous_valid_until !== null && Date.parse(endpoint.previous_valid_until) > Date.now();
  return (
    <Dialog title={endpoint.url} onClose={onClose} drawer>
      <p className="flex flex-wrap gap-x-4">
        <EndpointState endpoint={endpoint} />
        <span className="text-muted">{say("hooks.rate.is", { count: number(endpoint.rate_per_second) })}</span>
      </p>
      {rotating && endpoint.previous_valid_until && (
        <p className="text-muted">
          <Countdown until={endpoint.previous_valid_until} label="hooks.previous.left" />
        </p>
      )}
      <p className="font-mono text-xs">{endpoint.events.join(" ")}</p>
      <Actions onClose={onClose}>
        <Button onClick={() => void test.run()} busy={test.busy}>
          {say("hooks.test")}
        </Button>
        {endpoint.status === "disabled" && (
          <Button onClick={() => void enable.run()} busy={enable.busy}>
            {say("hooks.enable")}
          </Button>
        )}
        <Button onClick={() => setStep("edit")}>{say("hooks.edit")}</Button>
        <Button onClick={() => setStep("rotate")}>{say("hooks.rotate")}</Button>
        <Button danger onClick={() => setStep("delete")}>
          {say("hooks.delete")}
        </Button>
      </Actions>
      {failure !== undefined && <Failure what={say("hooks.work.failed")} error={failure} />}
      <h3 className="text-base font-semibold">{say("deliveries.title")}</h3>
      <Tabs
        label={say("deliveries.filter")}
        tabs={[undefined, ...DELIVERY_STATES].map((one) => ({
          label: say(one ? DELIVERY_WORDS[one][1] : "all"),
          active: one === state,
          search: (now) => ({ ...now, state: one, delivery: undefined }),
        }))}
      />
      {list.error && <Failure what={say("deliveries.failed")} error={list.error} retry={list.again} />}
      {list.loading && <Loading rows={3} />}
      {list.items?.length === 0 && <p className="text-muted">{say(state ? "deliveries.none" : "deliveries.empty")}</p>}
      <ul className="border-t border-line">
        {list.items?.map((delivery, index) => (
          <Delivery
            key={delivery.id}
            delivery={delivery}
            // Without a choice the newest one is open: it is what somebody looks for after a test.
            open={open === undefined ? index === 0 : open === delivery.id}
            onToggle={() => onSearch({ delivery: open === delivery.id || (open === undefined && index === 0) ? "none" : delivery.id })}
            redeliver={() => client.endpoints.redeliver(org, delivery.id).then(again)}
          />
        ))}
      </ul>
      <More list={list} />
    </Dialog>
  );
}
