import type { IssuedKey, KeyUpdateRequest, KeyView } from "@consigne/client";
import type { Keys } from "@consigne/react";
import { Link } from "@tanstack/react-router";
import { useEffect, useState } from "react";

import { Button } from "../ui/Button.tsx";
import { Confirm } from "../ui/Confirm.tsx";
import { Actions, Dialog } from "../ui/Dialog.tsx";
import { Fact } from "../ui/Fact.tsx";
import { Field, TextInput } from "../ui/Field.tsx";
import { Rotate } from "../ui/Rotate.tsx";
import { State, Time } from "../ui/states.tsx";
import { Checks } from "../why/Checks.tsx";
import { type MessageId, useWords } from "../words.ts";
import { changeOf, draftOf, masked } from "./form.ts";
import { KeyForm } from "./KeyForm.tsx";

type Step = "look" | "edit" | "rotate" | "revoke" | "delete";

interface Props {
  /** Id of the organisation. */
  org: string;
  shown: KeyView;
  keys: Keys;
  mayChange: boolean;
  mayDelete: boolean;
  mayAudit: boolean;
  onIssued(key: IssuedKey): void;
  onClose(): void;
}

/** One key: its limits and use, and what can be done with it. */
export function KeyPanel({ org, shown, keys, mayChange, mayDelete, mayAudit, onIssued, onClose }: Props) {
  const { say } = useWords();
  const [step, setStep] = useState<Step>("look");
  const back = () => setStep("look");
  if (step === "edit") return <Edit shown={shown} onBack={back} update={(change) => keys.update(shown.id, change).then(back)} />;
  if (step === "rotate") {
    return (
      <Rotate
        title={say("keys.rotate.title", { name: shown.name })}
        text={say("keys.rotate.text", { key: masked(shown) })}
        grace={say("keys.grace")}
        verb={say("keys.rotate")}
        failed={say("keys.rotate.failed")}
        rotate={async (grace) => onIssued(await keys.rotate(shown.id, grace))}
        onBack={back}
      />
    );
  }
  if (step === "revoke") return <Revoke shown={shown} onBack={back} revoke={(reason) => keys.revoke(shown.id, reason).then(back)} />;
  if (step === "delete") {
    return (
      <Confirm
        title={say("keys.delete.title", { name: shown.name })}
        verb={say("keys.delete")}
        failed={say("keys.delete.failed")}
        typed={{ label: say("keys.delete.type", { name: shown.name }), text: shown.name }}
        work={() => keys.remove(shown.id).then(onClose)}
        onClose={back}
      >
        <p>{say("keys.delete.text")}</p>
      </Confirm>
    );
  }
  const usable = shown.status === "active" || shown.status === "suspended";
  return (
    <Dialog title={shown.name} onClose={onClose} drawer>
      <Facts shown={shown} />
      <Actions onClose={onClose}>
        {mayChange && usable && <Button onClick={() => setStep("edit")}>{say("keys.edit")}</Button>}
        {mayChange && usable && <Button onClick={() => setStep("rotate")}>{say("keys.rotate")}</Button>}
        {mayChange && usable && (
          <Button danger onClick={() => setStep("revoke")}>
            {say("keys.revoke")}
          </Button>
        )}
        {mayDelete && !usable && (
          <Button danger onClick={() => setStep("delete")}>
            {say("keys.delete")}
          </Button>
        )}
      </Actions>
      <h3 className="text-base font-semibold">{say("why.now")}</h3>
      <Checks org={org} shown={shown} />
      <div className="flex flex-wrap gap-x-4">
        <Link to="/orgs/$org/usage" params={{ org }} search={{ key: shown.id }} className="text-accent underline underline-offset-2">
          {say("keys.calls")}
        </Link>
        {mayAudit && (
          <Link to="/orgs/$org/audit" params={{ org }} search={{ subject: shown.id }} className="text-accent underline underline-offset-2">
            {say("keys.history")}
          </Link>
        )}
      </div>
    </Dialog>
  );
}

function Facts({ shown }: { shown: KeyView }) {
  const { say, number, exact } = useWords();
  const used = (count: number, quota: number | null) =>
    quota === null ? say("keys.used", { count: number(count) }) : say("keys.used.of", { count: number(count), quota: number(quota) });
  return (
    <dl className="border-t border-line">
      <Fact label="keys.status">
        <KeyState shown={shown} />
      </Fact>
      {shown.revoked_at && (
        <Fact label="keys.revoked">
          <Time at={shown.revoked_at} />
          {shown.revoked_reason && <p>{shown.revoked_reason}</p>}
        </Fact>
      )}
      {shown.previous_valid_until && (
        <Fact label="keys.previous">
          <Countdown until={shown.previous_valid_until} />
        </Fact>
      )}
      <Fact label="keys.key">
        <code className="font-mono text-xs">{masked(shown)}</code>
      </Fact>
      <Fact label="keys.id">
        <code className="font-mono text-xs">{shown.id}</code>
      </Fact>
      <Fact label="keys.environment">{say(shown.environment === "test" ? "keys.test" : "keys.production")}</Fact>
      <Fact label="keys.scopes">
        <code className="font-mono text-xs">{shown.scopes.join(" ")}</code>
      </Fact>
      <Fact label="keys.quota.minute">{shown.minute_quota === null ? say("keys.quota.none") : used(shown.minute_used, shown.minute_quota)}</Fact>
      <Fact label="keys.today">{used(shown.daily_used, shown.daily_quota)}</Fact>
      <Fact label="keys.month">{used(shown.monthly_used, shown.monthly_quota)}</Fact>
      <Fact label="keys.last">{shown.last_used_at ? <Time at={shown.last_used_at} /> : say("keys.never")}</Fact>
      {shown.last_used_ip && (
        <Fact label="keys.ip">
          <code className="font-mono text-xs">{shown.last_used_ip}</code>
        </Fact>
      )}
      <Fact label="keys.expires">{shown.expires_at ? exact(shown.expires_at) : say("keys.expires.never")}</Fact>
      <Fact label="keys.created">
        <Time at={shown.created_at} /> ({shown.created_by_name ?? shown.created_by})
      </Fact>
    </dl>
  );
}

/** The state of a key, in a word and a sign. */
export function KeyState({ shown }: { shown: KeyView }) {
  const { say } = useWords();
  const tone = { active: "good", suspended: "warn", revoked: "bad", expired: "plain" } as const;
  return <State tone={tone[shown.status]}>{say(`keys.status.${shown.status}`)}</State>;
}

/** Until when what was there before a rotation is accepted, counted down: the text of a key, unless `label` says something else. */
export function Countdown({ until, label = "keys.previous.left" }: { until: string; label?: MessageId }) {
  const { say, exact } = useWords();
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  const left = Math.floor((Date.parse(until) - now) / 1000);
  if (left <= 0) return say("keys.previous.over");
  return <span title={exact(until)}>{say(label, { left: clock(left) })}</span>;
}

/** Writes seconds as `27:03:09`: hours, minutes, seconds. */
export function clock(seconds: number): string {
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return parts.map((part) => String(part).padStart(2, "0")).join(":");
}

function Edit({ shown, update, onBack }: { shown: KeyView; update(change: KeyUpdateRequest): Promise<unknown>; onBack(): void }) {
  const { say } = useWords();
  const [draft, setDraft] = useState(() => draftOf(shown));
  const change = changeOf(shown, draft);
  return (
    <Dialog title={say("keys.edit.title", { name: shown.name })} onClose={onBack}>
      <KeyForm
        draft={draft}
        onDraft={setDraft}
        verb={say("save")}
        failed={say("keys.edit.failed")}
        changed={Object.keys(change).length > 0}
        work={() => update(change)}
        onClose={onBack}
      />
    </Dialog>
  );
}

function Revoke({ shown, revoke, onBack }: { shown: KeyView; revoke(reason: string): Promise<unknown>; onBack(): void }) {
  const { say, number } = useWords();
  const [reason, setReason] = useState("");
  return (
    <Confirm
      title={say("keys.revoke.title", { name: shown.name })}
      verb={say("keys.revoke")}
      failed={say("keys.revoke.failed")}
      incomplete={reason.trim() === ""}
      work={() => revoke(reason.trim())}
      onClose={onBack}
    >
      <p>{say("keys.revoke.text", { key: masked(shown), calls: shown.daily_used, count: number(shown.daily_used) })}</p>
      <Field label={say("keys.reason")} hint={say("keys.reason.hint")}>
        <TextInput required maxLength={200} value={reason} onChange={setReason} />
      </Field>
    </Confirm>
  );
}
