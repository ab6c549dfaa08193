// The console in a browser, on the laptop's stack. An error that a page reports fails its test.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";

import type { Browser, Page } from "playwright-core";

import { assertAccessible } from "./a11y.ts";
import { launch } from "./browser.ts";
import { answerWebhooks, CONSOLE, call, invite, type Person, pay, somebody, visit, webhooksOf } from "./console.ts";
import { ROOT } from "./stack.ts";

const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";
const PICTURE = { name: "photo été.png", mimeType: "image/png", buffer: Buffer.from(PNG, "base64") };

let browser: Browser;

before(async () => {
  browser = await launch();
});

after(async () => {
  await browser?.close();
});

/** Makes an organisation with a name of its own. */
async function found(owner: Person): Promise<string> {
  return (await call(owner, "/api/orgs", { name: "Acme" })).id;
}

/** Everything in which a text could be found after it was shown: the page, its address and history, what it keeps. */
function traces(page: Page): Promise<string> {
  return page.evaluate(async () => {
    const databases = (await indexedDB.databases()).map(({ name }) => name);
    const caches = await window.caches.keys();
    const kept = [{ ...localStorage }, { ...sessionStorage }, document.cookie, history.state, databases, caches, window.name];
    return document.documentElement.outerHTML + location.href + JSON.stringify(kept);
  });
}

/** Fills the form of a new key and sends it. Returns the key's text, as the page shows it. */
async function createKey(page: Page, name: string): Promise<string> {
  await page.getByRole("button", { name: "Create key" }).click();
  const form = page.getByRole("dialog", { name: "Create key" });
  await form.getByLabel("Name").fill(name);
  await form.getByLabel("pdf:read").check();
  await form.getByRole("button", { name: "Create key" }).click();
  const text = await page.getByRole("dialog", { name }).locator("pre").first().textContent();
  assert.match(text ?? "", /^sk_test_/);
  return text ?? "";
}

test("somebody new signs in, uploads, makes a key, calls a service, sees the chart move, and is refused once the key is revoked", async () => {
  const ann = somebody("ann");
  const { page, errors } = await visit(browser, "/");
  await page.getByLabel("Somebody else").fill(ann.user);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: /^Hello/ }).waitFor();

  await page.getByRole("link", { name: "Go to files" }).click();
  const chosen = page.waitForEvent("filechooser");
  await page.getByRole("button", { name: "Upload files" }).click();
  await (await chosen).setFiles(PICTURE);
  await page
    .getByRole("grid")
    .getByText(PICTURE.name)
    .or(page.getByRole("row", { name: PICTURE.name }))
    .first()
    .waitFor();

  await page.getByRole("link", { name: "Home" }).click();
  await page.getByRole("heading", { name: "Upload a file Done." }).waitFor();
  await page.getByRole("button", { name: "Create organisation" }).first().click();
  await page.getByRole("dialog").getByLabel("Name").fill("Acme");
  await page.getByRole("dialog").getByRole("button", { name: "Create organisation" }).click();
  await page.getByText("There are no keys yet").waitFor();

  const text = await createKey(page, "Website");
  await page.getByRole("button", { name: "I have stored it" }).click();

  await page.getByRole("link", { name: "Usage", exact: true }).click();
  await page.getByText("Nothing was called").first().waitFor();
  assert.equal(await figure(page, "Calls"), "0");

  const send = async () => {
    await page.getByRole("link", { name: "Playground" }).click();
    await page.getByLabel("API key").fill(text);
    await page.getByRole("button", { name: "Send" }).click();
  };
  await send();
  await page.getByText("HTTP 200").waitFor();

  // The chart has moved, and today's bar says by how much.
  await page.getByRole("link", { name: "Usage", exact: true }).click();
  await seen(async () => {
    await page.reload();
    return (await figure(page, "Calls")) === "1";
  }, "the call in the figures of today");
  const chart = page.getByRole("figure", { name: "Calls by service" });
  assert.ok((await chart.locator("svg rect[height]").count()) > 0);
  await chart.getByRole("region").focus();
  await page.keyboard.press("End");
  await chart.getByText(/: pdf 1$/).waitFor();

  await page.getByRole("link", { name: "Keys", exact: true }).click();
  await page.getByRole("button", { name: "Website" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Revoke key" }).click();
  await page.getByLabel("Reason").fill("leaked");
  await page.getByRole("dialog", { name: "Revoke Website?" }).getByRole("button", { name: "Revoke key" }).click();
  await page.getByRole("dialog", { name: "Website" }).getByText("leaked").waitFor();
  await page.getByRole("dialog", { name: "Website" }).getByRole("button", { name: "Close" }).click();
  await send();
  await page.getByText("HTTP 401").waitFor();
  await page.getByText("REVOKED").first().waitFor();
  assert.deepEqual(errors, []);
  await page.context().close();
});

/** Reads a figure above the charts, once it is there. */
async function figure(page: Page, label: string): Promise<string> {
  const value = page.getByRole("term").filter({ hasText: label }).first().locator("xpath=following-sibling::dd[1]");
  await value.waitFor();
  return (await value.textContent()) ?? "";
}

/** Waits until something is so, ten seconds at most. */
async function seen(look: () => Promise<boolean>, what: string): Promise<void> {
  const end = Date.now() + 10_000;
  while (!(await look())) {
    assert.ok(Date.now() < end, `did not see ${what}`);
    await new Promise((wake) => setTimeout(wake, 200));
  }
}

test("a new key is shown once, cannot be dismissed unseen, and leaves no trace", async () => {
  const ann = somebody("ann");
  const org = await found(ann);
  const { page, errors } = await visit(browser, `/orgs/${org}/keys`, ann);
  const text = await createKey(page, "Website");
  const dialog = page.getByRole("dialog", { name: "Website" });
  // Chromium closes a dialog at the second Escape, whatever the page wants.
  for (let pressed = 0; pressed < 3; pressed += 1) await page.keyboard.press("Escape");
  await page.mouse.click(5, 5);
  await page.goBack({ waitUntil: "commit" }).catch(() => {});
  assert.ok(await dialog.isVisible());
  assert.ok(!page.url().includes(text));
  await dialog.getByRole("button", { name: "Copy" }).first().click();
  await dialog.getByRole("button", { name: "Copied" }).waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), text);
  await assertAccessible(page, "the dialog of a new key");

  await dialog.getByRole("button", { name: "I have stored it" }).click();
  await dialog.waitFor({ state: "detached" });
  assert.ok(!(await traces(page)).includes(text));
  await page.goto(`${CONSOLE}/orgs/${org}/keys`);
  await page.getByRole("cell", { name: `sk_test_...${text.slice(-4)}`, exact: true }).waitFor();
  assert.ok(!(await traces(page)).includes(text));
  assert.deepEqual(errors, []);
  await page.context().close();
});

/** The pages of an organisation in the rail, and who may see them. */
const PAGES = {
  webhooks: ["owner", "admin", "developer"],
  members: ["owner", "admin", "developer", "billing"],
  keys: ["owner", "admin", "developer"],
  usage: ["owner", "admin", "developer", "billing"],
  wallet: ["owner", "admin", "developer", "billing"],
};
const NAMES = { webhooks: "Webhooks", members: "Organisation", keys: "Keys", usage: "Usage", wallet: "Wallet", audit: "Audit log" };

/** What a page offers, and to whom: each is one cell of the matrix of roles for each role. */
const OFFERS: [path: string, role: "button" | "heading" | "link" | "combobox", name: string | RegExp, roles: string[]][] = [
  ["keys", "button", "Create key", ["owner", "admin", "developer"]],
  ["webhooks", "button", "Add endpoint", ["owner", "admin", "developer"]],
  ["wallet", "button", "Buy starter", ["owner", "billing"]],
  ["wallet", "heading", "Payments", ["owner", "billing"]],
  ["members", "button", "Invite", ["owner", "admin"]],
  ["members", "combobox", /^Role of .*dev/i, ["owner", "admin"]],
  ["members", "combobox", /^Role of .*owner/i, ["owner"]],
  ["members", "link", "Audit log", ["owner", "admin"]],
  ["members", "button", "Rename", ["owner", "admin"]],
  ["members", "button", "Delete organisation", ["owner"]],
  ["members", "button", "Leave", ["owner", "admin", "developer", "billing"]],
];

test("each role finds the pages and actions that it may use, and the addresses of others say who may", async () => {
  const owner = somebody("owner");
  const org = await found(owner);
  const key = await call(owner, `/api/orgs/${org}/keys`, { name: "Old", environment: "test", scopes: ["pdf:read"] });
  await call(owner, `/api/orgs/${org}/keys/${key.id}/revoke`, { reason: "old" });
  const guests = ["admin", "developer", "billing"].map((role) => [role, somebody(role)] as const);
  await Promise.all(guests.map(([role, guest]) => invite(owner, org, guest, role)));
  const look = async (role: string, person: Person) => {
    const { page, errors } = await visit(browser, "/pricing", person);
    await page.getByRole("heading", { name: "Pricing" }).waitFor();
    const denied = page.getByText("You may not see this page.");
    for (const [path, roles] of Object.entries({ ...PAGES, audit: ["owner", "admin"] })) {
      const name = NAMES[path as keyof typeof NAMES];
      const allowed = roles.includes(role);
      if (path in PAGES) assert.equal(await page.getByRole("link", { name, exact: true }).count(), allowed ? 1 : 0, `${role}: ${path}`);
      await page.goto(`${CONSOLE}/orgs/${org}/${path}`);
      await page.getByRole("heading", { name, exact: true }).waitFor();
      await page.waitForLoadState("networkidle");
      assert.equal(await denied.count(), allowed ? 0 : 1, `${role}: ${path}`);
      for (const [, kind, offer, able] of OFFERS.filter(([of]) => of === path)) {
        const count = await page.getByRole(kind, { name: offer, exact: typeof offer === "string" }).count();
        assert.equal(count, able.includes(role) ? 1 : 0, `${role}: ${path}: ${offer}`);
      }
      if (path === "keys" && allowed) {
        await page.getByRole("button", { name: "Old" }).click();
        const panel = page.getByRole("dialog", { name: "Old" });
        await panel.waitFor();
        assert.equal(await panel.getByRole("button", { name: "Delete key" }).count(), role === "developer" ? 0 : 1, role);
      }
    }
    assert.deepEqual(errors, [], role);
    await page.context().close();
  };
  await Promise.all([["owner", owner] as const, ...guests].map(([role, person]) => look(role, person)));
});

test("after a checkout the wallet waits for Stripe's event and then moves, and a reload buys nothing", async () => {
  const ann = somebody("ann");
  const org = await found(ann);
  const { page, errors } = await visit(browser, `/orgs/${org}/wallet`, ann);
  let checkouts = 0;
  page.on("request", (request) => {
    if (request.method() === "POST" && request.url().endsWith("/credits/checkout")) checkouts += 1;
  });
  // What Stripe does at the end of a purchase: it sends the buyer back.
  await page
    .context()
    .route("**/c/pay/**", (route) => route.fulfill({ status: 302, headers: { location: `${CONSOLE}/orgs/${org}/wallet?checkout=paid` } }));
  await page.getByRole("button", { name: "Buy starter" }).click();
  await page.getByText("Waiting for the confirmation").waitFor();
  assert.equal(await page.getByTestId("balance").textContent(), "0");
  await pay(org);
  await page.getByText("Paid. 1,000 credits were added.").waitFor();
  assert.equal(await page.getByTestId("balance").textContent(), "1,000");
  await page.reload();
  await page.getByRole("cell", { name: "1,000", exact: true }).first().waitFor();
  assert.equal(await page.getByTestId("balance").textContent(), "1,000");
  assert.equal(checkouts, 1);
  assert.equal((await call(ann, `/api/orgs/${org}/payments`)).length, 1);
  assert.deepEqual(errors, []);
  await page.context().close();
});

test("a delivery that failed is sent again with the same id, as a further attempt", async () => {
  const ann = somebody("ann");
  const org = await found(ann);
  // 410 is final: the endpoint is disabled, and nothing is tried again by itself.
  const url = await answerWebhooks(org, [410]);
  const { page, errors } = await visit(browser, `/orgs/${org}/webhooks`, ann);
  await page.getByRole("button", { name: "Add endpoint" }).click();
  const form = page.getByRole("dialog", { name: "Add endpoint" });
  await form.getByLabel("Address").fill(url);
  await form.getByLabel("job.completed").check();
  await form.getByRole("button", { name: "Add endpoint" }).click();
  const secret = await page.getByRole("dialog", { name: "Secret of the endpoint" }).locator("pre").first().textContent();
  assert.match(secret ?? "", /^whsec_/);
  await page.getByRole("button", { name: "I have stored it" }).click();
  assert.ok(!(await traces(page)).includes(secret ?? ""));

  const panel = page.getByRole("dialog", { name: url });
  await panel.getByRole("button", { name: "Send a test" }).click();
  await panel.getByText("HTTP 410").waitFor();
  await page.reload();
  await panel.getByText("Disabled: it answered 410").waitFor();
  await panel.getByRole("button", { name: "Enable" }).click();
  await panel.getByText("Active").waitFor();
  await panel.getByRole("button", { name: "Send again" }).click();
  await panel.getByText("HTTP 204").waitFor();
  await panel.getByText("Attempt 2").waitFor();
  await panel.getByRole("listitem").getByText("Delivered").waitFor();
  const [first, second, ...more] = await webhooksOf(org);
  assert.equal(first, second);
  assert.deepEqual(more, []);
  await assertAccessible(page, "an endpoint and its deliveries");
  assert.deepEqual(errors, []);
  await page.context().close();
});

/** Goes to an address without loading the page anew, so that what was put into it stays. */
async function go(page: Page, path: string): Promise<void> {
  await page.evaluate((to) => {
    history.pushState({}, "", to);
    dispatchEvent(new PopStateEvent("popstate", { state: {} }));
  }, path);
  await page.waitForFunction((to) => location.pathname + location.search === to && document.querySelector("h1"), path);
  await page.waitForLoadState("networkidle");
}

/** Chooses language and theme in the page's own fields, which a dialog may cover. */
async function show(page: Page, locale: "en" | "fr", theme: "light" | "dark"): Promise<void> {
  await page.evaluate(
    (chosen) => {
      for (const value of chosen) {
        const field = document.querySelector<HTMLSelectElement>(`select:has(option[value="${value}"])`);
        if (!field) throw new Error(`nothing chooses ${value}`);
        Object.getOwnPropertyDescriptor(HTMLSelectElement.prototype, "value")?.set?.call(field, value);
        field.dispatchEvent(new Event("change", { bubbles: true }));
      }
    },
    [locale, theme],
  );
  await page.locator(`html[lang="${locale}"][data-theme="${theme}"]`).waitFor({ state: "attached" });
}

test("every page is accessible in both languages and both themes, and fits a phone", async () => {
  const ann = somebody("ann");
  const org = await found(ann);
  await call(ann, `/api/orgs/${org}/keys`, { name: "Website", environment: "test", scopes: ["pdf:read"] });
  const paths = [
    "/",
    "/files",
    `/orgs/${org}/keys`,
    `/orgs/${org}/keys?create=true`,
    `/orgs/${org}/wallet`,
    `/orgs/${org}/usage`,
    `/orgs/${org}/webhooks`,
    `/orgs/${org}/webhooks?create=true`,
    `/orgs/${org}/members`,
    `/orgs/${org}/audit`,
    `/orgs/${org}/usage?why=`,
    "/generate",
    "/playground",
    "/orders",
    "/pricing",
    "/account",
    "/nowhere",
  ];
  for (const width of [1280, 320]) {
    const { page, errors } = await visit(browser, "/", undefined, { width });
    // A colour on its way to another one is neither.
    await page.emulateMedia({ reducedMotion: "reduce" });
    await page.getByRole("heading", { name: "Consigne" }).waitFor();
    await assertAccessible(page, "sign-in");
    await page.getByRole("textbox").fill(ann.user);
    await page.locator("button[type=submit]").click();
    await page.locator("h1").filter({ hasNotText: "Consigne" }).waitFor();
    for (const path of paths) {
      await go(page, path);
      const looks = [["en", "light"] as const, ["en", "dark"] as const, ["fr", "dark"] as const, ["fr", "light"] as const];
      // A phone has the same colours and words; its layout is looked at once, in the longer language.
      for (const [locale, theme] of width === 320 ? looks.slice(3) : looks) {
        await show(page, locale, theme);
        await assertAccessible(page, `${path} in ${locale}, ${theme}, ${width} wide`);
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        assert.equal(overflow, 0, `${path} in ${locale} is wider than ${width}`);
      }
    }
    assert.deepEqual(errors, []);
    await page.context().close();
  }
});

interface Chunk {
  file: string;
  imports?: string[];
  dynamicImports?: string[];
  css?: string[];
}

test("the bundles are within their budgets", () => {
  const folder = `${ROOT}/target/web/console`;
  const manifest = JSON.parse(readFileSync(`${folder}/.vite/manifest.json`, "utf8")) as Record<string, Chunk>;
  const size = (files: Iterable<string>) => [...files].reduce((sum, file) => sum + gzipSync(readFileSync(`${folder}/${file}`)).length, 0);
  const withImports = (name: string, seen = new Set<string>()): Set<string> => {
    if (seen.has(name)) return seen;
    seen.add(name);
    for (const one of manifest[name]?.imports ?? []) withImports(one, seen);
    return seen;
  };
  const scripts = (names: Iterable<string>) => new Set([...names].map((name) => manifest[name]?.file ?? ""));
  // What the first page loads: the entry, the laptop's sign-in, a language and the page itself.
  const own = withImports("index.html");
  // The first script does not wait for React, and what it imports later is named in the page.
  assert.ok(own.size > 0 && size(scripts(own)) <= 5_000, `${size(scripts(own))} bytes before the first script runs`);
  const html = readFileSync(`${folder}/index.html`, "utf8");
  const entry = withImports("src/start.tsx", new Set(own));
  assert.ok(entry.size >= own.size + 3);
  for (const file of scripts(entry)) assert.ok(html.includes(`"/${file}"`), `${file} is not in the page`);
  const first = new Set(entry);
  const language = Object.keys(manifest).filter((name) => name.includes("virtual:catalogue/fr"));
  assert.equal(language.length, 1, "a language is a chunk of its own");
  for (const name of ["src/auth/laptop.tsx", "src/routes/home.tsx", ...language]) withImports(name, first);
  const styles = new Set([...first].flatMap((name) => manifest[name]?.css ?? []));
  const loaded = size(scripts(first));
  console.log(`First load: ${loaded} bytes of scripts, ${size(styles)} of styles (gzip)`);
  assert.ok(loaded <= 150_000, `${loaded} bytes of scripts`);
  assert.ok(size(styles) <= 15_000, `${size(styles)} bytes of styles`);
  for (const name of Object.keys(manifest).filter((one) => /^src\/routes\/.*\.tsx$/.test(one))) {
    const added = scripts([...withImports(name)].filter((one) => !entry.has(one)));
    console.log(`${name}: ${size(added)} bytes`);
    assert.ok(size(added) <= 25_000, `${name}: ${size(added)} bytes`);
  }
  assert.ok(![...first].some((name) => name.includes("clerk")), "Clerk is loaded where it is configured only");
});
