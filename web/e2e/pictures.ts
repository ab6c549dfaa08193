// Takes the pictures of the console that the documents show: `make pictures`. Everything is made on the laptop's stack, except
// for the figures of the days before today, which are examples.

import { mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";

import type { Page } from "playwright-core";

import { launch } from "./browser.ts";
import { API, answerWebhooks, CONSOLE, call, invite, type Person, pay, somebody, visit } from "./console.ts";
import { ROOT } from "./stack.ts";

const FOLDER = `${ROOT}/docs/pictures`;
/** Bytes of all pictures together. */
const MOST = 1_000_000;

/** Returns example figures of the days of a range: more on weekdays, and slowly more. */
function days(from: string, to: string): unknown[] {
  const all = [];
  for (let time = Date.parse(from), at = 0; time <= Date.parse(to); time += 86_400_000, at += 1) {
    const weekend = [0, 6].includes(new Date(time).getUTCDay());
    const wave = Math.sin(at * 2.3) * 40 + Math.cos(at * 0.9) * 25;
    const pdf = Math.round((weekend ? 90 : 260) + at * 4 + wave);
    const ai = Math.round((weekend ? 30 : 95) + at * 2 - wave / 2);
    const mileage = Math.round((weekend ? 5 : 45) + wave / 4 + 10);
    const requests = pdf + ai + mileage;
    all.push({
      ...{ date: new Date(time).toISOString().slice(0, 10), requests, credits: pdf + 3 * ai + mileage, outcomes: requests, complete: true },
      ...{ success_rate: 97 + (at % 3), p50_ms: 42 + (at % 5) * 3, p95_ms: 180 + (at % 7) * 14 },
      ...{ services: { pdf, ai, mileage }, keys: {}, countries: { FR: Math.round(requests * 0.6), BE: Math.round(requests * 0.3) } },
    });
  }
  return all;
}

/** Makes an organisation that has been used. */
async function prepare(ann: Person): Promise<{ org: string; key: string }> {
  const org = (await call(ann, "/api/orgs", { name: "Acme" })).id;
  const keys = [];
  for (const [name, environment] of [
    ["Staging", "test"],
    ["Mobile app", "production"],
    ["Website", "production"],
  ]) {
    keys.push(await call(ann, `/api/orgs/${org}/keys`, { name, environment, scopes: ["pdf:read", "ai:read"], daily_quota: 10_000 }));
  }
  await call(ann, `/api/orgs/${org}/credits/checkout`, { pack: "starter" });
  await pay(org);
  for (const role of ["developer", "billing"]) await invite(ann, org, somebody(role), role);
  for (let wait = 0; wait < 50 && (await call(ann, `/api/orgs/${org}/wallet`)).balance === 0; wait += 1)
    await new Promise((wake) => setTimeout(wake, 100));
  for (let number = 0; number < 40; number += 1) {
    const key = keys[number % 3].key;
    await (await fetch(`${API}/api/v1/${number % 4 === 3 ? "ai/answers" : "pdf/documents"}/${number}`, { headers: { "x-api-key": key } })).text();
  }
  const url = await answerWebhooks(org, [500]);
  await call(ann, `/api/orgs/${org}/endpoints`, { url, events: ["job.completed", "key.revoked"] });
  return { org, key: keys[2].id };
}

async function take(page: Page, name: string): Promise<void> {
  await page.locator("h1").waitFor();
  await page.waitForLoadState("networkidle");
  await page.evaluate(() => document.fonts.ready);
  if ((await page.getByRole("alert").count()) > 0) throw new Error(`${name}: ${await page.getByRole("alert").first().textContent()}`);
  const devtools = await page.context().newCDPSession(page);
  const { data } = await devtools.send("Page.captureScreenshot", { format: "webp", quality: 82 });
  writeFileSync(`${FOLDER}/${name}.webp`, Buffer.from(data, "base64"));
}

mkdirSync(FOLDER, { recursive: true });
for (const old of readdirSync(FOLDER).filter((name) => name.startsWith("console-"))) rmSync(`${FOLDER}/${old}`);
const ann = somebody("ann");
const { org, key } = await prepare(ann);
const browser = await launch();
try {
  for (const theme of ["light", "dark"] as const) {
    const { page, errors } = await visit(browser, "/", ann, { theme, width: 1280 });
    await page.route(`${API}/api/orgs/${org}/stats*`, async (route) => {
      const { searchParams } = new URL(route.request().url());
      const data = days(searchParams.get("from") ?? "", searchParams.get("to") ?? "");
      const headers = { "access-control-allow-origin": CONSOLE, "access-control-allow-credentials": "true" };
      await route.fulfill({
        headers,
        json: { success: true, message: "", data, metadata: { next_cursor: null, total: data.length }, timestamp: new Date().toISOString() },
      });
    });
    for (const [name, path] of [
      ["usage", `/orgs/${org}/usage`],
      ["key", `/orgs/${org}/keys?key=${key}`],
      ["wallet", `/orgs/${org}/wallet`],
    ] as const) {
      await page.goto(CONSOLE + path);
      await take(page, `console-${name}-${theme}`);
    }
    if (errors.length > 0) throw new Error(errors.join("\n"));
    await page.context().close();
  }
} finally {
  await browser.close();
}
const size = readdirSync(FOLDER).reduce((sum, name) => sum + statSync(`${FOLDER}/${name}`).size, 0);
if (size > MOST) throw new Error(`the pictures have ${size} bytes together, more than ${MOST}`);
console.log(`Took the pictures of the console: docs/pictures, ${Math.round(size / 1000)} kB.`);
