// The hooks and components of @consigne/react in a browser, against the laptop's stack.

import assert from "node:assert/strict";
import type { Server } from "node:http";
import { after, before, test } from "node:test";

import type { Browser, Page } from "playwright-core";

import { assertAccessible } from "./a11y.ts";
import { bundle, serve } from "./app/serve.ts";
import { launch } from "./browser.ts";
import { deploy, type Stack, token } from "./stack.ts";
import { longestTasks } from "./trace.ts";

// A PNG of one red pixel, in base64.
const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";
const PICTURE = { name: "photo été.png", mimeType: "image/png", buffer: Buffer.from(PNG, "base64") };
const NOTES = { name: "notes.md", mimeType: "text/markdown", buffer: Buffer.from("# Notes\n") };

let browser: Browser;
let app: { server: Server; origin: string };
let stack: Stack;
let users = 0;

before(async () => {
  await bundle();
  browser = await launch();
  app = await serve();
  stack = deploy([app.origin]);
});

after(async () => {
  await browser?.close();
  app?.server.close();
});

interface Open {
  page: Page;
  /** Requests to the API and the bucket, such as `POST /api/files/uploads` and `GET bucket`. Preflights are left out. */
  requests: string[];
  /** What the page reported: errors that nobody caught, and `console.error`. */
  errors: string[];
  bearer: string;
}

/** Opens the page for a new user. */
async function open(address: string, { bearer = "", viewport = { width: 1000, height: 800 } } = {}): Promise<Open> {
  users += 1;
  const own = bearer || token(`user_components${Date.now()}${users}`, "pro", app.origin);
  const page = await browser.newPage({ viewport });
  const requests: string[] = [];
  const errors: string[] = [];
  page.on("request", (request) => {
    if (request.url().startsWith(app.origin) || !request.url().startsWith("http")) return;
    const path = request.url().startsWith(stack.url) ? new URL(request.url().slice(stack.url.length), "http://x").pathname : "bucket";
    requests.push(`${request.method()} ${path}`);
  });
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  await page.addInitScript((consigne) => Object.assign(window, { consigne }), { url: stack.url, token: own });
  await page.goto(`${app.origin}/?${address}`);
  return { page, requests, errors, bearer: own };
}

/** Calls the API as the user of a page. */
// biome-ignore lint/suspicious/noExplicitAny: each test knows the fields that it reads.
async function call(bearer: string, path: string, method = "GET", body?: unknown): Promise<any> {
  const headers = { authorization: `Bearer ${bearer}`, "content-type": "application/json" };
  const answer = await fetch(stack.url + path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  assert.ok(answer.ok, `${path}: ${answer.status} ${await answer.clone().text()}`);
  return answer.json();
}

/** Uploads a file of the user of a page, and waits until it is ready. */
async function put(bearer: string, file: { name: string; mimeType: string; buffer: Buffer }, more = {}): Promise<string> {
  const asked = { filename: file.name, contentType: file.mimeType, size: file.buffer.length, ...more };
  const grant = await call(bearer, "/api/files/uploads", "POST", asked);
  const sent = await fetch(grant.url, { method: "PUT", headers: grant.headers, body: new Uint8Array(file.buffer) });
  assert.equal(sent.status, 200);
  for (let tries = 0; tries < 100; tries += 1) {
    const { status } = await call(bearer, `/api/files/metadata?s3Key=${encodeURIComponent(grant.s3Key)}`);
    if (status === "ready") return grant.s3Key;
    await new Promise((wake) => setTimeout(wake, 100));
  }
  throw new Error(`${file.name} was not ready in time`);
}

test("TestS3 uploads a picture with one grant and one PUT, and counts it", async () => {
  const { page, requests, errors } = await open("show=TestS3");
  await page.getByText("Files: 0").waitFor();
  await page.getByLabel("image").setInputFiles(PICTURE);
  await page.getByText("Files: 1").waitFor();
  assert.equal(requests.filter((one) => one === "POST /api/files/uploads").length, 1);
  assert.equal(requests.filter((one) => one === "PUT bucket").length, 1);
  // A dialog that was cancelled.
  await page.getByLabel("image").setInputFiles([]);
  assert.deepEqual(errors, []);
  await page.close();
});

test("BookGenerator has a book written, and shows a refusal in the API's words", async () => {
  const { page, errors } = await open("show=BookGenerator");
  await page.getByRole("button", { name: "Generate" }).click();
  await page.getByRole("alert").waitFor();
  assert.match((await page.getByRole("alert").textContent()) ?? "", /topic/);
  await page.getByLabel("topic").fill("Lighthouses");
  await page.getByLabel("goal").fill("To see far");
  await page.getByRole("button", { name: "Generate" }).click();
  const link = page.getByRole("link", { name: "Download" });
  await link.waitFor({ timeout: 60_000 });
  assert.match((await page.locator("article").textContent()) ?? "", /[1-9]\d* chapters, [1-9]\d* words/);
  assert.equal((await fetch((await link.getAttribute("href")) ?? "")).status, 200);
  assert.deepEqual(
    errors.filter((one) => !one.includes("400")),
    [],
  );
  await page.close();
});

test("UserFiles lists all files of a kind with their titles, opens one in a tab, and deletes it", async () => {
  const bearer = token(`user_files${Date.now()}`, "pro", app.origin);
  await put(bearer, NOTES, { kind: "book", metadata: { title: "My notes" } });
  await put(bearer, { ...NOTES, name: "été à Paris.md" }, { kind: "book" });
  const { page } = await open("show=UserFiles", { bearer });
  await page.getByText("My notes").waitFor();
  await page.getByText("été à Paris.md", { exact: true }).waitFor();
  const [tab] = await Promise.all([page.waitForEvent("popup"), page.getByRole("button", { name: "Download notes.md" }).click()]);
  assert.ok(tab);
  await page.getByRole("button", { name: "Delete été à Paris.md" }).click();
  await page.getByText("été à Paris.md", { exact: true }).waitFor({ state: "detached" });
  assert.equal((await call(bearer, "/api/files/list")).total, 1);
  await page.close();
});

test("FileManager uploads, renames, filters, sorts and deletes, by keyboard, and says so", async () => {
  const { page, errors, bearer } = await open("show=FileManager");
  const said = page.getByRole("status").last();
  await page.getByText("No files yet.").waitFor();
  await assertAccessible(page, "empty");
  const [chooser] = await Promise.all([page.waitForEvent("filechooser"), page.getByRole("button", { name: "Upload files" }).press("Enter")]);
  await chooser.setFiles([PICTURE, NOTES]);
  await page.getByRole("row", { name: "notes.md" }).waitFor();
  await page.getByRole("row", { name: PICTURE.name }).waitFor();
  await assertAccessible(page, "two files");

  await page.getByRole("button", { name: "Name", exact: true }).press("Enter");
  assert.equal(await page.getByRole("columnheader", { name: "Name" }).getAttribute("aria-sort"), "ascending");
  const names = () => page.getByRole("row").evaluateAll((rows) => rows.slice(1).map((row) => row.getAttribute("aria-label")));
  assert.deepEqual(await names(), ["notes.md", PICTURE.name]);

  await page.getByRole("row", { name: "notes.md" }).focus();
  await page.keyboard.press("F2");
  await page.keyboard.type("plan");
  await page.keyboard.press("Enter");
  await page.getByRole("row", { name: "plan.md" }).waitFor();
  assert.match((await said.textContent()) ?? "", /Renamed to plan.md/);
  assert.equal(await page.evaluate(() => document.activeElement?.getAttribute("aria-label")), "plan.md");

  await page.getByRole("searchbox").fill("ETE");
  await page.getByRole("row", { name: "plan.md" }).waitFor({ state: "detached" });
  assert.deepEqual(await names(), [PICTURE.name]);
  await page.getByRole("searchbox").fill("");
  await page.getByRole("row", { name: "plan.md" }).waitFor();

  await page.getByRole("row", { name: "plan.md" }).focus();
  await page.keyboard.press("Delete");
  await page.getByRole("dialog", { name: "Delete plan.md?" }).waitFor();
  await assertAccessible(page, "dialog");
  await page.keyboard.press("Escape");
  assert.equal(await page.evaluate(() => document.activeElement?.getAttribute("aria-label")), "plan.md");
  await page.keyboard.press("Delete");
  await page.getByRole("button", { name: "Delete file" }).press("Enter");
  await page.getByRole("row", { name: "plan.md" }).waitFor({ state: "detached" });
  assert.match((await said.textContent()) ?? "", /plan.md deleted/);
  await page.waitForFunction((name) => document.activeElement?.getAttribute("aria-label") === name, PICTURE.name);
  assert.equal((await call(bearer, "/api/files/list")).total, 1);
  assert.deepEqual(errors, []);
  await page.close();
});

test("FileManager shows and says how far an upload is, and 100 % means ready", async () => {
  const { page } = await open("show=FileManager");
  await page.getByText("No files yet.").waitFor();
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Network.enable");
  await devtools.send("Network.emulateNetworkConditions", { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: 250_000 });
  await page.evaluate(() => {
    const seen = { said: [] as string[], values: [] as string[] };
    Object.assign(window, { seen });
    new MutationObserver(() => {
      const said = [...document.querySelectorAll("[aria-live]")].at(-1)?.textContent ?? "";
      if (said !== "" && said !== seen.said.at(-1)) seen.said.push(said);
      const bar = document.querySelector("progress");
      const value = `${bar?.closest("li")?.dataset.status} ${bar?.value}`;
      if (bar && value !== seen.values.at(-1)) seen.values.push(value);
    }).observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true });
  });
  await page.locator("input[type=file]").setInputFiles({ name: "long.md", mimeType: "text/markdown", buffer: Buffer.alloc(1_000_000, "long ") });
  await page.getByRole("row", { name: "long.md" }).waitFor();
  await page.locator("li[data-status=ready]").waitFor();
  const { said, values } = await page.evaluate(() => (window as unknown as { seen: { said: string[]; values: string[] } }).seen);
  assert.deepEqual(said, ["25% uploaded", "50% uploaded", "75% uploaded", "long.md uploaded"]);
  const numbers = values.map((value) => Number(value.split(" ")[1]));
  assert.ok(numbers.length >= 10, values.join(", "));
  assert.deepEqual(
    numbers,
    [...numbers].sort((a, b) => a - b),
  );
  assert.deepEqual(
    values.filter((value) => value.endsWith(" 100")),
    ["ready 100"],
  );
  await page.close();
});

test("FileManager takes a dropped file, and downloads it under its name", async () => {
  const { page } = await open("show=FileManager");
  await page.getByText("No files yet.").waitFor();
  const transfer = await page.evaluateHandle((png) => {
    const bytes = Uint8Array.from(atob(png), (letter) => letter.charCodeAt(0));
    const data = new DataTransfer();
    data.items.add(new File([bytes], "dropped.png", { type: "image/png" }));
    return data;
  }, PNG);
  for (const type of ["dragenter", "dragover", "drop"]) {
    await page.getByRole("region", { name: "Files" }).dispatchEvent(type, { dataTransfer: transfer });
  }
  await page.getByRole("row", { name: "dropped.png" }).waitFor();
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Download dropped.png" }).click()]);
  assert.equal(download.suggestedFilename(), "dropped.png");
  await page.close();
});

test("FileManager is accessible in both languages and themes, and on a phone", async () => {
  const bearer = token(`user_themes${Date.now()}`, "pro", app.origin);
  await put(bearer, { ...PICTURE, name: `${"long name ".repeat(19)}.png` });
  await put(bearer, NOTES, { metadata: { title: "My notes" } });
  for (const locale of ["en", "fr"]) {
    for (const theme of ["light", "dark"]) {
      const { page } = await open(`show=FileManager&locale=${locale}&theme=${theme}`, { bearer });
      await page.getByRole("row", { name: "notes.md" }).waitFor();
      await assertAccessible(page, `${locale}, ${theme}`);
      await page.setViewportSize({ width: 320, height: 640 });
      await assertAccessible(page, `${locale}, ${theme}, phone`);
      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(width <= 320, `${locale}, ${theme}: ${width} pixels wide`);
      await page.close();
    }
  }
});

test("a list of 10,000 files has at most 60 rows in the document, and no task above 50 ms", async () => {
  const { page } = await open("show=Nothing");
  // In no order of the alphabet, and some with accents, so that sorting has something to do.
  const nameOf = (number: number) => `${number % 7 === 3 ? "été" : "photo"} ${(number * 7919) % 10_000}.png`;
  await page.route("**/api/files/list*", (route) => {
    const start = Number(new URL(route.request().url()).searchParams.get("cursor") ?? 0);
    const files = Array.from({ length: 1000 }, (_, index) => ({
      ...{ fileId: `F${start + index}`, key: `user/images/F${start + index}.png`, filename: nameOf(start + index), size: 1000 + index },
      ...{ contentType: "image/png", kind: "image", status: "ready", width: 1, height: 1, dimensions: "measured" },
      ...{ lastModified: new Date(1.7e12 - (start + index) * 60_000).toISOString(), metadata: {}, thumbnails: {} },
    }));
    const nextCursor = start + 1000 < 10_000 ? String(start + 1000) : null;
    return route.fulfill({ json: { files, total: 10_000, userId: "user", nextCursor }, headers: { "access-control-allow-origin": "*" } });
  });
  await page.goto(`${app.origin}/?show=FileManager`);
  await page.getByRole("row", { name: "photo 0.png" }).waitFor();
  for (let loaded = 2000; loaded <= 10_000; loaded += 1000) {
    await page.getByRole("button", { name: "Load more" }).click();
    const text = loaded < 10_000 ? `${loaded.toLocaleString("en")} of 10,000 files` : "10,000 files";
    await page.getByText(text, { exact: true }).waitFor();
  }
  await browser.startTracing(page, { categories: ["toplevel", "__metadata"] });
  let most = 0;
  for (let step = 0; step < 30; step += 1) {
    const rows = await page.locator(".csg-body").evaluate((body, top) => {
      body.scrollTop = top;
      return new Promise<number>((counted) =>
        requestAnimationFrame(() => requestAnimationFrame(() => counted(body.querySelectorAll('[role="row"]').length))),
      );
    }, step * 15_200);
    most = Math.max(most, rows);
  }
  assert.ok(most <= 60 && most >= 11, `${most} rows`);
  await page.getByRole("row", { name: nameOf(9999) }).waitFor();
  await page.locator(".csg-body").evaluate((body) => {
    body.scrollTop = 0;
  });
  await page.getByRole("button", { name: "Name", exact: true }).click();
  await page.getByRole("columnheader", { name: "Name" }).and(page.locator("[aria-sort=ascending]")).waitFor();
  await page.getByRole("button", { name: "Kind", exact: true }).click();
  await page.getByRole("searchbox").pressSequentially("ETE 99");
  await page.getByText(/^\d+ files match$/).waitFor();
  const tasks = longestTasks(await browser.stopTracing());
  assert.ok((tasks[0] ?? 0) > 0 && (tasks[0] ?? 0) <= 50, `tasks of ${tasks.slice(0, 5)} ms`);
  await page.close();
});

test("a gallery that is shown twice asks for no second URL, and fetches no picture twice", async () => {
  const bearer = token(`user_gallery${Date.now()}`, "pro", app.origin);
  await put(bearer, PICTURE);
  await put(bearer, { ...PICTURE, name: "second.png" });
  const { page, requests } = await open("show=Gallery", { bearer });
  // Pictures that came over the network, not from the browser's cache.
  const fetched = new Map<string, string>();
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Network.enable");
  devtools.on("Network.requestServedFromCache", ({ requestId }) => fetched.delete(requestId));
  devtools.on("Network.responseReceived", ({ requestId, response, type }) => {
    if (type === "Image" && !response.fromDiskCache) fetched.set(requestId, response.url);
  });
  await page.reload();
  const loaded = () => page.waitForFunction(() => [...document.images].filter((image) => image.naturalWidth > 0).length === 2);
  await loaded();
  await assertAccessible(page, "gallery");
  assert.equal(new Set(fetched.values()).size, 2);
  const signed = requests.filter((one) => one === "POST /api/files/presigned-url").length;
  await page.getByRole("button", { name: "Toggle" }).click();
  await page.locator("img").first().waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Toggle" }).click();
  await loaded();
  assert.equal(requests.filter((one) => one === "POST /api/files/presigned-url").length, signed, "no second URL");
  assert.equal(fetched.size, 2, "no picture twice");
  await page.close();
});

test("a film that was paused for longer than its ticket lasts goes on at the same second", async () => {
  const bearer = token(`user_film${Date.now()}`, "pro", app.origin);
  const { page: studio } = await open("show=Nothing", { bearer });
  // The browser films a canvas for three seconds.
  const film = await studio.evaluate(async () => {
    const canvas = Object.assign(document.createElement("canvas"), { width: 64, height: 48 });
    const paint = canvas.getContext("2d") as CanvasRenderingContext2D;
    const timer = setInterval(() => {
      paint.fillStyle = `hsl(${Date.now() % 360} 80% 50%)`;
      paint.fillRect(0, 0, 64, 48);
    }, 40);
    const recorder = new MediaRecorder(canvas.captureStream(25), { mimeType: "video/webm;codecs=vp8" });
    const parts: Blob[] = [];
    recorder.ondataavailable = ({ data }) => parts.push(data);
    const stopped = new Promise((stop) => {
      recorder.onstop = stop;
    });
    recorder.start();
    await new Promise((wake) => setTimeout(wake, 6000));
    recorder.stop();
    await stopped;
    clearInterval(timer);
    return Array.from(new Uint8Array(await new Blob(parts).arrayBuffer()));
  });
  await studio.close();
  await put(bearer, { name: "film.webm", mimeType: "video/webm", buffer: Buffer.from(film) });

  const { page, requests } = await open("show=Films&seconds=4", { bearer });
  const video = page.locator("video");
  await video.waitFor();
  await video.evaluate((element: HTMLVideoElement) => {
    element.muted = true;
    return element.play();
  });
  await page.waitForFunction(() => (document.querySelector("video")?.currentTime ?? 0) > 1);
  const before = await video.evaluate((element: HTMLVideoElement) => {
    element.pause();
    return { time: element.currentTime, src: element.src };
  });
  // Longer than the ticket of four seconds.
  await page.waitForTimeout(5000);
  await video.evaluate((element: HTMLVideoElement) => void element.play().catch(() => {}));
  await page.waitForFunction((src) => document.querySelector("video")?.src !== src, before.src);
  await page.waitForFunction((time) => (document.querySelector("video")?.currentTime ?? 0) > time, before.time);
  const after = await video.evaluate((element: HTMLVideoElement) => ({ time: element.currentTime, paused: element.paused }));
  assert.ok(after.time < before.time + 3, `went on at ${after.time} instead of ${before.time}`);
  assert.equal(after.paused, false);
  assert.equal(requests.filter((one) => one === "POST /api/files/presigned-url").length, 2);
  await page.close();
});
