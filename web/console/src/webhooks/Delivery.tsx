import type { DeliveryView } from "@consigne/client";

import { Button } from "../ui/Button.tsx";
import { Code } from "../ui/Copy.tsx";
import { Failure, State, Time } from "../ui/states.tsx";
import { useWork } from "../ui/useWork.ts";
import { type MessageId, useWords } from "../words.ts";
import { headersOf, SNIPPET, verificationOf } from "./snippet.ts";

export const DELIVERY_WORDS: Record<DeliveryView["status"], ["good" | "plain" | "bad", MessageId]> = {
  pending: ["plain", "deliveries.pending"],
  delivered: ["good", "deliveries.delivered"],
  failed: ["bad", "deliveries.failed.state"],
  cancelled: ["plain", "deliveries.cancelled"],
};

const ERROR_WORDS: Record<string, MessageId> = {
  redirect: "deliveries.error.redirect",
  timeout: "deliveries.error.timeout",
  unreachable: "deliveries.error.unreachable",
  malformed: "deliveries.error.malformed",
  not_allowed: "deliveries.error.not_allowed",
  cut_short: "deliveries.error.cut_short",
};

interface Props {
  delivery: DeliveryView;
  open: boolean;
  onToggle(): void;
  redeliver(): Promise<unknown>;
}

/** One webhook: a line of the list, and its timeline while it is open. */
export function Delivery({ delivery, open, onToggle, redeliver }: Props) {
  const { say } = useWords();
  const { busy, failure, run } = useWork(redeliver);
  const [tone, word] = DELIVERY_WORDS[delivery.status];
  return (
    <li className="grid gap-2 border-b border-line py-3">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <button
          type="button"
          aria-expanded={open}
          className="grow text-start font-mono text-xs underline-offset-2 hover:underline"
          onClick={onToggle}
        >
          <span aria-hidden="true">{open ? "▾ " : "▸ "}</span>
          {delivery.type}
        </button>
        <State tone={tone}>{say(word)}</State>
        <span className="text-muted">
          <Time at={delivery.created_at} />
        </span>
      </div>
      {open && <Timeline delivery={delivery} />}
      {delivery.status !== "pending" && (
        <div>
          <Button onClick={() => void run()} busy={busy}>
            {say("deliveries.redeliver")}
          </Button>
        </div>
      )}
      {failure !== undefined && <Failure what={say("deliveries.redeliver.failed")} error={failure} />}
    </li>
  );
}

/** The attempts in their order, the next one, and how to verify what was sent. */
function Timeline({ delivery }: { delivery: DeliveryView }) {
  const { say, relative, exact, number } = useWords();
  return (
    <div className="grid gap-3">
      <ol className="grid gap-3 border-s border-line ps-3">
        <li>
          {say("deliveries.event")} <Time at={delivery.created_at} />
        </li>
        {delivery.attempts.map((attempt) => (
          <li key={attempt.number} className="grid gap-1">
            <div className="flex flex-wrap gap-x-3">
              <span>{say("deliveries.attempt", { number: attempt.number })}</span>
              <State tone={attempt.error === null ? "good" : "bad"}>
                <span className="whitespace-normal">
                  {attempt.status_code === null
                    ? say(ERROR_WORDS[attempt.error ?? ""] ?? "deliveries.error.unreachable")
                    : say("deliveries.answer", { status: attempt.status_code })}
                </span>
              </State>
              {attempt.duration_ms !== null && <span className="text-muted">{say("deliveries.took", { ms: number(attempt.duration_ms) })}</span>}
              <span className="text-muted">
                <Time at={attempt.at} />
              </span>
            </div>
            {attempt.response ? (
              <details open={attempt.error !== null}>
                <summary className="w-fit text-muted">{say("deliveries.body")}</summary>
                <pre className="whitespace-pre-wrap rounded-md bg-hover p-2 font-mono text-xs">{attempt.response}</pre>
              </details>
            ) : (
              attempt.status_code !== null && <p className="text-muted">{say("deliveries.body.none")}</p>
            )}
          </li>
        ))}
        {delivery.next_attempt_at && (
          <li title={exact(delivery.next_attempt_at)}>
            {say("deliveries.next", { when: relative(delivery.next_attempt_at), exact: exact(delivery.next_attempt_at) })}
          </li>
        )}
      </ol>
      <Code label={say("deliveries.headers")} text={headersOf(delivery)} />
      <details className="grid gap-2">
        <summary className="w-fit text-muted">{say("deliveries.verify")}</summary>
        <div className="grid gap-3 pt-2">
          <Code label={say("hooks.empty.example")} text={SNIPPET} />
          <Code label={say("deliveries.compare")} text={verificationOf(delivery)} />
        </div>
      </details>
    </div>
  );
}
