// The console without a mouse, and for those who hear it.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import type { Browser } from "playwright-core";

import { assertAccessible } from "./a11y.ts";
import { launch } from "./browser.ts";
import { call, somebody, visit } from "./console.ts";
import { listen, tabTo } from "./keyboard.ts";

let browser: Browser;

before(async () => {
  browser = await launch();
});

after(async () => {
  await browser?.close();
});

test("a file is uploaded, renamed and deleted by keyboard, and each step is said", async () => {
  const ann = somebody("ann");
  const { page, errors } = await visit(browser, "/files", ann);
  await page.getByText("No files yet").waitFor();
  const chosen = page.waitForEvent("filechooser");
  const said = await listen(page);
  // Slow enough that progress has something to say.
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Network.enable");
  await devtools.send("Network.emulateNetworkConditions", { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: 400_000 });

  await tabTo(page, /^Upload files$/);
  await page.keyboard.press("Enter");
  await (await chosen).setFiles({ name: "notes.txt", mimeType: "text/plain", buffer: Buffer.alloc(800_000, "a line of text\n") });
  await said(/% uploaded/);
  await said(/notes\.txt uploaded/);
  await devtools.send("Network.emulateNetworkConditions", { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: -1 });
  const bar = page.getByRole("progressbar", { name: "notes.txt" });
  assert.equal(await bar.getAttribute("value"), "100");

  await tabTo(page, /^notes\.txt$/);
  assert.equal(await page.evaluate(() => document.activeElement?.getAttribute("role")), "row");
  await page.keyboard.press("F2");
  await page.keyboard.type("minutes");
  await page.keyboard.press("Enter");
  await said(/Renamed to minutes\.txt/);
  await page.getByRole("row", { name: "minutes.txt" }).waitFor();
  assert.match((await page.evaluate(() => document.activeElement?.ariaLabel)) ?? "", /^minutes\.txt$/, "the focus is on the row again");

  await page.keyboard.press("Delete");
  const question = page.getByRole("dialog", { name: "Delete minutes.txt?" });
  await question.waitFor();
  await assertAccessible(page, "the question before a file is deleted");
  await page.keyboard.press("Escape");
  await question.waitFor({ state: "detached" });
  assert.match((await page.evaluate(() => document.activeElement?.ariaLabel)) ?? "", /^minutes\.txt$/, "the focus is back after Escape");
  await page.keyboard.press("Delete");
  await tabTo(page, /^Delete file$/);
  await page.keyboard.press("Enter");
  await said(/minutes\.txt deleted/);
  await page.getByText("No files yet").waitFor();
  assert.deepEqual(errors, []);
  await page.context().close();
});

test("a key is made and rotated by keyboard, and its new text takes the focus", async () => {
  const ann = somebody("ann");
  const org = (await call(ann, "/api/orgs", { name: "Acme" })).id;
  const { page, errors } = await visit(browser, `/orgs/${org}/keys`, ann);
  await page.getByText("There are no keys yet").waitFor();
  await tabTo(page, /^Create key$/);
  await page.keyboard.press("Enter");
  await page.getByRole("dialog", { name: "Create key" }).waitFor();
  await page.keyboard.type("Website");
  await tabTo(page, /^pdf:read$/);
  await page.keyboard.press("Space");
  await tabTo(page, /^Create key$/);
  await page.keyboard.press("Enter");
  const shown = page.getByRole("dialog", { name: "Website" });
  await shown.waitFor();
  const first = await shown.locator("pre").first().textContent();
  assert.ok(await shown.evaluate((dialog) => dialog.contains(document.activeElement)));
  await tabTo(page, /^I have stored it$/);
  await page.keyboard.press("Enter");
  await shown.waitFor({ state: "detached" });

  await tabTo(page, /^Website$/);
  await page.keyboard.press("Enter");
  await page.getByRole("dialog", { name: "Website" }).waitFor();
  await tabTo(page, /^Rotate key$/);
  await page.keyboard.press("Enter");
  await page.getByRole("dialog", { name: "Rotate Website?" }).waitFor();
  await assertAccessible(page, "the question before a key is rotated");
  await tabTo(page, /^Rotate key$/);
  await page.keyboard.press("Enter");
  const second = page.getByRole("dialog", { name: "Website" }).locator("pre").first();
  await second.waitFor();
  const text = await second.textContent();
  assert.match(text ?? "", /^sk_test_/);
  assert.notEqual(text, first);
  assert.equal(await page.evaluate(() => document.activeElement?.textContent), "Copy");
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Copied" }).waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), text);
  assert.deepEqual(errors, []);
  await page.context().close();
});

test("the pages are reached from the skip link, the rail and the palette", async () => {
  const ann = somebody("ann");
  const { page, errors } = await visit(browser, "/", ann);
  // The steps come after the greeting, once it is known which are done.
  await page.getByText("Go to files", { exact: true }).waitFor();
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await tabTo(page, /^Go to files$/, 3);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Files" }).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement?.id), "main", "a screen reader begins at the new page");
  await page.keyboard.press("Control+k");
  await page.getByRole("dialog").waitFor();
  await page.keyboard.type("pricing");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Pricing", exact: true }).waitFor();
  assert.deepEqual(errors, []);
  await page.context().close();
});
