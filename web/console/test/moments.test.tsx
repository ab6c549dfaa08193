// What decides whether somebody finds the answer: why a call was refused, what a webhook met, who did what.

import { act, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { HttpResponse } from "msw";
import { expect, test, vi } from "vitest";

import { progressOf } from "../src/keys/Migration.tsx";
import { asAnn, data, list, on, open, refused, WALLET } from "./world.tsx";

const KEY = {
  ...{ id: "key_1", name: "Website", prefix: "sk_live", hint: "x7Qa", environment: "production", scopes: ["pdf:read"], status: "active" },
  ...{ minute_quota: null, daily_quota: 10, monthly_quota: null, minute_used: 0, daily_used: 10, monthly_used: 34, expires_at: null },
  ...{ created_by: "user_ann", created_at: "2026-11-01T10:00:00Z", last_used_at: null, last_used_ip: null, revoked_at: null },
  ...{ revoked_reason: null, previous_valid_until: null },
};
const RECEIPT = {
  ...{ receipt_id: "rcpt_1", key_id: "key_1", environment: "production", service: "pdf", endpoint: "/api/v1/pdf/documents/1" },
  ...{ method: "GET", status_code: 404, response_ms: 12, credits: 1, ip: "127.0.0.1", country: "FR", user_agent: "curl/8", details: {} },
  timestamp: new Date(Date.now() - 60_000).toISOString(),
};

/** Answers what the page of usage asks for. */
function asUsage(): void {
  on("GET /api/orgs/org_1/stats", () => list([]));
  on("GET /api/orgs/org_1/usage", () => list([RECEIPT]));
  on("GET /api/orgs/org_1/keys", () => list([KEY]));
}

test("a key that is searched for by its text names the limiter that would refuse, and the text stays out of the address", async () => {
  asAnn();
  asUsage();
  await open("/orgs/org_1/usage");
  await userEvent.click(await screen.findByRole("button", { name: "Why was a call refused?" }));
  const panel = await screen.findByRole("dialog", { name: "Why was a call refused?" });
  await userEvent.type(within(panel).getByRole("textbox"), "sk_live_0123456789abcdefx7Qa");
  await userEvent.click(within(panel).getByRole("button", { name: "Look" }));
  await within(panel).findByText("The key has made all its calls of today (UTC).");
  within(panel).getByText("DAILY_QUOTA_EXCEEDED");
  within(panel).getByText(/It lifts in/);
  within(within(panel).getByRole("row", { name: /Calls today/ })).getByText("10 of 10");
  expect(location.search).toContain("x7Qa");
  expect(location.href + document.body.innerHTML).not.toContain("abcdef");
});

test("a receipt shows what came of its call, and leads to its key", async () => {
  asAnn();
  asUsage();
  await open("/orgs/org_1/usage?why=rcpt_1");
  const panel = await screen.findByRole("dialog", { name: "Why was a call refused?" });
  await within(panel).findByText(/No limiter refused this call: the service itself answered 404/);
  const link = await within(panel).findByRole<HTMLAnchorElement>("link", { name: "Website" });
  expect(link.href).toContain("/orgs/org_1/keys?key=key_1");
  await within(panel).findByText("The key has made all its calls of today (UTC).");
});

test("a receipt that is not there says that refused calls have none; billing sees no keys", async () => {
  asAnn("billing");
  asUsage();
  const { unmount } = await open("/orgs/org_1/usage?why=rcpt_9");
  await screen.findByText(/A refused call has no receipt/);
  unmount();
  await open("/orgs/org_1/usage?why=key_1");
  await screen.findByText(/Your role does not see keys/);
});

test("the playground shows which limiter refused its call, with the numbers of the key", async () => {
  asAnn();
  on("GET /api/catalogue", () =>
    data({
      ...{ plans: [], packs: [], scopes: ["pdf:read"], event_types: [] },
      services: [{ name: "pdf", display_name: "PDF", base_cost_per_call: 1, is_active: true, scopes: ["pdf:read"] }],
    }),
  );
  on("GET /api/orgs/org_1/keys", () => list([KEY]));
  on(
    "GET /api/v1/pdf/documents/1",
    () =>
      HttpResponse.json(
        {
          success: false,
          error: {
            code: "RATE_LIMITED",
            message: "used up",
            details: { code: "DAILY_QUOTA_EXCEEDED", limiter: "key", resets_at: "2099-01-01T00:00:00Z" },
          },
        },
        { status: 429, headers: { "x-request-id": "req-9" } },
      ) as Response,
  );
  await open("/playground");
  await userEvent.type(await screen.findByLabelText("API key"), "sk_live_0123456789abcdefx7Qa");
  await userEvent.click(screen.getByRole("button", { name: "Send" }));
  const panel = await screen.findByRole("region", { name: "Refused before it reached the service" });
  within(panel).getByText("The key has made all its calls of today (UTC).");
  within(panel).getByText(/2099/);
  within(await within(panel).findByRole("row", { name: /Calls today/ })).getByText("refused your call");
});

test("the last 24 hours are counted by hour, with the figures of each key and those of the day before", async () => {
  asAnn();
  asUsage();
  const earlier = { ...RECEIPT, receipt_id: "rcpt_0", timestamp: new Date(Date.now() - 30 * 3_600_000).toISOString() };
  on("GET /api/orgs/org_1/usage", () => list([RECEIPT, { ...RECEIPT, receipt_id: "rcpt_2", credits: 3, status_code: 200 }, earlier]));
  await open("/orgs/org_1/usage?days=1&by=key&compare=true");
  const groups = await screen.findByRole("table", { name: "Key" });
  const row = await within(groups).findByRole("row", { name: /Website/ });
  expect(
    within(row)
      .getAllByRole("cell")
      .map((cell) => cell.textContent),
  ).toEqual(["2", "1", "4", "50%", "12 ms", "12 ms"]);
  screen.getByText("before: 1 (+100%)");
  const chart = screen.getByRole("table", { name: "Calls by key", hidden: true });
  expect(chart.querySelectorAll("tbody tr").length).toBe(24);
  expect([...chart.querySelectorAll("thead th")].map((cell) => cell.textContent)).toEqual(["Hour (UTC)", "Website", "Period before"]);
});

test("a key is edited: only what changed is sent", async () => {
  asAnn();
  let sent: unknown;
  on("GET /api/orgs/org_1/keys", () => list([sent ? { ...KEY, daily_quota: 20 } : KEY]));
  on("PATCH /api/orgs/org_1/keys/key_1", async (request) => {
    sent = await request.json();
    return data({ ...KEY, daily_quota: 20 });
  });
  await open("/orgs/org_1/keys?key=key_1");
  await userEvent.click(await screen.findByRole("button", { name: "Edit key" }));
  const form = await screen.findByRole("dialog", { name: "Edit Website" });
  expect(within(form).getByRole("button", { name: "Save" })).toHaveProperty("disabled", true);
  const quota = within(form).getByLabelText("Calls a day");
  await userEvent.clear(quota);
  await userEvent.type(quota, "20");
  await userEvent.click(within(form).getByRole("button", { name: "Save" }));
  await within(await screen.findByRole("dialog", { name: "Website" })).findAllByText("10 of 20");
  expect(sent).toEqual({ daily_quota: 20 });
});

const ENDPOINT = {
  ...{ id: "ep_1", url: "https://example.com/hooks", events: ["job.completed"], rate_per_second: 10, status: "active" },
  ...{
    disabled_reason: null,
    disabled_at: null,
    failing_since: null,
    previous_valid_until: null,
    created_by: "user_ann",
    created_at: "2026-11-01T10:00:00Z",
  },
};
const DELIVERY = {
  ...{ id: "dlv_1", endpoint_id: "ep_1", event_id: "evt_1", type: "job.completed", status: "failed", created_at: "2026-11-28T10:00:00Z" },
  next_attempt_at: null,
  attempts: [
    { number: 1, at: "2026-11-28T10:00:01Z", status_code: null, duration_ms: 10_000, error: "timeout", response: "" },
    { number: 2, at: "2026-11-28T10:00:07Z", status_code: 500, duration_ms: 31, error: "status", response: "database is down" },
  ],
};

test("a delivery shows its attempts and its real headers, and a refused redelivery says when it can be tried again", async () => {
  asAnn();
  on("GET /api/orgs/org_1/endpoints", () => list([ENDPOINT]));
  let asked = "";
  on("GET /api/orgs/org_1/endpoints/ep_1/deliveries", (request) => {
    asked = new URL(request.url).search;
    return list([DELIVERY]);
  });
  on(
    "POST /api/orgs/org_1/deliveries/dlv_1/redeliver",
    () =>
      HttpResponse.json(
        { success: false, error: { code: "RATE_LIMITED", message: "a hundred redeliveries an hour" }, requestId: "req-7" },
        { status: 429, headers: { "retry-after": "1800" } },
      ) as Response,
  );
  await open("/orgs/org_1/webhooks?endpoint=ep_1&state=failed");
  const panel = await screen.findByRole("dialog", { name: ENDPOINT.url });
  await within(panel).findByText("no answer within ten seconds");
  within(panel).getByText("HTTP 500");
  within(panel).getByText("database is down");
  within(panel).getByText(/webhook-id: dlv_1\s+webhook-timestamp: 1795860007/);
  within(panel).getByText(/const id = "dlv_1";/);
  expect(asked).toContain("status=failed");
  await userEvent.click(within(panel).getByRole("button", { name: "Send again" }));
  const alert = await within(panel).findByRole("alert");
  within(alert).getByText(/It can work again in 30 minutes/);
});

test("an endpoint is edited: only what changed is sent", async () => {
  asAnn();
  on("GET /api/catalogue", () => data({ plans: [], packs: [], services: [], scopes: [], event_types: ["job.completed", "key.issued"] }));
  on("GET /api/orgs/org_1/endpoints", () => list([ENDPOINT]));
  on("GET /api/orgs/org_1/endpoints/ep_1/deliveries", () => list([]));
  let sent: unknown;
  on("PATCH /api/orgs/org_1/endpoints/ep_1", async (request) => {
    sent = await request.json();
    return data(ENDPOINT);
  });
  await open("/orgs/org_1/webhooks?endpoint=ep_1");
  await userEvent.click(await screen.findByRole("button", { name: "Edit" }));
  const form = await screen.findByRole("dialog", { name: "Edit endpoint" });
  await userEvent.click(await within(form).findByLabelText("key.issued"));
  await userEvent.click(within(form).getByRole("button", { name: "Save" }));
  await waitFor(() => expect(sent).toEqual({ events: ["job.completed", "key.issued"] }));
});

test("the audit log names who did what, filters, and leads to the key", async () => {
  asAnn();
  const entry = { ...{ ip: "127.0.0.1", user_agent: null, timestamp: "2026-11-28T10:00:00Z" }, details: { name: "Website" } };
  on("GET /api/orgs/org_1/audit", () =>
    list([
      { ...entry, id: "aud_2", action: "key.issued", subject: "key_1", actor: "user_ann" },
      { ...entry, id: "aud_1", action: "org.created", subject: "org_1", actor: "operator:root" },
    ]),
  );
  on("GET /api/orgs/org_1/keys", () => list([KEY]));
  on("GET /api/orgs/org_1/members", () =>
    list([{ user_id: "user_ann", role: "owner", name: "Ann", email: null, joined_at: "2026-11-01T10:00:00Z" }]),
  );
  on("GET /api/orgs/org_1/endpoints", () => list([]));
  await open("/orgs/org_1/audit");
  await screen.findByText("operator:root");
  const link = await screen.findByRole<HTMLAnchorElement>("link", { name: "Website" });
  expect(link.href).toContain("/orgs/org_1/keys?key=key_1");
  await screen.findByRole("cell", { name: "Ann" });
  await userEvent.click(within(screen.getByRole("navigation", { name: "About" })).getByRole("link", { name: "Organisation" }));
  await waitFor(() => expect(screen.queryByText("key.issued")).toBeNull());
  screen.getByText("org.created");
});

test("a developer finds no audit log, and its address says who may see it", async () => {
  asAnn("developer");
  on("GET /api/orgs/org_1/members", () =>
    list([{ user_id: "user_bob", role: "owner", name: "Bob", email: null, joined_at: "2026-11-01T10:00:00Z" }]),
  );
  await open("/orgs/org_1/audit");
  await screen.findByText("You may not see this page.");
  await screen.findByText(/Bob/);
});

test("each figure of the wallet leads to what it is made of, and a payment to its receipt", async () => {
  asAnn();
  const at = new Date(Date.now() - 3 * 60_000).toISOString();
  on("GET /api/orgs/org_1/payments", () =>
    list([{ payment: "pi_1", pack: "starter", credits: 1000, amount: 1000, currency: "EUR", status: "paid", refunded: 0, at }]),
  );
  await open("/orgs/org_1/wallet");
  expect((await screen.findByRole<HTMLAnchorElement>("link", { name: "Used" })).href).toContain("/orgs/org_1/usage?days=92");
  expect(screen.getByRole<HTMLAnchorElement>("link", { name: "Bought" }).href).toContain("#payments");
  expect(screen.getByRole<HTMLAnchorElement>("link", { name: "Granted" }).href).toContain("/orgs/org_1/audit?action=credits");
  await userEvent.click(await screen.findByRole("button", { name: "3 minutes ago" }));
  const receipt = await screen.findByRole("dialog", { name: "Receipt" });
  within(receipt).getByText("pi_1");
  within(receipt).getAllByText("€10.00");
  expect(location.search).toContain("payment=pi_1");
});

test("a day that is chosen in a chart lists the calls of that day, and its address", async () => {
  asAnn();
  asUsage();
  const asked: (string | null)[] = [];
  const today = new Date().toISOString().slice(0, 10);
  on("GET /api/orgs/org_1/usage", (request) => {
    asked.push(new URL(request.url).searchParams.get("day"));
    return list([RECEIPT]);
  });
  const zero = { test_credits: 0, outcomes: 0, success_rate: null, p50_ms: null, p95_ms: null, keys: {}, countries: {}, complete: true };
  on("GET /api/orgs/org_1/stats", () =>
    list([{ ...zero, date: today, requests: 7, credits: 9, services: { pdf: 7 }, counted_until: RECEIPT.timestamp }]),
  );
  await open("/orgs/org_1/usage?days=7");
  (await screen.findByRole("region", { name: /^Calls by service/ })).focus();
  await userEvent.keyboard("{End}{Enter}");
  await screen.findByRole("heading", { name: /^Calls: / });
  await waitFor(() => expect(asked).toContain(today));
  expect(location.search).toContain(`day=${today}`);
  await userEvent.click(screen.getByRole("button", { name: "Show all" }));
  await screen.findByRole("heading", { name: "Calls" });
});

const FILE = { key: "user_ann/images/F1", filename: "photo été.png", size: 2_048, lastModified: new Date(Date.now() - 60_000).toISOString() };

/** Answers what the first page asks for, and returns what it asked for. */
function asHome(files: unknown[] = [FILE]): string[] {
  const asked: string[] = [];
  const answer = (route: string, response: () => Response) =>
    on(`GET ${route}`, (request) => {
      asked.push(new URL(request.url).pathname);
      return response();
    });
  answer("/api/files/list", () => Response.json({ files, total: files.length, userId: "user_ann", nextCursor: null }));
  answer("/api/orgs/org_1/keys", () => list([{ ...KEY, last_used_at: "2026-11-28T10:00:00Z" }]));
  answer("/api/orgs/org_1/wallet", () => data({ ...WALLET, balance: 45 }));
  const today = new Date().toISOString().slice(0, 10);
  answer("/api/orgs/org_1/stats", () => list([{ date: today, requests: 1_200, credits: 10, outcomes: 1_000, success_rate: 98.5 }]));
  answer("/api/orgs/org_1/endpoints", () =>
    list([{ id: "ep_1", url: "https://hooks.example/in", status: "active", failing_since: new Date(Date.now() - 7_200_000).toISOString() }]),
  );
  return asked;
}

test("the checklist ticks a step that was taken elsewhere", async () => {
  asAnn();
  let called = false;
  asHome();
  on("GET /api/orgs/org_1/wallet", () => data({ ...WALLET, total_used: 0 }));
  on("GET /api/orgs/org_1/keys", () => list([{ ...KEY, last_used_at: called ? "2026-11-28T10:00:00Z" : null }]));
  await open("/");
  await screen.findByRole("heading", { name: /^Make an API key\s*Done/ });
  screen.getByRole("heading", { name: /^Call a service\s*To do/ });
  called = true;
  await screen.findByRole("heading", { name: /^Call a service\s*Done/ }, { timeout: 8_000 });
  screen.getByText(/All three are done/);
}, 12_000);

test("once the steps are done the first page says what needs somebody, how long credits last, and what was uploaded", async () => {
  asAnn();
  const asked = asHome();
  await open("/");
  const matters = await screen.findByRole("region", { name: "To look at" });
  expect(
    within(matters)
      .getByRole("link", { name: /^Webhooks to hooks\.example fail/ })
      .getAttribute("href"),
  ).toContain("/webhooks?endpoint=ep_1");
  expect(within(matters).getByRole("link", { name: "The key Website has used 100% of its calls of today." }).getAttribute("href")).toContain(
    "key=key_1",
  );
  screen.getByText("At 10 a day, as in the last seven days, they last about 4 days.");
  screen.getByText("1,200");
  screen.getByText("98.5%");
  expect(screen.getByRole("link", { name: "photo été.png" }).getAttribute("href")).toContain("/files?file=");
  expect(screen.queryByRole("heading", { name: "First steps" })).toBeNull();
  expect(asked.sort()).toEqual(["/api/files/list", ...["endpoints", "keys", "stats", "wallet"].map((part) => `/api/orgs/org_1/${part}`)]);
});

test("the first page in French, for billing: no keys, no webhooks, and nothing to look at", async () => {
  asAnn("billing");
  const asked = asHome([]);
  on("GET /api/orgs/org_1/stats", () => list([]));
  await open("/", "fr");
  await screen.findByText("Rien ne vous attend pour l’instant.");
  screen.getByText("Rien n’a été dépensé ces sept derniers jours.");
  screen.getByText("Aucun fichier n’a encore été envoyé.");
  // They have uploaded nothing yet, so the steps are still there.
  screen.getByRole("heading", { name: "Premiers pas" });
  expect(asked).not.toContain("/api/orgs/org_1/endpoints");
  expect(asked).not.toContain("/api/orgs/org_1/keys");
});

test("a failed reading shows no first steps to somebody who took them, is not repeated by itself, and leaves none once it works", async () => {
  asAnn();
  const asked = asHome();
  on("GET /api/orgs/org_1/wallet", () => {
    asked.push("wallet");
    return refused(500, "INTERNAL", "something failed");
  });
  on("GET /api/orgs/org_1/keys", () => refused(500, "INTERNAL", "something failed"));
  vi.useFakeTimers({ shouldAdvanceTime: true, toFake: ["setInterval", "clearInterval"] });
  try {
    await open("/");
    const alert = await screen.findByText("Part of this page could not be read.");
    await screen.findByRole("region", { name: "To look at" });
    expect(screen.queryByRole("heading", { name: "First steps" })).toBeNull();
    const before = asked.length;
    await act(() => vi.advanceTimersByTimeAsync(20_000));
    await new Promise((done) => setTimeout(done, 100));
    expect(asked.slice(before)).toEqual([]);
    asHome();
    await userEvent.click(within(alert.closest("[role=alert]") as HTMLElement).getByRole("button", { name: "Try again" }));
    await waitFor(() => expect(screen.queryByText("Part of this page could not be read.")).toBeNull());
    await screen.findByText("1,200");
    expect(screen.queryByRole("heading", { name: "First steps" })).toBeNull();
  } finally {
    vi.useRealTimers();
  }
}, 20_000);

test("what cannot be read of the first page does not take the rest away", async () => {
  asAnn();
  asHome();
  on("GET /api/orgs/org_1/stats", () => refused(500, "INTERNAL", "something failed"));
  await open("/");
  await screen.findByText("Part of this page could not be read.");
  screen.getByRole("region", { name: "To look at" });
  expect(screen.queryByText(/Success rate/)).toBeNull();
});

test("the migration says how many of its keys are rotated, and forgets them with the last", () => {
  expect(progressOf("org_1", 3)).toEqual({ done: 0, total: 3 });
  expect(progressOf("org_1", 1)).toEqual({ done: 2, total: 3 });
  expect(progressOf("org_1", 0)).toEqual({ done: 3, total: 3 });
  expect(localStorage.length).toBe(0);
});

test("whoever gives up their own role is asked first", async () => {
  asAnn();
  on("GET /api/orgs/org_1/members", () =>
    list([{ user_id: "user_ann", role: "owner", name: "Ann", email: null, joined_at: "2026-11-01T10:00:00Z" }]),
  );
  on("GET /api/orgs/org_1/invitations", () => list([]));
  on("PATCH /api/orgs/org_1/members/user_ann", () => refused(409, "CONFLICT", "an organisation needs an owner"));
  await open("/orgs/org_1/members");
  await userEvent.selectOptions(await screen.findByRole("combobox", { name: "Role of Ann" }), "developer");
  const dialog = await screen.findByRole("dialog", { name: "Become developer?" });
  await userEvent.click(within(dialog).getByRole("button", { name: "Change my role" }));
  await screen.findByText(/an organisation needs an owner/);
});

test("before somebody or something is taken away, the button names it and is red, and the focus is on the way back", async () => {
  asAnn();
  const withdrawn: string[] = [];
  on("GET /api/orgs/org_1/members", () =>
    list([
      { user_id: "user_ann", role: "owner", name: "Ann", joined_at: "2026-11-01T10:00:00Z" },
      { user_id: "user_bob", role: "admin", name: "Bob", joined_at: "2026-11-01T10:00:00Z" },
    ]),
  );
  on("GET /api/orgs/org_1/invitations", () =>
    list(withdrawn.length > 0 ? [] : [{ id: "inv_1", email: "eve@people.example", role: "billing", expires_at: "2026-12-01T10:00:00Z" }]),
  );
  on("DELETE /api/orgs/org_1/invitations/inv_1", () => {
    withdrawn.push("inv_1");
    return data({ id: "inv_1" });
  });
  await open("/orgs/org_1/members");
  const asks = async (button: string | RegExp, title: string, verb: string) => {
    await userEvent.click(await screen.findByRole("button", { name: button }));
    const dialog = await screen.findByRole("dialog", { name: title });
    const cancel = within(dialog).getByRole("button", { name: "Cancel" });
    expect(document.activeElement).toBe(cancel);
    const last = within(dialog).getByRole("button", { name: verb });
    expect(last.className).toContain("bg-bad");
    return { cancel, last };
  };
  await userEvent.click((await asks(/^Remove\s*Bob$/, "Remove Bob?", "Remove member")).cancel);
  expect(document.activeElement).toBe(screen.getByRole("button", { name: /^Remove\s*Bob$/ }));
  await userEvent.click((await asks("Leave", "Leave Acme?", "Leave organisation")).cancel);
  await userEvent.click((await asks("Delete organisation", "Delete Acme?", "Delete organisation")).cancel);
  const { last } = await asks(/^Withdraw/, "Withdraw the invitation to eve@people.example?", "Withdraw invitation");
  expect(withdrawn).toEqual([]);
  await userEvent.click(last);
  await screen.findByText("No invitation is open.");
  expect(withdrawn).toEqual(["inv_1"]);
  // The button that had the focus before is gone with its row.
  await waitFor(() => expect(document.activeElement).toBe(screen.getByRole("main")));
}, 20_000);

test("data that is older than a minute says when it was read, and is read again", async () => {
  asAnn("billing");
  let reads = 0;
  on("GET /api/orgs/org_1/payments", () => list([]));
  on("GET /api/orgs/org_1/wallet", () => {
    reads += 1;
    return data(WALLET);
  });
  vi.useFakeTimers({ shouldAdvanceTime: true, toFake: ["Date", "setInterval", "clearInterval"] });
  try {
    await open("/orgs/org_1/wallet");
    await screen.findByTestId("balance");
    expect(screen.queryByRole("button", { name: "Refresh" })).toBeNull();
    await act(() => vi.advanceTimersByTimeAsync(120_000));
    screen.getByText("Read 2 minutes ago.");
    screen.getByRole("button", { name: "Refresh" }).click();
    await waitFor(() => expect(reads).toBe(2));
    await waitFor(() => expect(screen.queryByText(/^Read/)).toBeNull());
  } finally {
    vi.useRealTimers();
  }
});
