import type { IssuedKey, IssueRequest } from "@consigne/client";
import { useState } from "react";

import { Dialog } from "../ui/Dialog.tsx";
import { Choice, Field } from "../ui/Field.tsx";
import { useWords } from "../words.ts";
import { EMPTY_DRAFT, type KeyDraft, requestOf } from "./form.ts";
import { KeyForm } from "./KeyForm.tsx";

interface Props {
  issue(request: IssueRequest): Promise<IssuedKey>;
  onIssued(key: IssuedKey): void;
  onClose(): void;
}

/** Asks what a new key may do, and issues it. */
export function CreateKey({ issue, onIssued, onClose }: Props) {
  const { say } = useWords();
  const [draft, setDraft] = useState<KeyDraft>(EMPTY_DRAFT);
  return (
    <Dialog title={say("keys.create")} onClose={onClose}>
      <KeyForm
        draft={draft}
        onDraft={setDraft}
        verb={say("keys.create")}
        failed={say("keys.create.failed")}
        work={async () => onIssued(await issue(requestOf(draft)))}
        onClose={onClose}
      >
        <Field label={say("keys.environment")} hint={say(draft.environment === "test" ? "keys.test.hint" : "keys.production.hint")}>
          <Choice
            value={draft.environment}
            options={[
              ["test", say("keys.test")],
              ["production", say("keys.production")],
            ]}
            onChange={(value) => setDraft({ ...draft, environment: value === "production" ? "production" : "test" })}
          />
        </Field>
      </KeyForm>
    </Dialog>
  );
}
