import type { IssueRequest, KeyUpdateRequest, KeyView } from "@consigne/client";

import type { MessageId } from "../words.ts";

/** What a person has typed for a new key. */
export interface KeyDraft {
  name: string;
  environment: "production" | "test";
  scopes: string[];
  /** Whole numbers as typed; empty for no limit. */
  minute: string;
  daily: string;
  monthly: string;
  /** Last day on which the key is accepted, as `2026-12-31`; empty for ever. */
  expires: string;
}

export const EMPTY_DRAFT: KeyDraft = { name: "", environment: "test", scopes: [], minute: "", daily: "", monthly: "", expires: "" };

/** What is wrong with a draft, by field. */
export type Faults = Partial<Record<keyof KeyDraft, MessageId>>;

/** Says what is wrong with a draft. */
export function faultsOf(draft: KeyDraft, now = Date.now()): Faults {
  const faults: Faults = {};
  if (draft.name.trim() === "") faults.name = "keys.fault.name";
  if (draft.scopes.length === 0) faults.scopes = "keys.fault.scopes";
  for (const field of ["minute", "daily", "monthly"] as const) {
    if (draft[field] !== "" && !/^[1-9]\d{0,8}$/.test(draft[field])) faults[field] = "keys.fault.quota";
  }
  if (draft.expires !== "" && endOf(draft.expires).getTime() <= now) faults.expires = "keys.fault.expires";
  return faults;
}

const quota = (text: string) => (text === "" ? null : Number(text));
const expiryOf = ({ expires }: KeyDraft) => (expires === "" ? null : endOf(expires).toISOString().replace(".000", ""));

/** Makes the request of a draft without faults. */
export function requestOf(draft: KeyDraft): IssueRequest {
  return {
    name: draft.name.trim(),
    environment: draft.environment,
    // The API checks them: the catalogue may know more than this build does.
    scopes: draft.scopes as IssueRequest["scopes"],
    minute_quota: quota(draft.minute),
    daily_quota: quota(draft.daily),
    monthly_quota: quota(draft.monthly),
    expires_at: expiryOf(draft),
  };
}

/** Returns the draft of a key as it is. */
export function draftOf(key: KeyView): KeyDraft {
  const text = (limit: number | null) => (limit === null ? "" : String(limit));
  return {
    name: key.name,
    environment: key.environment,
    scopes: [...key.scopes],
    minute: text(key.minute_quota),
    daily: text(key.daily_quota),
    monthly: text(key.monthly_quota),
    expires: key.expires_at?.slice(0, 10) ?? "",
  };
}

/** Returns what a draft changes of a key: only the fields that differ, so that nobody's change of another field is undone. */
export function changeOf(key: KeyView, draft: KeyDraft): KeyUpdateRequest {
  const before = draftOf(key);
  const change: KeyUpdateRequest = {};
  if (draft.name.trim() !== before.name) change.name = draft.name.trim();
  if ([...draft.scopes].sort().join() !== [...before.scopes].sort().join()) change.scopes = draft.scopes as KeyUpdateRequest["scopes"] & object;
  if (draft.minute !== before.minute) change.minute_quota = quota(draft.minute);
  if (draft.daily !== before.daily) change.daily_quota = quota(draft.daily);
  if (draft.monthly !== before.monthly) change.monthly_quota = quota(draft.monthly);
  if (draft.expires !== before.expires) change.expires_at = expiryOf(draft);
  return change;
}

/** Returns the end of a day (UTC). */
function endOf(day: string): Date {
  return new Date(`${day}T23:59:59Z`);
}

/** Writes a key without its middle, as it is shown ever after. */
export const masked = ({ prefix, hint }: { prefix: string; hint: string }): string => `${prefix}_...${hint}`;

/** Returns a call that a new key can make: through the gateway, to the service of its first scope. */
export function exampleCall(apiUrl: string, key: string, scopes: readonly string[]): string {
  const service = scopes[0]?.split(":")[0] ?? "pdf";
  return `curl ${apiUrl}/api/v1/${service}/documents/1 --header "X-API-Key: ${key}"`;
}
