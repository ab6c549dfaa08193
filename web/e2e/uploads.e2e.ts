// The uploads of @consigne/client in a browser, against the laptop's stack, with a network that is slow and fails.

import assert from "node:assert/strict";
import type { Server } from "node:http";
import { after, afterEach, before, beforeEach, test } from "node:test";

import type { Browser, CDPSession, Page } from "playwright-core";

import type { createClient } from "../client/src/index.ts";
import type { createUploads, Upload, UploadState } from "../client/src/upload.ts";
import { launch } from "./browser.ts";
import { bundleClient } from "./client.ts";
import { type Faults, startFaults } from "./faults.ts";
import { deploy, type Stack, servePages, token } from "./stack.ts";

/** Bytes a second of an uplink that is slow enough to watch. */
const SLOW = 2_000_000;
const MB = 1_000_000;

/** What the page has. */
interface Loaded {
  consigne: { createClient: typeof createClient; createUploads: typeof createUploads };
  client: ReturnType<typeof createClient>;
  uploads: ReturnType<typeof createUploads>;
  upload: Upload;
  states: UploadState[];
  /** How often a fresh token was asked for. */
  fresh: number;
  /** XMLHttpRequests that were made. */
  requests: XMLHttpRequest[];
}

// Known to the functions that run in the page.
declare const window: Window & Loaded;

let browser: Browser;
let faults: Faults;
let ours: { server: Server; origin: string };
let stack: Stack;
let page: Page;
let devtools: CDPSession;
let user: string;
let users = 0;

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

beforeEach(async () => {
  users += 1;
  user = `user_uploads${Date.now()}${users}`;
  faults.next.length = 0;
  faults.answers.length = 0;
  faults.most = 0;
  page = await browser.newPage();
  devtools = await page.context().newCDPSession(page);
  await devtools.send("Network.enable");
  await page.goto(`${ours.origin}/`);
  await page.waitForFunction(() => "consigne" in window);
  await open([token(user, "pro", ours.origin)]);
});

afterEach(() => page.close());

/** Makes the page's client. The first token is used until a fresh one is asked for. */
async function open(tokens: string[]): Promise<void> {
  await page.evaluate(
    ({ baseUrl, tokens }) => {
      window.fresh = 0;
      window.client = window.consigne.createClient({
        baseUrl,
        getToken: ({ fresh }) => {
          if (fresh) window.fresh += 1;
          return tokens[Math.min(window.fresh, tokens.length - 1)];
        },
      });
      window.uploads = window.consigne.createUploads(window.client);
    },
    { baseUrl: stack.url, tokens },
  );
}

/** Limits what the page can send, in bytes a second. */
async function throttle(bytes: number): Promise<void> {
  await devtools.send("Network.emulateNetworkConditions", { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: bytes });
}

/** Adds a PNG of some bytes to the page's queue. */
async function add(size: number, name = "photo.png"): Promise<void> {
  await page.evaluate(
    ({ size, name, start }) => {
      const bytes = new Uint8Array(size);
      bytes.set(Uint8Array.from(atob(start), (letter) => letter.charCodeAt(0)));
      window.states = [];
      const onChange = (state: UploadState) => window.states.push(state);
      window.upload = window.uploads.add(new File([bytes], name, { type: "image/png" }), { onChange });
    },
    { size, name, start: PNG },
  );
}

/** Waits for the end of all uploads of the page. Returns where they ended, and their errors. */
function settled(): Promise<string[]> {
  return page.evaluate(async () => {
    const states = await window.uploads.settled();
    return states.map(({ status, error }) => (error ? `${status} ${error.code}: ${error.message}` : status));
  });
}

/** Returns the names of the files that the user has. */
function listed(): Promise<string[]> {
  return page.evaluate(async () => (await window.client.files.list().all()).map(({ filename }) => filename));
}

// A PNG of one red pixel, in base64. What follows it is not read.
const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";

test("uploads: 4 MB at 2 MB a second rise in progress, and are 100 only when ready", async () => {
  await throttle(SLOW);
  await add(4 * MB);
  assert.deepEqual(await settled(), ["ready"]);
  await page.waitForFunction(() => window.states.at(-1)?.status === "ready");
  const states = await page.evaluate(() => window.states.map(({ status, progress }) => ({ status, progress })));
  const values = states.map(({ progress }) => progress);
  assert.ok(new Set(values).size >= 10, `${values}`);
  assert.deepEqual(
    values,
    [...values].sort((one, other) => one - other),
  );
  assert.ok(
    states.every(({ status, progress }) => (progress === 100) === (status === "ready") && progress <= 100),
    JSON.stringify(states),
  );
  // Two seconds at ten changes a second, and some for the check.
  assert.ok(states.length <= 60, `${states.length} changes`);
});

test("uploads: an answer that is lost after S3 took the bytes leaves one file", async () => {
  faults.next.push({ kind: "lost" });
  await add(MB);
  assert.deepEqual(await settled(), ["ready"]);
  assert.equal(faults.answers[0], 200);
  assert.deepEqual(await listed(), ["photo.png"]);
});

test("uploads: a 412, because S3 has the file already, is a success", async () => {
  faults.next.push({ kind: "twice" });
  await add(MB);
  assert.deepEqual(await settled(), ["ready"]);
  assert.deepEqual(faults.answers, [200, 412]);
  assert.deepEqual(await listed(), ["photo.png"]);
});

test("uploads: a grant that has expired is replaced, unseen", async () => {
  faults.next.push({ kind: "expired" });
  await add(MB);
  assert.deepEqual(await settled(), ["ready"]);
  assert.deepEqual(faults.answers, [403, 200]);
  assert.deepEqual(await listed(), ["photo.png"]);
  const usage = await page.evaluate(() => window.client.files.usage());
  assert.deepEqual([usage.totalFiles, usage.totalSize, usage.reservedSize], [1, MB, 0]);
});

test("uploads: a token that expires in mid-queue is renewed once for all", async () => {
  // The API takes a token for five seconds more.
  await open([token(user, "pro", ours.origin, -2), token(user, "pro", ours.origin)]);
  await throttle(SLOW);
  const refused: string[] = [];
  page.on("response", (response) => response.status() === 401 && refused.push(response.url()));
  await page.evaluate((start) => {
    const bytes = new Uint8Array(1_000_000);
    bytes.set(Uint8Array.from(atob(start), (letter) => letter.charCodeAt(0)));
    for (let index = 0; index < 12; index += 1) window.uploads.add(new File([bytes], `${index}.png`, { type: "image/png" }));
  }, PNG);
  assert.deepEqual(await settled(), Array(12).fill("ready"));
  assert.ok(refused.length > 0, "the token has expired meanwhile");
  assert.equal(await page.evaluate(() => window.fresh), 1);
  assert.equal((await listed()).length, 12);
});

test("uploads: abort at 50 % rejects within 100 ms, and gives the bytes back", async () => {
  await throttle(SLOW);
  await add(4 * MB);
  await page.waitForFunction(() => window.upload.state.progress >= 50);
  const { code, took, reserved } = await page.evaluate(async () => {
    const before = await window.client.files.usage();
    const began = performance.now();
    const given = window.upload.abort();
    const code = await window.upload.done.then(
      () => "",
      (error: { code: string }) => error.code,
    );
    const took = performance.now() - began;
    await given;
    const after = await window.client.files.usage();
    return { code, took, reserved: [before.reservedSize, after.reservedSize] };
  });
  assert.equal(code, "ABORTED");
  assert.ok(took < 100, `${took} ms`);
  assert.deepEqual(reserved, [4 * MB, 0]);
  assert.deepEqual(await settled(), ["aborted ABORTED: the upload was aborted"]);
  assert.deepEqual(await listed(), []);
});

test("uploads: a request that the browser aborts is tried again", async () => {
  await throttle(SLOW);
  await page.evaluate(() => {
    window.requests = [];
    const send = XMLHttpRequest.prototype.send;
    XMLHttpRequest.prototype.send = function (...body) {
      window.requests.push(this);
      return send.apply(this, body);
    };
  });
  await add(2 * MB);
  await page.waitForFunction(() => window.upload.state.progress >= 30);
  await page.evaluate(() => window.requests[0]?.abort());
  assert.deepEqual(await settled(), ["ready"]);
  assert.equal(await page.evaluate(() => window.requests.length), 2);
  assert.deepEqual(await listed(), ["photo.png"]);
});

test("uploads: a connection that breaks, and a busy S3, are tried again", async () => {
  await throttle(SLOW);
  faults.next.push({ kind: "cut", after: 500_000 }, { kind: "answer", status: 503, code: "SlowDown" });
  faults.next.push({ kind: "answer", status: 409, code: "ConditionalRequestConflict" });
  await add(MB);
  assert.deepEqual(await settled(), ["ready"]);
  assert.deepEqual(await listed(), ["photo.png"]);
  const usage = await page.evaluate(() => window.client.files.usage());
  assert.deepEqual([usage.totalFiles, usage.reservedSize], [1, 0]);
  assert.deepEqual(faults.next, [], "all three have happened");
});

test("uploads: a connection that takes no more bytes is given up, and tried again", async () => {
  await page.evaluate(() => {
    window.uploads = window.consigne.createUploads(window.client, { stall: 1_000 });
  });
  await throttle(SLOW);
  faults.next.push({ kind: "hang", after: 300_000 });
  await add(MB);
  assert.deepEqual(await settled(), ["ready"]);
  assert.deepEqual(faults.answers, [200]);
  assert.deepEqual(await listed(), ["photo.png"]);
});

test("uploads: of a hundred files four are sent at a time, with ten changes a second and without much memory", async () => {
  await open([token(user, "enterprise", ours.origin)]);
  const used = async () => {
    await devtools.send("HeapProfiler.collectGarbage");
    return (await devtools.send("Runtime.getHeapUsage")).usedSize;
  };
  const before = await used();
  const { changes, seconds } = await page.evaluate(async (start) => {
    let changes = 0;
    window.uploads.subscribe(() => {
      changes += 1;
    });
    const began = performance.now();
    for (let index = 0; index < 100; index += 1) {
      const bytes = new Uint8Array(100_000);
      bytes.set(Uint8Array.from(atob(start), (letter) => letter.charCodeAt(0)));
      window.uploads.add(new File([bytes], `${index}.png`, { type: "image/png" }));
    }
    await window.uploads.settled();
    return { changes, seconds: (performance.now() - began) / 1000 };
  }, PNG);
  assert.deepEqual(await settled(), Array(100).fill("ready"));
  assert.equal(new Set(await listed()).size, 100);
  // While one sends, another may be asking for its grant.
  assert.ok(faults.most > 1 && faults.most <= 4, `${faults.most} at a time`);
  // One more for the first change, which waits for nobody.
  assert.ok(changes <= seconds * 10 + 1, `${changes} changes in ${seconds} s`);
  const growth = ((await used()) - before) / 2 ** 20;
  assert.ok(growth <= 32, `the heap grew by ${growth} MB`);
});

test("uploads: without a network they wait, and go on by themselves", async () => {
  await throttle(SLOW);
  await add(2 * MB);
  await page.waitForFunction(() => window.upload.state.progress >= 30);
  await page.context().setOffline(true);
  await page.waitForFunction(() => window.upload.state.offline);
  await page.waitForTimeout(1_000);
  await page.context().setOffline(false);
  assert.deepEqual(await settled(), ["ready"]);
});

test("uploads: a picture that is none is rejected with the reason, and can be seen as such", async () => {
  await page.evaluate(() => window.uploads.add(new File(["not a picture"], "photo.png", { type: "image/png" })));
  assert.deepEqual(await settled(), ["failed FILE_REJECTED: the file was rejected: declared image/png, found text"]);
  assert.deepEqual(await listed(), []);
});

test("uploads: a name in NFD lists in NFC, and is downloaded under it", async () => {
  await add(100, "e\u0301te\u0301.png");
  assert.deepEqual(await settled(), ["ready"]);
  assert.deepEqual(await listed(), ["\u00e9t\u00e9.png"]);
  const disposition = await page.evaluate(async () => {
    const { key } = await window.upload.done;
    return window.client.files.url(key, { disposition: "attachment" });
  });
  const answer = await fetch(disposition);
  assert.match(answer.headers.get("content-disposition") ?? "", /filename\*=UTF-8''%C3%A9t%C3%A9\.png/);
});

test("uploads: a file is shown again under the same URL, and fetched once", async () => {
  await add(100);
  assert.deepEqual(await settled(), ["ready"]);
  const fetched: string[] = [];
  page.on("response", (response) => response.url().includes("X-Amz-Signature") && fetched.push(response.url()));
  const urls = await page.evaluate(async () => {
    const { key } = await window.upload.done;
    const urls: string[] = [];
    for (let shown = 0; shown < 2; shown += 1) {
      const url = await window.client.files.url(key);
      urls.push(url);
      await new Promise((done) => {
        const image = document.body.appendChild(new Image());
        image.onload = image.onerror = done;
        image.src = url;
      });
    }
    return urls;
  });
  assert.equal(urls[0], urls[1]);
  assert.equal(fetched.length, 1);
});
