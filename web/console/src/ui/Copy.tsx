import { useEffect, useState } from "react";

import { useWords } from "../words.ts";
import { Button } from "./Button.tsx";

/** Copies a text, and says that it did. */
export function Copy({ text, label }: { text: string; label?: string }) {
  const { say } = useWords();
  const [state, setState] = useState<"idle" | "done" | "failed">("idle");
  useEffect(() => {
    if (state === "idle") return;
    const timer = setTimeout(() => setState("idle"), 4_000);
    return () => clearTimeout(timer);
  }, [state]);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setState("done");
    } catch {
      setState("failed");
    }
  };
  const name = label ?? say("copy");
  return (
    <>
      <Button onClick={copy}>{state === "done" ? `✓ ${say("copied")}` : name}</Button>
      <span role="status" className={state === "failed" ? "text-bad" : "sr-only"}>
        {state === "failed" ? say("copy.failed") : state === "done" ? say("copied") : ""}
      </span>
    </>
  );
}

/** A text for a terminal, with its copy. */
export function Code({ label, text }: { label: string; text: string }) {
  return (
    <figure className="grid gap-1">
      <figcaption className="text-muted">{label}</figcaption>
      <div className="flex flex-col items-start gap-2 sm:flex-row">
        <pre className="w-full min-w-0 grow whitespace-pre-wrap rounded-md border border-line bg-hover p-2 font-mono text-xs">{text}</pre>
        <Copy text={text} />
      </div>
    </figure>
  );
}
