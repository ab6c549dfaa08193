import type { KeyView, RefusalCode, WalletView } from "@consigne/client";

/** What can refuse a call, in the order in which the API asks. */
export const LIMITERS = ["state", "scope", "minute", "day", "month", "organisation", "credits"] as const;
export type LimiterName = (typeof LIMITERS)[number];

/** What one limiter would say of a call now. */
export interface Check {
  name: LimiterName;
  /** Why it refuses; null if it lets the call pass. */
  code: RefusalCode | null;
  /** How much of a limit is used, or credits that are left. Absent where there is nothing to count. */
  have?: number;
  /** The limit, or the price of the call; null without a limit. */
  of?: number | null;
  /** When it lets the call pass by itself; null if it does not. */
  lifts: string | null;
  /** Its numbers are those of somebody else, and not known here. */
  unknown?: boolean;
}

/** What a call would be. */
export interface Call {
  /** The scope that it needs; null if that is not known. */
  scope: string | null;
  /** Credits that it costs. */
  cost: number;
}

const text = (time: number): string => new Date(time).toISOString().replace(".000", "");

/** Returns when a period of UTC that has begun is over. */
export function endOf(period: "day" | "month", now: number): string {
  const date = new Date(now);
  const [year, month, day] = [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()];
  return text(period === "day" ? Date.UTC(year, month, day + 1) : Date.UTC(year, month + 1, 1));
}

/** Says what each limiter would say of a call with a key now. `mine` tells whether the wallet's test credits pay for a test key. */
export function checksOf(key: KeyView, wallet: WalletView | undefined, call: Call, mine: boolean, now = Date.now()): Check[] {
  const expired = key.status === "expired" || (key.expires_at !== null && Date.parse(key.expires_at) <= now);
  const state = key.status === "revoked" ? "REVOKED" : key.status === "suspended" ? "SUSPENDED" : expired ? "EXPIRED" : null;
  const counted = (name: "minute" | "day" | "month", have: number, of: number | null, code: RefusalCode, lifts: string): Check => {
    const full = of !== null && have >= of;
    return { name, code: full ? code : null, have, of, lifts: full ? lifts : null };
  };
  const checks: Check[] = [
    { name: "state", code: state, lifts: null },
    { name: "scope", code: call.scope !== null && !key.scopes.includes(call.scope) ? "INSUFFICIENT_SCOPE" : null, lifts: null },
    // The minute begins with its first call, so it is over in a minute at the latest.
    counted("minute", key.minute_used, key.minute_quota, "MINUTE_QUOTA_EXCEEDED", text(now + 60_000)),
    counted("day", key.daily_used, key.daily_quota, "DAILY_QUOTA_EXCEEDED", endOf("day", now)),
    counted("month", key.monthly_used, key.monthly_quota, "MONTHLY_QUOTA_EXCEEDED", endOf("month", now)),
  ];
  if (!wallet) return checks;
  checks.push({ name: "organisation", code: wallet.is_open ? null : "SUSPENDED", lifts: null });
  if (key.environment === "test") {
    const short = mine && wallet.test.balance < call.cost;
    const known = mine ? { have: wallet.test.balance } : { unknown: true };
    checks.push({
      name: "credits",
      code: short ? "INSUFFICIENT_CREDITS" : null,
      ...known,
      of: call.cost,
      lifts: short ? wallet.test.resets_at : null,
    });
  } else {
    const short = wallet.balance < call.cost;
    checks.push({ name: "credits", code: short ? "INSUFFICIENT_CREDITS" : null, have: wallet.balance, of: call.cost, lifts: null });
  }
  return checks;
}

/** What the gateway said of a call that it refused. */
export interface Refusal {
  code: RefusalCode;
  /** What refused it; null if it is none of the limiters. */
  limiter: LimiterName | null;
  /** When the same call may pass; null if waiting is not enough. */
  resetsAt: string | null;
}

const CODES: Record<RefusalCode, LimiterName | null> = {
  NOT_FOUND: null,
  REVOKED: "state",
  EXPIRED: "state",
  SUSPENDED: "state",
  INSUFFICIENT_SCOPE: "scope",
  MINUTE_QUOTA_EXCEEDED: "minute",
  DAILY_QUOTA_EXCEEDED: "day",
  MONTHLY_QUOTA_EXCEEDED: "month",
  INSUFFICIENT_CREDITS: "credits",
  SERVICE_UNKNOWN: null,
};

/** Returns the limiter that a refusal names; null if it is none of them. `limiter` is the API's own word. */
export const limiterOf = (code: RefusalCode, limiter?: unknown): LimiterName | null =>
  code === "SUSPENDED" && limiter === "organisation" ? "organisation" : CODES[code];

/** Reads a refusal from the body of an answer; undefined if it is something else. */
export function refusalOf(body: string): Refusal | undefined {
  try {
    const { error } = JSON.parse(body) as { error?: { code?: string; details?: { code?: string; limiter?: string; resets_at?: string } } };
    const details = error?.details;
    // A service that does not exist is refused before any limiter is asked, so the details are missing.
    const code = details?.code ?? (error?.code === "SERVICE_UNKNOWN" ? error.code : undefined);
    if (code === undefined || !(code in CODES)) return undefined;
    return { code: code as RefusalCode, resetsAt: details?.resets_at ?? null, limiter: limiterOf(code as RefusalCode, details?.limiter) };
  } catch {
    return undefined;
  }
}

/** What a person may search for. */
export type Sought = { receipt: string } | { key: string } | { hint: string } | { name: string };

/**
 * Reads what was typed: the id of a receipt or of a key, a key, its end, or its name. Of a key's text only the end that is
 * shown everywhere is kept, because what is searched for gets into the address.
 */
export function soughtOf(typed: string): Sought {
  const text = typed.trim();
  if (/^rcpt_/.test(text)) return { receipt: text };
  if (/^key_/.test(text)) return { key: text };
  const secret = /^[a-z0-9]+_(?:live|test)_.*?([A-Za-z0-9]{4})$/.exec(text);
  if (secret?.[1]) return { hint: secret[1] };
  return { name: text };
}

/** Writes what is sought for the address. */
export const addressOf = (sought: Sought): string => Object.values(sought)[0] as string;

/** Finds the key that is meant: by its id, its end or its name, whatever its case. */
export function findKey(keys: readonly KeyView[], sought: Sought): KeyView | undefined {
  if ("key" in sought) return keys.find(({ id }) => id === sought.key);
  if ("receipt" in sought) return undefined;
  const typed = "hint" in sought ? sought.hint : sought.name;
  return keys.find(({ hint }) => hint === typed) ?? keys.find(({ name }) => name.toLowerCase() === typed.toLowerCase());
}
