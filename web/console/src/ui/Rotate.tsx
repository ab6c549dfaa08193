import { useState } from "react";

import { type MessageId, useWords } from "../words.ts";
import { Button } from "./Button.tsx";
import { Buttons, Dialog } from "./Dialog.tsx";
import { Choice, Field } from "./Field.tsx";
import { Failure } from "./states.tsx";
import { useWork } from "./useWork.ts";

const GRACES: [seconds: number, label: MessageId][] = [
  [0, "keys.grace.none"],
  [3_600, "keys.grace.hour"],
  [86_400, "keys.grace.day"],
  [604_800, "keys.grace.week"],
];

interface Props {
  title: string;
  /** What changes, and what is to be done about it. */
  text: string;
  /** The label of the time for which what is there now still counts. */
  grace: string;
  verb: string;
  failed: string;
  /** `seconds` is how long what is there now still counts. */
  rotate(seconds: number): Promise<unknown>;
  onBack(): void;
}

/** Asks for how long a key or a secret still counts once it is replaced. */
export function Rotate({ title, text, grace: label, verb, failed, rotate, onBack }: Props) {
  const { say } = useWords();
  const [grace, setGrace] = useState("86400");
  const { busy, failure, run } = useWork(() => rotate(Number(grace)));
  return (
    <Dialog title={title} onClose={busy ? undefined : onBack}>
      <form className="grid gap-4" onSubmit={run}>
        <p>{text}</p>
        <Field label={label}>
          <Choice value={grace} options={GRACES.map(([seconds, word]) => [String(seconds), say(word)])} onChange={setGrace} />
        </Field>
        {failure !== undefined && <Failure what={failed} error={failure} />}
        <Buttons>
          <Button onClick={onBack} disabled={busy}>
            {say("cancel")}
          </Button>
          {/* Without a time to change over, every program stops at once. */}
          <Button primary danger={grace === "0"} type="submit" busy={busy}>
            {verb}
          </Button>
        </Buttons>
      </form>
    </Dialog>
  );
}
