// Pages of another origin call the API and the bucket, as a web application does. Every call has a preflight.

import assert from "node:assert/strict";
import type { Server } from "node:http";
import { after, before, test } from "node:test";

import type { Browser, Page } from "playwright-core";

import { launch } from "./browser.ts";
import { deploy, type Stack, servePages, token } from "./stack.ts";

// A PNG of one red pixel, in base64.
const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";

interface Answer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

let browser: Browser;
let ours: { server: Server; origin: string };
let foreign: { server: Server; origin: string };
let stack: Stack;

before(async () => {
  browser = await launch();
  ours = await servePages();
  foreign = await servePages();
  stack = deploy([ours.origin]);
});

after(async () => {
  await browser?.close();
  ours?.server.close();
  foreign?.server.close();
});

/** Opens a page of an origin. Collects its preflights as `<status> <path>`; the path of any call to S3 is `bucket`. */
async function open(origin: string): Promise<{ page: Page; preflights: string[] }> {
  const page = await browser.newPage();
  const preflights: string[] = [];
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Network.enable");
  devtools.on("Network.responseReceived", ({ response, type }) => {
    if (type !== "Preflight") return;
    const path = response.url.startsWith(stack.url) ? response.url.slice(stack.url.length).split("?")[0] : "bucket";
    preflights.push(`${response.status} ${path}`);
  });
  await page.goto(`${origin}/`);
  return { page, preflights };
}

/** Sends a request from a page, as its script would. The status is 0 if the preflight is refused. */
function send(page: Page, url: string, method: string, headers: Record<string, string>, body?: string): Promise<Answer> {
  return page.evaluate(
    async ({ url, method, headers, body, isImage }) => {
      const bytes = isImage ? Uint8Array.from(atob(body ?? ""), (letter) => letter.charCodeAt(0)) : body;
      try {
        const answer = await fetch(url, { method, headers, body: bytes });
        return { status: answer.status, headers: Object.fromEntries(answer.headers), body: await answer.text() };
      } catch (error) {
        return { status: 0, headers: {}, body: String(error) };
      }
    },
    { url, method, headers, body, isImage: body === PNG },
  );
}

test("a page uploads, reads and deletes a file of its user", async () => {
  const { page, preflights } = await open(ours.origin);
  const user = `user_e2e${Date.now()}`;
  const signed = { authorization: `Bearer ${token(user, "pro", ours.origin)}` };
  const json = { ...signed, "content-type": "application/json" };

  const size = atob(PNG).length;
  const request = JSON.stringify({ filename: "red.png", contentType: "image/png", size });
  const granted = await send(page, `${stack.url}/api/files/uploads`, "POST", { ...json, "idempotency-key": user }, request);
  assert.equal(granted.status, 201, granted.body);
  assert.match(granted.headers["x-request-id"] ?? "", /./, "the header is exposed to the page");
  const grant = JSON.parse(granted.body);

  const put = await send(page, grant.url, grant.method, grant.headers, PNG);
  assert.equal(put.status, 200, put.body);
  assert.match(put.headers.etag ?? "", /./);
  assert.match(put.headers["x-amz-version-id"] ?? "", /./);

  const metadata = `${stack.url}/api/files/metadata?s3Key=${encodeURIComponent(grant.s3Key)}`;
  let file = { status: "pending" };
  for (let tries = 0; tries < 100 && file.status !== "ready"; tries++) {
    await page.waitForTimeout(100);
    file = JSON.parse((await send(page, metadata, "GET", signed)).body);
  }
  assert.equal(file.status, "ready");

  const asked = JSON.stringify({ s3Key: grant.s3Key });
  const ticket = await send(page, `${stack.url}/api/files/presigned-url`, "POST", json, asked);
  const part = await send(page, JSON.parse(ticket.body).url, "GET", { range: "bytes=0-7" });
  assert.equal(part.status, 206, part.body);
  assert.equal(part.headers["content-range"], `bytes 0-7/${size}`);

  const deleted = await send(page, `${stack.url}/api/files/delete`, "DELETE", json, asked);
  assert.equal(deleted.status, 200, deleted.body);
  const gone = await send(page, metadata, "GET", signed);
  assert.equal(gone.status, 404);

  for (const path of ["/api/files/uploads", "/api/files/metadata", "/api/files/presigned-url", "/api/files/delete", "bucket"]) {
    assert.ok(
      preflights.some((seen) => seen.startsWith("20") && seen.endsWith(path)),
      `${path}: ${preflights}`,
    );
  }
  await page.close();
});

test("a page can read the gateway's refusal of a key, and the answer of an unknown route", async () => {
  const { page, preflights } = await open(ours.origin);
  const refused = await send(page, `${stack.url}/api/v1/pdf/render`, "PUT", { "x-api-key": "sk_live_wrong" }, "x");
  assert.equal(refused.status, 401, refused.body);
  assert.equal(JSON.parse(refused.body).error.code, "UNAUTHENTICATED");
  assert.match(refused.headers["www-authenticate"] ?? "", /Bearer/, "the header is exposed to the page");
  const unknown = await send(page, `${stack.url}/api/nowhere`, "DELETE", { "x-consigne-client": "test" });
  assert.equal(unknown.status, 404, unknown.body);
  assert.deepEqual(preflights.sort(), ["204 /api/nowhere", "204 /api/v1/pdf/render"]);
  await page.close();
});

test("a page of an origin that is not allowed gets no answer", async () => {
  const { page } = await open(foreign.origin);
  const signed = { authorization: `Bearer ${token("user_e2e", "pro", ours.origin)}` };
  const answer = await send(page, `${stack.url}/api/files/list`, "GET", signed);
  assert.equal(answer.status, 0, answer.body);
  await page.close();
});
