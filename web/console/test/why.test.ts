import type { KeyView, UsageEntry, WalletView } from "@consigne/client";
import { expect, test } from "vitest";

import { changeOf as change, rangeBefore, totalsOf } from "../src/charts/days.ts";
import { byHour, figuresOf, firstHour, ofGroup, percentile } from "../src/charts/receipts.ts";
import { changeOf, draftOf } from "../src/keys/form.ts";
import { shortened } from "../src/ui/Id.tsx";
import { addressOf, checksOf, endOf, findKey, limiterOf, refusalOf, soughtOf } from "../src/why/verdict.ts";

const NOW = Date.parse("2026-11-28T10:20:00Z");
const KEY = {
  ...{ id: "key_1", name: "Website", prefix: "sk_live", hint: "x7Qa", environment: "production", scopes: ["pdf:read"], status: "active" },
  ...{ minute_quota: null, daily_quota: 10, monthly_quota: null, minute_used: 0, daily_used: 3, monthly_used: 3, expires_at: null },
  ...{ created_by: "user_ann", previous_valid_until: null },
} as KeyView;
const WALLET = { balance: 5, is_open: true, test: { balance: 100, resets_at: "2026-12-10T00:00:00Z" } } as WalletView;
const CALL = { scope: "pdf:read", cost: 1 };

/** What refuses a call, by name and code. */
const refused = (key: Partial<KeyView>, wallet: Partial<WalletView> = {}, call: Partial<typeof CALL> = {}, mine = true) =>
  checksOf({ ...KEY, ...key }, { ...WALLET, ...wallet }, { ...CALL, ...call }, mine, NOW)
    .filter(({ code }) => code !== null)
    .map(({ name, code, lifts }) => [name, code, lifts]);

test("each limiter refuses for its own reason, and says when it lifts", () => {
  expect(refused({})).toEqual([]);
  expect(refused({ status: "revoked" })).toEqual([["state", "REVOKED", null]]);
  expect(refused({ status: "suspended" })).toEqual([["state", "SUSPENDED", null]]);
  expect(refused({ expires_at: "2026-11-28T10:20:00Z" })).toEqual([["state", "EXPIRED", null]]);
  expect(refused({ expires_at: "2026-11-28T10:20:01Z" })).toEqual([]);
  expect(refused({}, {}, { scope: "pdf:write" })).toEqual([["scope", "INSUFFICIENT_SCOPE", null]]);
  expect(refused({ minute_quota: 2, minute_used: 2 })).toEqual([["minute", "MINUTE_QUOTA_EXCEEDED", "2026-11-28T10:21:00Z"]]);
  expect(refused({ daily_used: 10 })).toEqual([["day", "DAILY_QUOTA_EXCEEDED", "2026-11-29T00:00:00Z"]]);
  expect(refused({ monthly_quota: 3 })).toEqual([["month", "MONTHLY_QUOTA_EXCEEDED", "2026-12-01T00:00:00Z"]]);
  expect(refused({}, { is_open: false })).toEqual([["organisation", "SUSPENDED", null]]);
  expect(refused({}, { balance: 0 })).toEqual([["credits", "INSUFFICIENT_CREDITS", null]]);
  expect(refused({}, {}, { cost: 6 })).toEqual([["credits", "INSUFFICIENT_CREDITS", null]]);
  expect(endOf("month", Date.parse("2026-12-31T23:59:59Z"))).toBe("2027-01-01T00:00:00Z");
});

test("a test key is paid by the test credits of its creator, which only they can see", () => {
  const empty = { balance: 0, test: { balance: 0, resets_at: "2026-12-10T00:00:00Z" } };
  expect(refused({ environment: "test" }, empty)).toEqual([["credits", "INSUFFICIENT_CREDITS", "2026-12-10T00:00:00Z"]]);
  expect(refused({ environment: "test" }, empty, {}, false)).toEqual([]);
  const checks = checksOf({ ...KEY, environment: "test" }, { ...WALLET, ...empty }, CALL, false, NOW);
  expect(checks.at(-1)).toMatchObject({ name: "credits", unknown: true });
});

test("the body of a refusal names its limiter; other answers are none", () => {
  const body = (details: object) => JSON.stringify({ success: false, error: { code: "RATE_LIMITED", message: "", details } });
  expect(refusalOf(body({ code: "DAILY_QUOTA_EXCEEDED", limiter: "key", resets_at: "2026-11-29T00:00:00Z" }))).toEqual({
    ...{ code: "DAILY_QUOTA_EXCEEDED", limiter: "day", resetsAt: "2026-11-29T00:00:00Z" },
  });
  expect(refusalOf(body({ code: "SUSPENDED", limiter: "organisation" }))?.limiter).toBe("organisation");
  expect(limiterOf("SUSPENDED", "key")).toBe("state");
  expect(refusalOf(body({ limit: 3 }))).toBeUndefined();
  expect(refusalOf(JSON.stringify({ error: { code: "SERVICE_UNKNOWN", message: "" } }))?.code).toBe("SERVICE_UNKNOWN");
  expect(refusalOf(JSON.stringify({ error: { code: "NOT_FOUND", message: "a page of the service itself" } }))).toBeUndefined();
  expect(refusalOf("<html>")).toBeUndefined();
  expect(refusalOf("null")).toBeUndefined();
});

test("what is searched for is a receipt, a key, its end or its name, and never a key's text", () => {
  expect(soughtOf(" rcpt_01 ")).toEqual({ receipt: "rcpt_01" });
  expect(soughtOf("key_01")).toEqual({ key: "key_01" });
  expect(soughtOf("sk_live_abcdefghijklmnopqrstx7Qa")).toEqual({ hint: "x7Qa" });
  expect(addressOf(soughtOf("sk_live_abcdefghijklmnopqrstx7Qa"))).toBe("x7Qa");
  expect(soughtOf("sk_live_...x7Qa")).toEqual({ hint: "x7Qa" });
  expect(findKey([KEY], soughtOf("sk_live_...x7Qa"))).toBe(KEY);
  expect(findKey([KEY], soughtOf("website"))).toBe(KEY);
  expect(findKey([KEY], soughtOf("x7Qa"))).toBe(KEY);
  expect(findKey([KEY], soughtOf("key_1"))).toBe(KEY);
  expect(findKey([KEY], soughtOf("rcpt_1"))).toBeUndefined();
});

const call = (timestamp: string, more: Partial<UsageEntry> = {}) =>
  ({ ...{ timestamp, key_id: "key_1", service: "pdf", country: "FR", credits: 1, status_code: 200, response_ms: 10 }, ...more }) as UsageEntry;

test("the calls of 24 hours are counted by hour as the API counts days", () => {
  const entries = [
    call("2026-11-28T10:10:00Z", { status_code: 503, credits: 0, response_ms: 90 }),
    call("2026-11-28T10:00:00Z", { country: null, status_code: 302 }),
    call("2026-11-28T09:59:59Z", { status_code: null, response_ms: null, service: "ai" }),
  ];
  const hours = byHour(entries, NOW);
  expect(hours.length).toBe(24);
  expect(hours[0]).toMatchObject({ date: "2026-11-27T11:00:00Z", requests: 0, success_rate: null, p50_ms: null });
  expect(new Date(firstHour(NOW)).toISOString()).toBe("2026-11-27T11:00:00.000Z");
  expect(hours[22]).toMatchObject({ requests: 1, credits: 1, outcomes: 0, success_rate: null, p50_ms: null, services: { ai: 1 } });
  expect(hours[23]).toMatchObject({
    requests: 2,
    credits: 1,
    outcomes: 2,
    success_rate: 50,
    p50_ms: 10,
    p95_ms: 90,
    countries: { FR: 1, unknown: 1 },
  });
  expect(figuresOf(ofGroup(entries, "service", "ai")).requests).toBe(1);
  expect(totalsOf(hours)).toEqual({ calls: 3, credits: 2, success: 50 });
  expect(totalsOf([])).toEqual({ calls: 0, credits: 0, success: null });
});

test("percentiles are by nearest rank, and the period before has the same length", () => {
  expect([percentile([], 50), percentile([7], 95), percentile([3, 1, 2, 4], 50), percentile([1, 2, 3, 4], 95)]).toEqual([null, 7, 2, 4]);
  expect(rangeBefore({ from: "2026-11-22", to: "2026-11-28" })).toEqual({ from: "2026-11-15", to: "2026-11-21" });
  expect([change(12, 10), change(5, 0)]).toEqual([0.2, null]);
});

test("editing a key sends what was changed, and nothing else", () => {
  const draft = draftOf(KEY);
  expect(changeOf(KEY, draft)).toEqual({});
  expect(changeOf(KEY, { ...draft, scopes: ["pdf:read"], daily: "", monthly: "20" })).toEqual({ daily_quota: null, monthly_quota: 20 });
  expect(changeOf(KEY, { ...draft, name: " Site ", expires: "2026-12-31" })).toEqual({ name: "Site", expires_at: "2026-12-31T23:59:59Z" });
  const timed = { ...KEY, expires_at: "2026-12-31T08:00:00Z" };
  expect(changeOf(timed, { ...draftOf(timed), scopes: ["ai:read", "pdf:read"] })).toEqual({ scopes: ["ai:read", "pdf:read"] });
  expect(changeOf(timed, { ...draftOf(timed), expires: "" })).toEqual({ expires_at: null });
});

test("a long id keeps its kind and its end", () => {
  expect(shortened("key_01M8HV9645MT9RDSPZFF5AS9DQ")).toBe("key_…5AS9DQ");
  expect(shortened("key_1")).toBe("key_1");
});
