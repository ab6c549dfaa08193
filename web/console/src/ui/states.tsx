import { isConsigneError } from "@consigne/client";
import { type ReactNode, useEffect, useState } from "react";

import { useWords } from "../words.ts";
import { Button } from "./Button.tsx";
import { Copy } from "./Copy.tsx";

/** Whether something has lasted for some milliseconds. */
function useAfter(delay: number): boolean {
  const [over, setOver] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setOver(true), delay);
    return () => clearTimeout(timer);
  }, [delay]);
  return over;
}

/** The outline of a page that is on its way, after a moment; a sentence once it takes long. */
export function Loading({ rows = 5 }: { rows?: number }) {
  const { say } = useWords();
  const shown = useAfter(150);
  const slow = useAfter(3_000);
  return (
    <div>
      <p role="status" className={slow ? "text-muted" : "sr-only"}>
        {say(slow ? "slow" : "loading")}
      </p>
      {shown && (
        <div aria-hidden="true" className="grid">
          {Array.from({ length: rows }, (_, row) => (
            <div key={row} className="flex h-11 items-center border-b border-line">
              <div className="h-3 w-full max-w-sm animate-pulse rounded-md bg-hover" />
            </div>
          ))}
        </div>
      )}
    </div>
  );
}

/** What failed, whether anything changed, and what to do. */
export function Failure({ what, error, changed = false, retry }: { what: string; error: unknown; changed?: boolean; retry?: () => void }) {
  const { say, relative } = useWords();
  const known = isConsigneError(error) ? error : undefined;
  return (
    <div role="alert" className="grid gap-2 border-s-2 border-bad ps-3">
      <p className="font-medium">
        <span aria-hidden="true">✕ </span>
        {what}
      </p>
      <p className="max-w-[68ch]">
        {sentence(known?.message ?? String((error as Error)?.message ?? error))}
        {changed ? "" : ` ${say("failure.unchanged")}`}
        {known?.retryAfter ? ` ${say("failure.after", { when: relative(Date.now() + known.retryAfter * 1000) })}` : ""}
      </p>
      {known?.requestId && (
        <p className="flex flex-wrap items-center gap-2 text-muted">
          {say("failure.request")} <code className="font-mono text-xs">{known.requestId}</code> <Copy text={known.requestId} />
        </p>
      )}
      {retry && (
        <div>
          <Button onClick={retry}>{say("retry")}</Button>
        </div>
      )}
    </div>
  );
}

/** Ends a message of the API as a sentence, because another one follows. */
const sentence = (text: string) => (/[.!?…]$/.test(text) ? text : `${text}.`);

/** One sentence, one action, one example. */
export function Empty({ text, action, children }: { text: string; action?: ReactNode; children?: ReactNode }) {
  return (
    <div className="grid justify-items-start gap-4 border-t border-line py-6">
      <p className="max-w-[68ch]">{text}</p>
      {action}
      {children && <div className="w-full max-w-2xl">{children}</div>}
    </div>
  );
}

const TONES = { good: ["✓", "text-good"], warn: ["!", "text-warn"], bad: ["✕", "text-bad"], plain: ["", "text-muted"] } as const;

/** A state: a sign and a word, never a colour alone. */
export function State({ tone, children }: { tone: keyof typeof TONES; children: ReactNode }) {
  const [sign, colour] = TONES[tone];
  return (
    <span className={`inline-flex gap-1 whitespace-nowrap ${colour}`}>
      {sign && <span aria-hidden="true">{sign}</span>}
      {children}
    </span>
  );
}

/** A time: how long ago, with the exact one on hover. */
export function Time({ at }: { at: string }) {
  const { relative, exact } = useWords();
  return (
    <time dateTime={at} title={exact(at)} className="whitespace-nowrap">
      {relative(at)}
    </time>
  );
}

/** The head of a page: its title, a sentence, and the one primary action. */
export function Head({ title, text, action }: { title: string; text?: ReactNode; action?: ReactNode }) {
  useEffect(() => {
    document.title = `${title} · Consigne`;
  }, [title]);
  return (
    <header className="flex flex-wrap items-start gap-3">
      <div className="grid min-w-0 grow gap-1">
        <h1 className="text-lg font-semibold">{title}</h1>
        {text && <p className="max-w-[68ch] text-muted">{text}</p>}
      </div>
      {action}
    </header>
  );
}
