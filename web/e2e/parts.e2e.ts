// Files above 100 MB in a browser, against the laptop's stack: they are sent in parts, and go on after a reload.

import assert from "node:assert/strict";
import type { Server } from "node:http";
import { after, before, test } from "node:test";

import type { Browser, Page } from "playwright-core";

import type { createClient } from "../client/src/index.ts";
import type { createUploads, Upload } from "../client/src/upload.ts";
import { launch } from "./browser.ts";
import { bundleClient } from "./client.ts";
import { type Faults, startFaults } from "./faults.ts";
import { deploy, type Stack, servePages, token } from "./stack.ts";

interface Loaded {
  consigne: { createClient: typeof createClient; createUploads: typeof createUploads };
  client: ReturnType<typeof createClient>;
  upload: Upload;
}

// Known to the functions that run in the page.
declare const window: Window & Loaded;

let browser: Browser;
let faults: Faults;
let ours: { server: Server; origin: string };
let stack: Stack;

before(async () => {
  faults = await startFaults();
  browser = await launch(faults.address);
  ours = await servePages({ "/client.js": await bundleClient() });
  stack = deploy([ours.origin]);
});

after(async () => {
  await browser?.close();
  ours?.server.close();
  faults?.close();
});

/** Opens the page anew, and adds the same film of 160 MB as before. */
async function add(page: Page, bearer: string): Promise<void> {
  await page.goto(`${ours.origin}/`);
  await page.waitForFunction(() => "consigne" in window);
  await page.evaluate(
    ({ baseUrl, bearer }) => {
      const head = "\0\0\0\x18ftypisom\0\0\x02\0isommp42";
      const film = [Uint8Array.from(head, (letter) => letter.charCodeAt(0)), new Uint8Array(160_000_000 - head.length)];
      window.client = window.consigne.createClient({ baseUrl, getToken: () => bearer });
      const uploads = window.consigne.createUploads(window.client, { storage: localStorage });
      window.upload = uploads.add(new File(film, "film.mp4", { type: "video/mp4", lastModified: 1 }));
    },
    { baseUrl: stack.url, bearer },
  );
}

test("parts: a film of 160 MB goes on at a part after a reload", async () => {
  const page = await browser.newPage();
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Network.enable");
  await devtools.send("Network.emulateNetworkConditions", { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: 40_000_000 });
  const bearer = token(`user_parts${Date.now()}`, "enterprise", ours.origin);
  await add(page, bearer);
  await page.waitForFunction(() => window.upload.state.progress >= 60);
  const sent = faults.answers.length;
  assert.ok(sent >= 3, `${sent} parts`);

  await add(page, bearer);
  const file = await page.evaluate(() => window.upload.done);
  assert.deepEqual([file.status, file.size, file.contentType], ["ready", 160_000_000, "video/mp4"]);
  // Ten parts, and those three again that were on their way.
  assert.ok(faults.answers.length <= 13, `${faults.answers}`);
  assert.equal(await page.evaluate(() => localStorage.length), 0);
  const usage = await page.evaluate(() => window.client.files.usage());
  assert.deepEqual([usage.totalFiles, usage.totalSize, usage.reservedSize], [1, 160_000_000, 0]);
  await page.close();
});

test("parts: abort gives all bytes back", async () => {
  const page = await browser.newPage();
  const bearer = token(`user_parts${Date.now()}`, "enterprise", ours.origin);
  await add(page, bearer);
  await page.waitForFunction(() => window.upload.state.progress >= 20);
  const reserved = await page.evaluate(async () => {
    await window.upload.abort();
    return (await window.client.files.usage()).reservedSize;
  });
  assert.equal(reserved, 0);
  await page.close();
});
