import { type ReactNode, useState } from "react";

import { useWords } from "../words.ts";
import { Button } from "./Button.tsx";
import { Buttons, Dialog } from "./Dialog.tsx";
import { Field, TextInput } from "./Field.tsx";
import { Failure } from "./states.tsx";
import { useWork } from "./useWork.ts";

interface Props {
  title: string;
  /** What will stop. */
  children: ReactNode;
  /** The verb on the button, with what it is done to. */
  verb: string;
  /** What is said if it fails. */
  failed: string;
  /** What has to be typed first, and the label that says so. Only for what cannot be undone. */
  typed?: { label: string; text: string };
  /** Whether something in `children` still has to be filled in. */
  incomplete?: boolean;
  work(): Promise<unknown>;
  onClose(): void;
}

/** Asks before something stops. It opens with the focus on the way back, and closes once the work is done. */
export function Confirm({ title, children, verb, failed, typed, incomplete = false, work, onClose }: Props) {
  const { say } = useWords();
  const [text, setText] = useState("");
  const { busy, failure, run } = useWork(() => work().then(onClose));
  return (
    <Dialog title={title} onClose={busy ? undefined : onClose}>
      <form className="grid gap-4" onSubmit={run}>
        <div className="grid gap-2">{children}</div>
        {typed && (
          <Field label={typed.label}>
            <TextInput required value={text} onChange={setText} />
          </Field>
        )}
        {failure !== undefined && <Failure what={failed} error={failure} />}
        <Buttons>
          <Button first onClick={onClose} disabled={busy}>
            {say("cancel")}
          </Button>
          <Button primary danger type="submit" busy={busy} disabled={incomplete || (typed !== undefined && text !== typed.text)}>
            {verb}
          </Button>
        </Buttons>
      </form>
    </Dialog>
  );
}
