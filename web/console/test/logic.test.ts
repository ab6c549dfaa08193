import { readFileSync } from "node:fs";

import type { DayView, EndpointView, KeyView, WalletView } from "@consigne/client";
import { expect, test } from "vitest";

import { byGroup, ceiling, csv, everyDay, rangeOf, runs } from "../src/charts/days.ts";
import { checked } from "../src/config.ts";
import { mattersOf, paceOf, paceRange } from "../src/home/overview.ts";
import { EMPTY_DRAFT, faultsOf, masked, requestOf } from "../src/keys/form.ts";
import { clock } from "../src/keys/KeyPanel.tsx";
import { MAY, may } from "../src/roles.ts";
import { adds, parts } from "../src/routes/wallet.sum.ts";

const NOW = Date.parse("2026-11-28T10:00:00Z");
const day = (date: string, more: Partial<DayView> = {}) =>
  ({ date, requests: 1, credits: 1, outcomes: 0, success_rate: null, p50_ms: null, p95_ms: null, services: {}, complete: true, ...more }) as DayView;

test("a range ends today and has every day, also those on which nothing was called", () => {
  const range = rangeOf(3, NOW);
  expect(range).toEqual({ from: "2026-11-26", to: "2026-11-28" });
  const days = everyDay(range, [day("2026-11-27", { success_rate: 75 })]);
  expect(days.map(({ date, requests, success_rate }) => [date, requests, success_rate])).toEqual([
    ["2026-11-26", 0, null],
    ["2026-11-27", 1, 75],
    ["2026-11-28", 0, null],
  ]);
});

test("a missing value is a gap in a line", () => {
  expect(runs([1, 2, null, 0, null])).toEqual([
    { start: 0, values: [1, 2] },
    { start: 3, values: [0] },
  ]);
  expect(runs([null])).toEqual([]);
});

test("an axis ends at a round number above all values", () => {
  expect([[], [3], [5], [41], [100], [950], [1001]].map((values) => ceiling(values))).toEqual([4, 4, 6, 60, 200, 1000, 2000]);
});

test("at most four series: the rest are others", () => {
  const days = [day("2026-11-28", { services: { a: 1, b: 2, c: 3, d: 4, pdf: 9 } })];
  const series = byGroup(days, "service", "others");
  expect(series.map(({ name, values }) => [name, values[0]])).toEqual([
    ["pdf", 9],
    ["d", 4],
    ["c", 3],
    ["others", 3],
  ]);
  expect(csv("Day", days, series)).toBe("Day,pdf,d,c,others\r\n2026-11-28,9,4,3,3\r\n");
  expect(csv("Day", days, [{ name: 'a "b", c', colour: "", values: [null] }])).toBe('Day,"a ""b"", c"\r\n2026-11-28,\r\n');
});

test("a draft of a key is checked, and becomes a request", () => {
  expect(faultsOf(EMPTY_DRAFT, NOW)).toEqual({ name: "keys.fault.name", scopes: "keys.fault.scopes" });
  const draft = { ...EMPTY_DRAFT, name: " Website ", scopes: ["pdf:read"], daily: "100", expires: "2026-12-31" };
  expect(faultsOf(draft, NOW)).toEqual({});
  expect(requestOf(draft)).toEqual({
    name: "Website",
    environment: "test",
    scopes: ["pdf:read"],
    minute_quota: null,
    daily_quota: 100,
    monthly_quota: null,
    expires_at: "2026-12-31T23:59:59Z",
  });
  expect(faultsOf({ ...draft, daily: "1.5", minute: "0", expires: "2026-11-27" }, NOW)).toEqual({
    daily: "keys.fault.quota",
    minute: "keys.fault.quota",
    expires: "keys.fault.expires",
  });
  expect(masked({ prefix: "sk_live", hint: "x7Qa" })).toBe("sk_live_...x7Qa");
  expect(clock(97_389)).toBe("27:03:09");
});

test("the parts of a wallet add up to its balance", () => {
  const wallet = {
    balance: 880,
    held: 10,
    total_purchased: 1000,
    total_granted: 50,
    total_used: 60,
    total_expired: 0,
    total_clawed_back: 100,
  } as WalletView;
  expect(adds(wallet)).toBe(true);
  expect(adds({ ...wallet, balance: 881 })).toBe(false);
  expect(parts(wallet).map(({ name }) => name)).toEqual(["bought", "granted", "used", "held", "expired", "clawed"]);
  expect(parts({ ...wallet, total_clawed_back: 0 }).map(({ name }) => name)).not.toContain("clawed");
  expect(parts(wallet).some(({ amount }) => Object.is(amount, -0))).toBe(false);
});

test("billing sees wallet, payments and usage, and no keys", () => {
  expect(Object.keys(MAY).filter((right) => may("billing", right as keyof typeof MAY))).toEqual([
    "wallet.see",
    "wallet.buy",
    "payments.see",
    "usage.see",
    "members.see",
  ]);
  expect(may("developer", "keys.delete")).toBe(false);
});

test("a wrong configuration is named", () => {
  expect(checked({ apiUrl: "https://api.example/prod/" })).toEqual({ apiUrl: "https://api.example/prod", clerkPublishableKey: null, edge: false });
  expect(checked({ apiUrl: "/api", edge: true }).edge).toBe(true);
  expect(() => checked({})).toThrow("apiUrl");
  expect(() => checked({ apiUrl: "/api", clerkPublishableKey: 1 })).toThrow("clerkPublishableKey");
});

/** The functions behind each right. Anybody may leave, so `member-remove` is behind none. */
const BEHIND: Record<keyof typeof MAY, string[]> = {
  "keys.see": ["key-list"],
  "keys.change": ["key-issue", "key-update", "key-rotate", "key-revoke"],
  "keys.delete": ["key-delete"],
  "wallet.see": ["wallet"],
  "wallet.buy": ["checkout"],
  "payments.see": ["payment-list"],
  "usage.see": ["stats", "usage-log"],
  "webhooks.see": [
    ...["endpoint-list", "endpoint-create", "endpoint-update", "endpoint-rotate", "endpoint-test", "endpoint-delete"],
    ...["delivery-list", "delivery-redeliver"],
  ],
  "members.see": ["member-list"],
  "members.change": ["member-invite", "member-update", "invitation-list", "invitation-revoke"],
  "audit.see": ["audit-list"],
  "org.rename": ["org-update"],
  "org.delete": ["org-delete"],
};

test("what a role is shown is what the API lets it do, in every cell of the matrix", () => {
  const rows = [...readFileSync("../../docs/reference/roles.md", "utf8").matchAll(/^\| \[`([a-z-]+)`\][^|]*\|(.+)\|$/gm)];
  const roles = ["owner", "admin", "developer", "billing"];
  const allowed = new Map(rows.map(([, name = "", cells = ""]) => [name, roles.filter((_, at) => cells.split("|")[at]?.trim() === "yes")]));
  for (const [right, functions] of Object.entries(BEHIND)) {
    for (const name of functions) expect(MAY[right as keyof typeof MAY], `${right}: ${name}`).toEqual(allowed.get(name));
  }
  expect(Object.values(BEHIND).flat().sort()).toEqual([...allowed.keys()].filter((name) => name !== "member-remove").sort());
});

test("credits last as long as at the pace of the last week, counted from the first day on which any were spent", () => {
  const { from, to } = paceRange(NOW);
  expect({ from, to }).toEqual({ from: "2026-11-22", to: "2026-11-28" });
  const week = [day("2026-11-24", { credits: 30, requests: 30 }), day("2026-11-28", { credits: 20, requests: 12, outcomes: 10, success_rate: 90 })];
  expect(paceOf(week, 45, to)).toEqual({ calls: 42, success: 0.9, credits: 10, left: 4 });
  expect(paceOf([day("2026-11-28", { credits: 20 })], 19, to)).toMatchObject({ credits: 20, left: 0 });
  expect(paceOf([day("2026-11-28", { credits: 0 })], 19, to)).toMatchObject({ credits: 0, left: null, success: null });
  expect(paceOf([], 19, to)).toEqual({ calls: 0, success: null, credits: 0, left: null });
});

test("what is refused now comes before what will be, and what is far away is not named", () => {
  const key = (id: string, more: Partial<KeyView>) =>
    ({ id, status: "active", daily_used: 0, daily_quota: null, monthly_used: 0, monthly_quota: null, expires_at: null, ...more }) as KeyView;
  const endpoint = (id: string, more: Partial<EndpointView>) => ({ id, status: "active", failing_since: null, ...more }) as EndpointView;
  const lot = (left: number, expires_at: string | null) => ({ id: "lot", kind: "promo", amount: 9, left, expires_at }) as WalletView["buckets"][0];
  const wallet = { is_open: false, buckets: [lot(0, "2026-11-29"), lot(5, "2026-12-01"), lot(7, "2027-01-01"), lot(9, null)] } as WalletView;
  const keys = [
    key("later", { expires_at: "2026-12-09T00:00:00Z" }),
    key("soon", { expires_at: "2026-11-30T00:00:00Z" }),
    key("far", { expires_at: "2027-01-01T00:00:00Z" }),
    key("over", { expires_at: "2026-11-01T00:00:00Z" }),
    key("revoked", { expires_at: "2026-11-30T00:00:00Z", status: "revoked", daily_used: 9, daily_quota: 9 }),
    key("full", { daily_used: 10, daily_quota: 10, monthly_used: 10, monthly_quota: 100 }),
    key("nearly", { monthly_used: 90, monthly_quota: 100 }),
    key("half", { daily_used: 5, daily_quota: 10 }),
  ];
  const endpoints = [
    endpoint("fine", {}),
    endpoint("bad", { failing_since: "2026-11-28T08:00:00Z" }),
    endpoint("off", { status: "disabled", failing_since: "2026-11-20T08:00:00Z" }),
  ];
  const found = mattersOf({ wallet, keys, endpoints }, NOW).map((matter) =>
    "key" in matter ? [matter.what, matter.key.id] : "endpoint" in matter ? [matter.what, matter.endpoint.id] : [matter.what],
  );
  expect(found).toEqual([
    ["closed"],
    ["failing", "bad"],
    ["disabled", "off"],
    ["day", "full"],
    ["month", "nearly"],
    ["expires", "soon"],
    ["expires", "later"],
    ["lots"],
  ]);
  expect(mattersOf({ wallet: undefined, keys: [], endpoints: [] })).toEqual([]);
});
