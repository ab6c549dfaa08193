// The console with very much in it: long lists, and a hundred uploads at once.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import type { Browser, Page } from "playwright-core";

import { launch } from "./browser.ts";
import { API, CONSOLE, readStack, somebody, visit } from "./console.ts";
import { longestTasks } from "./trace.ts";

const BUCKET = readStack().AWS_ENDPOINT_URL ?? "";
const PNG = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==", "base64");
const CORS = { "access-control-allow-origin": CONSOLE, "access-control-allow-credentials": "true" };
const MANY = 10_000;

let browser: Browser;

before(async () => {
  browser = await launch();
});

after(async () => {
  await browser?.close();
});

/** Scrolls through an element, and returns the most rows that were in the document. */
async function scrollThrough(page: Page, scroller: string, row: string): Promise<number> {
  let most = 0;
  for (let step = 0; step <= 30; step += 1) {
    const rows = await page.locator(scroller).evaluate(
      (body, { part, row }) => {
        body.scrollTop = body.scrollHeight * part;
        return new Promise<number>((counted) => requestAnimationFrame(() => requestAnimationFrame(() => counted(body.querySelectorAll(row).length))));
      },
      { part: step / 30, row },
    );
    most = Math.max(most, rows);
  }
  return most;
}

test("ten thousand files: at most 60 rows, no task above 50 ms, and the keys still lead everywhere", async () => {
  const { page, errors } = await visit(browser, "/pricing", somebody("ann"));
  const nameOf = (number: number) => `${number % 7 === 3 ? "été" : "photo"} ${(number * 7919) % MANY}.png`;
  await page.route(`${API}/api/files/list*`, (route) => {
    const start = Number(new URL(route.request().url()).searchParams.get("cursor") ?? 0);
    const files = Array.from({ length: 1_000 }, (_, index) => ({
      ...{ fileId: `F${start + index}`, key: `user/images/F${start + index}.png`, filename: nameOf(start + index), size: 1_000 + index },
      ...{ contentType: "image/png", kind: "image", status: "ready", width: 1, height: 1, dimensions: "measured" },
      ...{ lastModified: new Date(1.7e12 - (start + index) * 60_000).toISOString(), metadata: {}, thumbnails: {} },
    }));
    const nextCursor = start + 1_000 < MANY ? String(start + 1_000) : null;
    return route.fulfill({ headers: CORS, json: { files, total: MANY, userId: "user", nextCursor } });
  });
  await page.goto(`${CONSOLE}/files`);
  await page.getByRole("row", { name: "photo 0.png" }).waitFor();
  for (let loaded = 2_000; loaded <= MANY; loaded += 1_000) {
    await page.getByRole("button", { name: "Load more" }).click();
    await page.getByText(loaded < MANY ? `${loaded.toLocaleString("en")} of 10,000 files` : "10,000 files", { exact: true }).waitFor();
  }
  await browser.startTracing(page, { categories: ["toplevel", "__metadata"] });
  const most = await scrollThrough(page, ".csg-body", '[role="row"]');
  assert.ok(most >= 11 && most <= 60, `${most} rows`);
  await page.getByRole("row", { name: nameOf(MANY - 1), exact: true }).focus();
  await page.keyboard.press("Home");
  await page.getByRole("row", { name: nameOf(0), exact: true }).waitFor();
  await page.keyboard.press("End");
  await page.getByRole("row", { name: nameOf(MANY - 1), exact: true }).waitFor();
  await page.getByRole("button", { name: "Name", exact: true }).click();
  await page.getByRole("columnheader", { name: "Name" }).and(page.locator("[aria-sort=ascending]")).waitFor();
  await page.getByRole("searchbox").pressSequentially("ETE 99");
  await page.getByText(/^\d+ files match$/).waitFor();
  const tasks = longestTasks(await browser.stopTracing());
  assert.ok((tasks[0] ?? 0) > 0 && (tasks[0] ?? 0) <= 50, `tasks of ${tasks.slice(0, 5)} ms`);
  assert.deepEqual(errors, []);
  await page.context().close();
});

test("ten thousand orders: at most 60 rows, no task above 50 ms", async () => {
  const { page, errors } = await visit(browser, "/pricing", { ...somebody("expert"), role: "expert" });
  const at = new Date(1.7e12).toISOString();
  await page.route(`${API}/api/orders?*`, (route) => {
    const start = Number(new URL(route.request().url()).searchParams.get("cursor") ?? 0);
    const data = Array.from({ length: 1_000 }, (_, index) => ({
      ...{ order_id: `order_${start + index}`, status: "submitted", email: `customer${start + index}@people.example` },
      ...{ paid_at: at, submitted_at: at, submissions: 1, files: [] },
    }));
    const metadata = { next_cursor: start + 1_000 < MANY ? String(start + 1_000) : null, total: null };
    return route.fulfill({ headers: CORS, json: { success: true, message: "", data, metadata, timestamp: at } });
  });
  await page.goto(`${CONSOLE}/orders`);
  await page.getByRole("link", { name: /customer0@/ }).waitFor();
  // Each time the end is in sight, the next page comes.
  await page.waitForFunction(
    (height) => {
      const list = document.querySelector("[data-orders]");
      if (list) list.scrollTop = list.scrollHeight;
      return (list?.scrollHeight ?? 0) >= height;
    },
    MANY * 60,
    { polling: 50 },
  );
  await browser.startTracing(page, { categories: ["toplevel", "__metadata"] });
  const most = await scrollThrough(page, "[data-orders]", "li");
  const tasks = longestTasks(await browser.stopTracing());
  assert.ok(most >= 5 && most <= 60, `${most} rows`);
  assert.ok((tasks[0] ?? 0) > 0 && (tasks[0] ?? 0) <= 50, `tasks of ${tasks.slice(0, 5)} ms`);
  assert.deepEqual(errors, []);
  await page.context().close();
});

test("a hundred uploads: four at a time, the page changes ten times a second at most, the heap grows by 32 MB at most", async () => {
  const { page, errors } = await visit(browser, "/files", { ...somebody("ann"), plan: "enterprise" });
  await page.getByText("No files yet").waitFor();
  const devtools = await page.context().newCDPSession(page);
  const used = async () => {
    await devtools.send("HeapProfiler.collectGarbage");
    return (await devtools.send("Runtime.getHeapUsage")).usedSize;
  };
  const before = await used();
  let open = 0;
  let most = 0;
  page.on("request", (request) => {
    if (request.method() !== "PUT" || !request.url().startsWith(BUCKET)) return;
    open += 1;
    most = Math.max(most, open);
  });
  const ended = (request: { method(): string; url(): string }) => {
    if (request.method() === "PUT" && request.url().startsWith(BUCKET)) open -= 1;
  };
  page.on("requestfinished", ended);
  page.on("requestfailed", ended);
  await page.evaluate(() => {
    const changes: number[] = [];
    Object.assign(window, { changes });
    new MutationObserver((found) => {
      if (found.some(({ target }) => (target instanceof Element ? target : target.parentElement)?.closest(".csg-uploads"))) {
        changes.push(performance.now());
      }
    }).observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true });
  });
  const files = Array.from({ length: 100 }, (_, index) => {
    const buffer = Buffer.alloc(100_000);
    PNG.copy(buffer);
    return { name: `${index}.png`, mimeType: "image/png", buffer };
  });
  await page.locator("input[type=file]").first().setInputFiles(files);
  await page.getByText("100 files", { exact: true }).waitFor({ timeout: 120_000 });
  assert.ok(most > 1 && most <= 4, `${most} at a time`);
  const changes = await page.evaluate(() => (window as unknown as { changes: number[] }).changes);
  const seconds = ((changes.at(-1) ?? 0) - (changes[0] ?? 0)) / 1_000;
  // The first change waits for nobody.
  assert.ok(changes.length <= seconds * 10 + 2, `${changes.length} changes in ${seconds} s`);
  const growth = ((await used()) - before) / 2 ** 20;
  assert.ok(growth <= 32, `the heap grew by ${growth} MB`);
  assert.deepEqual(errors, []);
  await page.context().close();
});
