import { useConsigne } from "@consigne/react";
import { useNavigate } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";

import { rememberOrg } from "../session.tsx";
import { useWords } from "../words.ts";
import { Button } from "./Button.tsx";
import { Buttons, Dialog } from "./Dialog.tsx";
import { Field, TextInput } from "./Field.tsx";
import { Failure } from "./states.tsx";

/** Asks for the name of a new organisation, makes it, and goes there. */
export function CreateOrg({ onClose }: { onClose(): void }) {
  const { client, queries, keys } = useConsigne();
  const { say } = useWords();
  const navigate = useNavigate();
  const [name, setName] = useState("");
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<unknown>();
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setFailure(undefined);
    try {
      const org = await client.orgs.create({ name });
      rememberOrg(org);
      await queries.invalidateQueries({ queryKey: [...keys.all, "orgs"] });
      onClose();
      await navigate({ to: "/orgs/$org/keys", params: { org: org.id } });
    } catch (error) {
      setFailure(error);
      setBusy(false);
    }
  };
  return (
    <Dialog title={say("org.create")} onClose={onClose}>
      <form className="grid gap-4" onSubmit={submit}>
        <Field label={say("org.name")} hint={say("org.name.hint")}>
          <TextInput required maxLength={100} value={name} onChange={setName} />
        </Field>
        {failure !== undefined && <Failure what={say("org.create.failed")} error={failure} />}
        <Buttons>
          <Button onClick={onClose}>{say("cancel")}</Button>
          <Button primary type="submit" busy={busy}>
            {say("org.create")}
          </Button>
        </Buttons>
      </form>
    </Dialog>
  );
}
