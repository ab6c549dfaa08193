import type { IssuedKey, IssueRequest } from "@consigne/client";
import { useConsigne } from "@consigne/react";
import { useQuery } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";

import { Button } from "../ui/Button.tsx";
import { Buttons, Dialog } from "../ui/Dialog.tsx";
import { Checks, Choice, Field, TextInput } from "../ui/Field.tsx";
import { Failure, Loading } from "../ui/states.tsx";
import { useWords } from "../words.ts";
import { EMPTY_DRAFT, type Faults, faultsOf, type KeyDraft, requestOf } from "./form.ts";

interface Props {
  issue(request: IssueRequest): Promise<IssuedKey>;
  onIssued(key: IssuedKey): void;
  onClose(): void;
}

/** Asks what a new key may do, and issues it. */
export function CreateKey({ issue, onIssued, onClose }: Props) {
  const { client, queries, keys } = useConsigne();
  const { say } = useWords();
  const catalogue = useQuery({ queryKey: [...keys.all, "catalogue"], queryFn: ({ signal }) => client.catalogue({ signal }) }, queries);
  const [draft, setDraft] = useState<KeyDraft>(EMPTY_DRAFT);
  const [faults, setFaults] = useState<Faults>({});
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<unknown>();
  const set = (change: Partial<KeyDraft>) => setDraft((before) => ({ ...before, ...change }));
  const wrong = (field: keyof KeyDraft) => {
    const fault = faults[field];
    return fault && say(fault);
  };
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const found = faultsOf(draft);
    setFaults(found);
    if (Object.keys(found).length > 0) return;
    setBusy(true);
    setFailure(undefined);
    try {
      onIssued(await issue(requestOf(draft)));
    } catch (error) {
      setFailure(error);
      setBusy(false);
    }
  };
  return (
    <Dialog title={say("keys.create")} onClose={busy ? undefined : onClose}>
      <form className="grid gap-4" onSubmit={submit} noValidate>
        <Field label={say("keys.name")} hint={say("keys.name.hint")} error={wrong("name")}>
          <TextInput required maxLength={100} value={draft.name} onChange={(name) => set({ name })} />
        </Field>
        <Field label={say("keys.environment")} hint={say(draft.environment === "test" ? "keys.test.hint" : "keys.production.hint")}>
          <Choice
            value={draft.environment}
            options={[
              ["test", say("keys.test")],
              ["production", say("keys.production")],
            ]}
            onChange={(value) => set({ environment: value === "production" ? "production" : "test" })}
          />
        </Field>
        {catalogue.error ? (
          <Failure what={say("keys.scopes.failed")} error={catalogue.error} retry={() => void catalogue.refetch()} />
        ) : catalogue.data ? (
          <Checks
            legend={say("keys.scopes")}
            options={catalogue.data.scopes}
            chosen={draft.scopes}
            error={wrong("scopes") ?? ""}
            onChange={(scopes) => set({ scopes })}
          />
        ) : (
          <Loading rows={2} />
        )}
        <div className="grid gap-4 sm:grid-cols-3">
          {(["minute", "daily", "monthly"] as const).map((field) => (
            <Field key={field} label={say(`keys.quota.${field}`)} error={wrong(field)}>
              <TextInput
                type="number"
                min={1}
                placeholder={say("keys.quota.none")}
                value={draft[field]}
                onChange={(value) => set({ [field]: value })}
              />
            </Field>
          ))}
        </div>
        <Field label={say("keys.expires")} hint={say("keys.expires.hint")} error={wrong("expires")}>
          <TextInput type="date" value={draft.expires} onChange={(expires) => set({ expires })} />
        </Field>
        {failure !== undefined && <Failure what={say("keys.create.failed")} error={failure} />}
        <Buttons>
          <Button onClick={onClose} disabled={busy}>
            {say("cancel")}
          </Button>
          <Button primary type="submit" busy={busy}>
            {say("keys.create")}
          </Button>
        </Buttons>
      </form>
    </Dialog>
  );
}
