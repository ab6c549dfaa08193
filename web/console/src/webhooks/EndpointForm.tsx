import type { EndpointView } from "@consigne/client";
import { type FormEvent, useState } from "react";

import { Button } from "../ui/Button.tsx";
import { Buttons } from "../ui/Dialog.tsx";
import { Checks, Field, TextInput } from "../ui/Field.tsx";
import { Failure, Loading } from "../ui/states.tsx";
import { useWork } from "../ui/useWork.ts";
import { useCatalogue } from "../why/Checks.tsx";
import { useWords } from "../words.ts";

/** What a person has typed for an endpoint. */
export interface EndpointDraft {
  url: string;
  events: string[];
  /** Webhooks a second; empty for the usual number. */
  rate: string;
}

/** What a draft changes of an endpoint. */
export function changeOf(endpoint: EndpointView, draft: EndpointDraft) {
  const same = [...draft.events].sort().join() === [...endpoint.events].sort().join();
  const rate = Number(draft.rate);
  return {
    ...(draft.url !== endpoint.url && { url: draft.url }),
    ...(!same && { events: draft.events }),
    ...(draft.rate !== "" && rate !== endpoint.rate_per_second && { rate_per_second: rate }),
  };
}

interface Props {
  before?: EndpointView;
  verb: string;
  failed: string;
  work(draft: EndpointDraft): Promise<unknown>;
  onClose(): void;
}

/** The fields of an endpoint: of a new one, or of one that is changed. */
export function EndpointForm({ before, verb, failed, work, onClose }: Props) {
  const { say } = useWords();
  const catalogue = useCatalogue();
  const [draft, setDraft] = useState<EndpointDraft>({
    url: before?.url ?? "",
    events: before?.events ?? [],
    rate: before ? String(before.rate_per_second) : "",
  });
  const [asked, setAsked] = useState(false);
  const { busy, failure, run } = useWork(() => work(draft));
  const none = draft.events.length === 0;
  const set = (change: Partial<EndpointDraft>) => setDraft((now) => ({ ...now, ...change }));
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setAsked(true);
    if (!none) void run();
  };
  return (
    <form className="grid gap-4" onSubmit={submit}>
      <Field label={say("hooks.url")} hint={say("hooks.url.hint")}>
        <TextInput type="url" required value={draft.url} onChange={(url) => set({ url })} placeholder="https://example.com/webhooks" />
      </Field>
      {catalogue.error && <Failure what={say("pricing.failed")} error={catalogue.error} retry={() => void catalogue.refetch()} />}
      {catalogue.isPending && <Loading rows={3} />}
      {catalogue.data && (
        <Checks
          legend={say("hooks.events")}
          options={[...new Set([...catalogue.data.event_types, ...draft.events])]}
          chosen={draft.events}
          error={asked && none ? say("hooks.events.none") : ""}
          onChange={(events) => set({ events })}
        />
      )}
      {before && (
        <Field label={say("hooks.rate")} hint={say("hooks.rate.hint")}>
          <TextInput type="number" required min={1} max={100} value={draft.rate} onChange={(rate) => set({ rate })} />
        </Field>
      )}
      {failure !== undefined && <Failure what={failed} error={failure} />}
      <Buttons>
        <Button onClick={onClose} disabled={busy}>
          {say("cancel")}
        </Button>
        <Button primary type="submit" busy={busy} disabled={before !== undefined && Object.keys(changeOf(before, draft)).length === 0}>
          {verb}
        </Button>
      </Buttons>
    </form>
  );
}
