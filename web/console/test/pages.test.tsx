import { cleanup, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test } from "vitest";

import { API, asAnn, data, list, ORG, on, open, refused } from "./world.tsx";

const KEY = {
  id: "key_1",
  name: "Website",
  prefix: "sk_live",
  hint: "x7Qa",
  environment: "production",
  scopes: ["pdf:read"],
  minute_quota: null,
  daily_quota: 100,
  monthly_quota: null,
  expires_at: null,
  created_by: "user_ann",
  created_at: "2026-11-01T10:00:00Z",
  status: "active",
  minute_used: 0,
  daily_used: 12,
  monthly_used: 34,
  last_used_at: null,
  last_used_ip: null,
  revoked_at: null,
  revoked_reason: null,
  previous_valid_until: null,
};
const SECRET = "sk_live_0123456789abcdefx7Qa";
const KEYS = "/orgs/org_1/keys";

test("without keys the page says what a key is for, and shows a call", async () => {
  asAnn();
  on("GET /api/orgs/org_1/keys", () => list([]));
  await open(KEYS);
  await screen.findByText(/There are no keys yet/);
  screen.getByText(/X-API-Key: sk_test_/);
  screen.getByRole("button", { name: "Create key" });
});

test("a failure shows what failed, its request, and tries again", async () => {
  asAnn();
  on("GET /api/orgs/org_1/keys", () => refused(500, "INTERNAL", "something failed"));
  await open(KEYS);
  const alert = await screen.findByRole("alert");
  within(alert).getByText("The keys could not be read.");
  within(alert).getByText("req-7");
  on("GET /api/orgs/org_1/keys", () => list([KEY]));
  await userEvent.click(within(alert).getByRole("button", { name: "Try again" }));
  await screen.findByRole("button", { name: "Website" });
  expect(screen.queryByRole("alert")).toBeNull();
});

test("a new key is shown until it was stored, and nowhere after that", async () => {
  asAnn();
  let sent: unknown;
  on("GET /api/orgs/org_1/keys", () => list(sent ? [KEY] : []));
  on("POST /api/orgs/org_1/keys", async (request) => {
    sent = await request.json();
    return data({ ...KEY, key: SECRET });
  });
  await open(`${KEYS}?create=true`);
  const form = await screen.findByRole("dialog", { name: "Create key" });
  await userEvent.click(within(form).getByRole("button", { name: "Create key" }));
  within(form).getByText("Give the key a name.");
  within(form).getByText("Choose at least one scope.");
  expect(sent).toBeUndefined();
  await userEvent.type(within(form).getByLabelText("Name"), "Website");
  await userEvent.click(await within(form).findByLabelText("pdf:read"));
  await userEvent.type(within(form).getByLabelText("Calls a day"), "100");
  await userEvent.click(within(form).getByRole("button", { name: "Create key" }));

  const shown = await screen.findByRole("dialog", { name: "Website" });
  within(shown).getByText(SECRET);
  within(shown).getByText(`CONSIGNE_API_KEY=${SECRET}`);
  expect(sent).toMatchObject({ name: "Website", environment: "test", scopes: ["pdf:read"], daily_quota: 100, minute_quota: null });
  // Neither Escape nor the browser's own way to close it.
  shown.dispatchEvent(new Event("cancel", { cancelable: true }));
  (shown as HTMLDialogElement).close();
  expect((shown as HTMLDialogElement).open).toBe(true);
  expect(location.href).not.toContain(SECRET);
  expect(JSON.stringify({ ...localStorage, ...sessionStorage, state: history.state })).not.toContain(SECRET);

  await userEvent.click(within(shown).getByRole("button", { name: "I have stored it" }));
  await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
  await screen.findByRole("button", { name: "Website" });
  expect(document.documentElement.outerHTML).not.toContain(SECRET);
});

test("a key is revoked with a reason, after the page has said what stops", async () => {
  asAnn();
  let reason: unknown;
  on("GET /api/orgs/org_1/keys", () => list([{ ...KEY, status: reason ? "revoked" : "active" }]));
  on("POST /api/orgs/org_1/keys/key_1/revoke", async (request) => {
    reason = await request.json();
    return data({ ...KEY, status: "revoked" });
  });
  await open(KEYS);
  await userEvent.click(await screen.findByRole("button", { name: "Website" }));
  await userEvent.click(within(await screen.findByRole("dialog", { name: "Website" })).getByRole("button", { name: "Revoke key" }));
  const dialog = await screen.findByRole("dialog", { name: "Revoke Website?" });
  within(dialog).getByText(/12 calls today/);
  const revoke = within(dialog).getByRole<HTMLButtonElement>("button", { name: "Revoke key" });
  expect(revoke.disabled).toBe(true);
  expect(revoke.className).toContain("bg-bad");
  expect(document.activeElement).toBe(within(dialog).getByRole("button", { name: "Cancel" }));
  await userEvent.type(within(dialog).getByLabelText("Reason"), "leaked");
  await userEvent.click(revoke);
  await screen.findAllByText("Revoked");
  expect(reason).toEqual({ reason: "leaked" });
});

test("billing has no link to the keys, and its address says who may see them", async () => {
  asAnn("billing");
  on("GET /api/orgs/org_1/members", () =>
    list([
      { user_id: "user_bob", role: "owner", name: "Bob", joined_at: ORG.created_at },
      { user_id: "user_ann", role: "billing", name: "Ann", joined_at: ORG.created_at },
    ]),
  );
  await open(KEYS);
  await screen.findByText("You may not see this page.");
  screen.getByText("You are billing in Acme. This page needs the role owner, admin, or developer.");
  await screen.findByText("Bob (owner)");
  expect(screen.queryByText(/^Ann \(/)).toBeNull();
  expect(screen.queryByRole("link", { name: "Keys" })).toBeNull();
  expect(screen.getAllByRole("link", { name: "Wallet" }).length).toBeGreaterThan(0);
});

const WALLET = {
  balance: 990,
  held: 0,
  total_purchased: 1000,
  total_granted: 0,
  total_used: 10,
  total_expired: 0,
  total_clawed_back: 0,
  currency: "EUR",
  is_open: true,
  test: { balance: 100, resets_at: null },
  buckets: [{ id: "lot_1", kind: "paid", amount: 1000, left: 990, expires_at: null }],
};

test("after a checkout the page waits, and then the wallet moves", async () => {
  asAnn();
  let wallet = WALLET;
  let checkouts = 0;
  on("GET /api/orgs/org_1/wallet", () => data(wallet));
  const payment = { payment: "pi_1", pack: "starter", credits: 1000, amount: 1000, currency: "EUR", status: "paid", refunded: 0, at: ORG.created_at };
  on("GET /api/orgs/org_1/payments", () => list(wallet === WALLET ? [] : [payment]));
  on("POST /api/orgs/org_1/credits/checkout", () => {
    checkouts += 1;
    return data({ session_id: "cs_1", url: "http://localhost:4581/#" });
  });
  await open("/orgs/org_1/wallet?checkout=paid");
  await screen.findByText(/Waiting for the confirmation/);
  expect((await screen.findByTestId("balance")).textContent).toBe("990");
  wallet = { ...WALLET, balance: 1990, total_purchased: 2000 };
  await screen.findByText("Paid. 1,000 credits were added.", {}, { timeout: 5_000 });
  expect(screen.getByTestId("balance").textContent).toBe("1,990");
  expect(checkouts).toBe(0);
  await userEvent.click(await screen.findByRole("button", { name: "See the receipt" }));
  within(await screen.findByRole("dialog", { name: "Receipt" })).getByText("pi_1");
});

test("a purchase that was confirmed before the buyer came back is shown, too", async () => {
  asAnn();
  on("GET /api/orgs/org_1/wallet", () => data(WALLET));
  on("GET /api/orgs/org_1/payments", () => list([]));
  sessionStorage.setItem("consigne.bought.org_1", "0");
  await open("/orgs/org_1/wallet?checkout=paid");
  await screen.findByText("Paid. 1,000 credits were added.");
  await userEvent.click(screen.getByRole("button", { name: "Close" }));
  await waitFor(() => expect(location.search).toBe(""));
  expect(sessionStorage.length).toBe(0);
});

test("a developer sees the wallet, and neither packs nor payments", async () => {
  asAnn("developer");
  on("GET /api/orgs/org_1/wallet", () => data(WALLET));
  await open("/orgs/org_1/wallet", "fr");
  await screen.findByText("Crédits, dans l’ordre où ils sont dépensés");
  expect(screen.queryByText("Paiements")).toBeNull();
  expect(screen.queryByRole("button", { name: /Acheter/ })).toBeNull();
});

test("each chart has a table with the same numbers, and a day without outcomes is no zero", async () => {
  asAnn();
  const today = new Date().toISOString().slice(0, 10);
  on("GET /api/files/usage", () =>
    Response.json({ userId: "user_ann", plan: "pro", totalFiles: 0, totalSize: 0, reservedSize: 0, limit: 1, percent: 0, byKind: {} }),
  );
  on("GET /api/orgs/org_1/stats", () =>
    list([
      {
        date: today,
        requests: 7,
        credits: 9,
        outcomes: 0,
        success_rate: null,
        services: { pdf: 7 },
        keys: {},
        countries: {},
        p50_ms: null,
        p95_ms: null,
        complete: false,
      },
    ]),
  );
  on("GET /api/orgs/org_1/usage", () => list([]));
  on("GET /api/orgs/org_1/keys", () => list([]));
  await open("/orgs/org_1/usage?days=7");
  const tables = await screen.findAllByRole("table", { hidden: true });
  expect(tables.map((table) => table.querySelector("caption")?.textContent)).toEqual([
    "Calls by service",
    "Credits",
    "Success rate",
    "Response time",
    "Service",
  ]);
  const last = tables.slice(0, 4).map((table) => [...table.querySelectorAll("tbody tr:last-child td")].map((cell) => cell.textContent));
  expect(last).toEqual([["7"], ["9"], ["no data"], ["no data", "no data"]]);
  expect(tables[0]?.querySelectorAll("tbody tr").length).toBe(7);
});

test("an address that is none says so", async () => {
  asAnn();
  await open("/nowhere");
  await screen.findByRole("heading", { name: "Not found" });
});

test("keys of the older installation are named with the days that are left, until the last is rotated", async () => {
  asAnn();
  let legacy = true;
  const inTenDays = new Date(Date.now() + 10.5 * 86_400_000).toISOString();
  on("GET /api/orgs/org_1/keys", () => list([{ ...KEY, ...(legacy && { legacy, replace_by: inTenDays }) }]));
  on("POST /api/orgs/org_1/keys/key_1/rotate", () => {
    legacy = false;
    return data({ ...KEY, key: SECRET, previous_valid_until: inTenDays });
  });
  await open(KEYS);
  const banner = await screen.findByRole("region", { name: "Keys to rotate" });
  within(banner).getByText(/1 key comes from the older installation.*10 days are left/);
  await userEvent.click(within(banner).getByRole("link", { name: "Website" }));
  await userEvent.click(within(await screen.findByRole("dialog")).getByRole("button", { name: "Rotate key" }));
  await userEvent.click(within(await screen.findByRole("dialog", { name: "Rotate Website?" })).getByRole("button", { name: "Rotate key" }));
  await userEvent.click(await screen.findByRole("button", { name: "I have stored it" }));
  await waitFor(() => expect(screen.queryByRole("region", { name: "Keys to rotate" })).toBeNull());
});

test("the palette finds a page without accents, and goes there by keyboard", async () => {
  asAnn();
  on("GET /api/files/usage", () =>
    Response.json({ userId: "user_ann", plan: "pro", totalFiles: 0, totalSize: 0, reservedSize: 0, limit: 1, percent: 0, byKind: {} }),
  );
  on("GET /api/files/list", () => Response.json({ files: [], total: 0, userId: "user_ann", nextCursor: null }));
  on("GET /api/orgs/org_1/keys", () => list([]));
  await open("/pricing", "fr");
  await screen.findByRole("heading", { name: "Tarifs" });
  await userEvent.keyboard("{Control>}k{/Control}");
  await userEvent.type(await screen.findByRole("combobox", { name: "Page, organisation ou fichier" }), "cles");
  screen.getByRole("option", { name: "Aller à Clés", selected: true });
  await userEvent.keyboard("{Enter}");
  await screen.findByRole("heading", { name: "Clés" });
  expect(location.pathname).toBe(KEYS);
});

test("the playground sends the key and no session, and shows status, credits and answer", async () => {
  asAnn();
  on("GET /api/catalogue", () =>
    data({ plans: [], packs: [], scopes: [], services: [{ name: "pdf", display_name: "PDF", base_cost_per_call: 1, is_active: true, scopes: [] }] }),
  );
  let headers: Headers | undefined;
  on("POST /api/v1/pdf/documents", (request) => {
    headers = request.headers;
    return Response.json({ made: 1 }, { status: 201, headers: { "x-credits-remaining": "94", "x-request-id": "req-9" } });
  });
  await open("/playground");
  await userEvent.type(await screen.findByLabelText("API key"), SECRET);
  await userEvent.selectOptions(screen.getByLabelText("Method"), "POST");
  await userEvent.clear(screen.getByLabelText("Path"));
  await userEvent.type(screen.getByLabelText("Path"), "/documents");
  await userEvent.type(screen.getByLabelText("Body"), "it's");
  screen.getByText(/--data 'it'\\''s'/);
  await userEvent.click(screen.getByRole("button", { name: "Send" }));
  await screen.findByText("HTTP 201");
  screen.getByText("94 credits left");
  screen.getByText("req-9");
  screen.getByText(/"made": 1/);
  expect(headers?.get("x-api-key")).toBe(SECRET);
  expect(headers?.get("authorization")).toBeNull();
  expect(JSON.stringify({ ...localStorage, ...sessionStorage }) + location.href).not.toContain(SECRET);
});

test("an invitation is accepted by a click, and its token leaves the address", async () => {
  asAnn();
  let sent: unknown;
  on("POST /api/invitations/accept", async (request) => {
    sent = await request.json();
    return data({ org: { ...ORG, role: "developer" }, role: "developer", joined_at: ORG.created_at });
  });
  await open("/invitations/accept?token=inv_1.org_1.secret");
  const join = await screen.findByRole("button", { name: "Join" });
  expect(sent).toBeUndefined();
  await userEvent.click(join);
  await screen.findByText("You joined Acme as developer.");
  expect(sent).toEqual({ token: "inv_1.org_1.secret" });
  await waitFor(() => expect(location.href).not.toContain("secret"));
});

test("a book is asked for, followed to its end, and can be downloaded", async () => {
  asAnn();
  const job = {
    job_id: "job_1",
    kind: "book",
    status: "processing",
    progress: 40,
    message: "Writing",
    title: "Lighthouses",
    created_at: ORG.created_at,
    updated_at: ORG.created_at,
  };
  const result = {
    book_title: "Of lighthouses",
    topic: "Lighthouses",
    s3_key: "k",
    download_url: "https://bucket.example/k",
    file_size: 2048,
    chapter_count: 3,
    word_count: 1200,
    generated_at: ORG.created_at,
  };
  let done = false;
  let sent: unknown;
  on("GET /api/secure/jobs", () => list(sent ? [job] : []));
  on("POST /api/secure/books/generate", async (request) => {
    sent = await request.json();
    return data({ job_id: "job_1", status: "pending", message: "Accepted" });
  });
  on("GET /api/secure/jobs/job_1/status", () => data(done ? { ...job, status: "completed", progress: 100, result } : job));
  await open("/generate");
  await screen.findByText("4 of 5 left this month");
  await userEvent.type(screen.getByLabelText("Topic"), "Lighthouses");
  await userEvent.click(screen.getByRole("button", { name: "Generate" }));
  await waitFor(() => expect(screen.getByRole<HTMLMeterElement>("meter", { name: "Progress" }).value).toBe(40));
  expect(sent).toEqual({ topic: "Lighthouses", goal: null });
  expect(location.search).toContain("job_1");
  done = true;
  const link = await screen.findByRole<HTMLAnchorElement>("link", { name: "Download" }, { timeout: 5_000 });
  expect(link.href).toBe("https://bucket.example/k");
  screen.getByText(/1,200 words/);
});

test("services are described in English, which a page in French says and marks", async () => {
  asAnn();
  const service = { name: "pdf", display_name: "PDF", description: "Makes and reads PDF documents.", base_cost_per_call: 1, is_active: true };
  on("GET /api/catalogue", () => data({ plans: [], packs: [], services: [service], scopes: [] }));
  await open("/pricing", "fr");
  expect((await screen.findByText("Makes and reads PDF documents.")).lang).toBe("en");
  expect(screen.getByText("PDF").lang).toBe("en");
  screen.getByText("Les services sont décrits en anglais.");
  cleanup();
  await open("/playground", "fr");
  expect((await screen.findByRole("combobox", { name: "Service" })).lang).toBe("en");
  cleanup();
  await open("/pricing");
  await screen.findByText("Makes and reads PDF documents.");
  expect(screen.queryByText(/described in English/)).toBeNull();
});

test("a person asks for their data, waits for it, and finds links to it", async () => {
  asAnn();
  let state = "none";
  let asked = new Date();
  const exported = () => {
    const parts = ["manifest.json", "part-0001.json"].map((name, files) => ({ name, size: 1000, files, url: `https://files.example/${name}` }));
    const times = { requested_at: asked.toISOString(), expires_at: "2026-12-05T10:00:00Z" };
    return data({ export_id: "exp_1", state, records: 3, parts: state === "ready" ? parts : [], ...times });
  };
  on("GET /api/me/export", exported);
  on("POST /api/me/export", () => {
    state = "pending";
    return exported();
  });
  await open("/account");
  await userEvent.click(await screen.findByRole("button", { name: "Collect my data" }));
  await screen.findByText(/You get a mail when it is ready/);
  expect(screen.queryByRole("button", { name: "Collect my data" })).toBeNull();
  state = "ready";
  const link = await screen.findByRole("link", { name: "part-0001.json" }, { timeout: 5_000 });
  expect(link.getAttribute("href")).toBe("https://files.example/part-0001.json");
  screen.getByRole("button", { name: "Download the files" });
  // For an hour the answer would be the same export.
  expect(screen.queryByRole("button", { name: "Collect it again" })).toBeNull();
  cleanup();
  asked = new Date(Date.now() - 3_601_000);
  await open("/account");
  await screen.findByRole("button", { name: "Collect it again" });
}, 10_000);

test("the files of an export are downloaded part by part with fresh links, and again only from where it stopped", async () => {
  asAnn();
  const record = (name: string, status = "ready") => ({ type: "file", status, s3_key: name, filename: name });
  const bodies = [[{ type: "profile" }, record("a"), record("gone", "deleted"), record("b")], [record("c")]];
  const saved: string[] = [];
  let reads = 0;
  let expired = 1;
  let refuses = "b";
  on("GET /api/me/export", () => {
    reads += 1;
    const parts = bodies.map(({ length }, at) => ({ name: `part-${at}`, size: 9, files: length, url: `${API}/bucket/${at}?link=${reads}` }));
    const times = { requested_at: "2026-01-01T10:00:00Z", expires_at: "2026-12-05T10:00:00Z" };
    return data({ export_id: "exp_1", state: "ready", records: 5, parts, ...times });
  });
  on("GET /bucket/:part", ({ url }) => {
    const { pathname, searchParams } = new URL(url);
    // Each link works once, and that of the page no longer.
    if (Number(searchParams.get("link")) <= expired) return new Response("expired", { status: 403 });
    expired = Number(searchParams.get("link"));
    const at = Number(pathname.split("/").at(-1));
    return refuses === `part-${at}` ? new Response("{}", { status: 500 }) : Response.json({ records: bodies[at] });
  });
  on("POST /api/files/presigned-url", async (request) => {
    const { s3Key } = (await request.json()) as { s3Key: string };
    if (s3Key === refuses) return refused(404, "NOT_FOUND", "no such file");
    saved.push(s3Key);
    return Response.json({ url: "#", expiresIn: 600, expiresAt: new Date(Date.now() + 600_000).toISOString() });
  });
  await open("/account");
  const start = async () => userEvent.click(await screen.findByRole("button", { name: "Download the files" }));
  await start();
  await screen.findByText("A file could not be downloaded.");
  expect(saved).toEqual(["a"]);
  refuses = "part-1";
  await start();
  await screen.findByText("2 downloaded");
  await screen.findByText("A file could not be downloaded.");
  refuses = "";
  await start();
  await screen.findByText("3 downloaded");
  expect(saved).toEqual(["a", "b", "c"]);
  await waitFor(() => expect(screen.queryByText("A file could not be downloaded.")).toBeNull());
});
