import type { IssuedKey } from "@consigne/client";
import { useBlocker } from "@tanstack/react-router";

import { useSession } from "../session.tsx";
import { Button } from "../ui/Button.tsx";
import { Code } from "../ui/Copy.tsx";
import { Buttons, Dialog } from "../ui/Dialog.tsx";
import { useWords } from "../words.ts";
import { exampleCall } from "./form.ts";

/** Shows the text of a key for the only time. It closes by its button alone, and the page is not left before that. */
export function RevealKey({ issued, onStored }: { issued: IssuedKey; onStored(): void }) {
  const { config } = useSession();
  const { say, exact } = useWords();
  useBlocker({ shouldBlockFn: () => true, enableBeforeUnload: true });
  return (
    <Dialog title={say("reveal.title", { name: issued.name })}>
      <p>
        <span aria-hidden="true" className="text-warn">
          !{" "}
        </span>
        {say("reveal.once")}
      </p>
      {issued.previous_valid_until && <p>{say("reveal.previous", { until: exact(issued.previous_valid_until) })}</p>}
      <Code label={say("reveal.key")} text={issued.key} />
      <Code label={say("reveal.env")} text={`CONSIGNE_API_KEY=${issued.key}`} />
      <Code label={say("reveal.curl")} text={exampleCall(config.apiUrl, issued.key, issued.scopes)} />
      <Buttons>
        <Button primary onClick={onStored}>
          {say("reveal.stored")}
        </Button>
      </Buttons>
    </Dialog>
  );
}
