import { useConsigne } from "@consigne/react";
import { useQuery } from "@tanstack/react-query";
import { type FormEvent, type ReactNode, useState } from "react";

import { Button } from "../ui/Button.tsx";
import { Buttons } from "../ui/Dialog.tsx";
import { Checks, Field, TextInput } from "../ui/Field.tsx";
import { Failure, Loading } from "../ui/states.tsx";
import { useWork } from "../ui/useWork.ts";
import { useWords } from "../words.ts";
import { type Faults, faultsOf, type KeyDraft } from "./form.ts";

interface Props {
  draft: KeyDraft;
  onDraft(draft: KeyDraft): void;
  /** What stands between name and scopes. */
  children?: ReactNode;
  /** The verb on the button. */
  verb: string;
  /** What is said if it fails. */
  failed: string;
  /** Whether anything is there to send. */
  changed?: boolean;
  work(): Promise<unknown>;
  onClose(): void;
}

/** The fields of a key: of a new one, or of one that is changed. */
export function KeyForm({ draft, onDraft, children, verb, failed, changed = true, work, onClose }: Props) {
  const { client, queries, keys } = useConsigne();
  const { say } = useWords();
  const catalogue = useQuery({ queryKey: [...keys.all, "catalogue"], queryFn: ({ signal }) => client.catalogue({ signal }) }, queries);
  const [faults, setFaults] = useState<Faults>({});
  const { busy, failure, run } = useWork(work);
  const set = (change: Partial<KeyDraft>) => onDraft({ ...draft, ...change });
  const wrong = (field: keyof KeyDraft) => {
    const fault = faults[field];
    return fault && say(fault);
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const found = faultsOf(draft);
    setFaults(found);
    if (Object.keys(found).length === 0) void run();
  };
  return (
    <form className="grid gap-4" onSubmit={submit} noValidate>
      <Field label={say("keys.name")} hint={say("keys.name.hint")} error={wrong("name")}>
        <TextInput required maxLength={100} value={draft.name} onChange={(name) => set({ name })} />
      </Field>
      {children}
      {catalogue.error ? (
        <Failure what={say("keys.scopes.failed")} error={catalogue.error} retry={() => void catalogue.refetch()} />
      ) : catalogue.data ? (
        <Checks
          legend={say("keys.scopes")}
          // A key may have a scope that the catalogue has no more.
          options={[...new Set([...catalogue.data.scopes, ...draft.scopes])]}
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
      {failure !== undefined && <Failure what={failed} error={failure} />}
      <Buttons>
        <Button onClick={onClose} disabled={busy}>
          {say("cancel")}
        </Button>
        <Button primary type="submit" busy={busy} disabled={!changed}>
          {verb}
        </Button>
      </Buttons>
    </form>
  );
}
