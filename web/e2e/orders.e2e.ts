// The desk of experts in a browser: photos side by side, HEIC among them, links that end.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";

import type { Browser, Page } from "playwright-core";

import { assertAccessible } from "./a11y.ts";
import { launch } from "./browser.ts";
import { API, readStack, somebody, visit } from "./console.ts";
import { ROOT } from "./stack.ts";

const BUCKET = `${readStack().AWS_ENDPOINT_URL}/orders-of-this-test`;
const HEIC = readFileSync(`${ROOT}/web/e2e/fixtures/photo.heic`);
const PNG = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==", "base64");

let browser: Browser;

before(async () => {
  browser = await launch();
});

after(async () => {
  await browser?.close();
});

/** Answers as an API with orders. A link works until another reading, as if five minutes were over. */
async function withOrders(page: Page, count: number): Promise<void> {
  const cors = { "access-control-allow-origin": new URL(page.url()).origin, "access-control-allow-credentials": "true" };
  const at = "2026-11-28T09:00:00Z";
  const entry = (number: number) => ({
    ...{ order_id: `ord_${number}`, status: "submitted", email: `customer${number}@people.example` },
    ...{ paid_at: at, submitted_at: at, earlier: [] },
  });
  const answer = (data: unknown, metadata?: unknown) => ({
    headers: cors,
    json: { success: true, message: "", data, ...(metadata ? { metadata } : {}), timestamp: at },
  });
  let signature = 0;
  await page.context().route(`${API}/api/orders?*`, (route) => {
    const from = Number(new URL(route.request().url()).searchParams.get("cursor") ?? 0);
    const items = Array.from({ length: Math.min(25, count - from) }, (_, index) => entry(from + index + 1));
    return route.fulfill(answer(items, { next_cursor: from + 25 < count ? String(from + 25) : null, total: null }));
  });
  await page.context().route(`${API}/api/orders/*`, (route) => {
    const number = Number(route.request().url().split("_").at(-1));
    signature += 1;
    const photo = (type: string, name: string, content_type: string) => ({
      ...{ type, name, content_type, size: 512_000, uploaded_at: at, status: "ready", reason: null },
      key: `orders/${number}/${name}`,
      url: `${BUCKET}/${number}/${name}?signature=${signature}`,
    });
    const files = [photo("palm_photo", "palm.png", "image/png"), photo("face_photo", "face.heic", "image/heic")];
    return route.fulfill(answer({ ...entry(number), files, answers: { birth_date: "1990-02-03", question: "Will it rain?" } }));
  });
  await page.context().route(`${BUCKET}/**`, (route) => {
    const url = new URL(route.request().url());
    if (Number(url.searchParams.get("signature")) !== signature) return route.fulfill({ status: 403, headers: cors, body: "" });
    const heic = url.pathname.endsWith(".heic");
    return route.fulfill({ headers: cors, contentType: heic ? "image/heic" : "image/png", body: heic ? HEIC : PNG });
  });
}

/** Waits until a photo is drawn, and returns its size in pixels. */
async function drawn(page: Page, name: string): Promise<[width: number, height: number]> {
  const photo = page.getByRole("img", { name });
  await photo.waitFor();
  return photo.evaluate(async (image: HTMLImageElement) => {
    await image.decode();
    return [image.naturalWidth, image.naturalHeight];
  });
}

test("an expert sees photos that the browser cannot decode, and goes through forty orders by keyboard", async () => {
  const expert = { ...somebody("expert"), role: "expert" };
  const { page, errors } = await visit(browser, "/", expert);
  await page.getByRole("heading", { name: /^Hello/ }).waitFor();
  await withOrders(page, 40);
  const scripts: string[] = [];
  page.on("request", (request) => {
    if (/libheif|worker-/.test(request.url())) scripts.push(request.url());
  });
  await page.getByRole("link", { name: "Orders" }).click();
  await page.getByRole("link", { name: /ord_1 / }).waitFor();
  assert.equal(scripts.length, 0, "nothing of the decoder is loaded before a photo needs it");
  await page.getByRole("link", { name: /ord_1 / }).click();
  assert.deepEqual(await drawn(page, "Face"), [240, 320]);
  assert.deepEqual(await drawn(page, "Palm"), [1, 1]);
  assert.ok(scripts.some((url) => url.endsWith(".wasm")));
  const colour = await page.getByRole("img", { name: "Face" }).evaluate((image: HTMLImageElement) => {
    const canvas = new OffscreenCanvas(240, 320);
    const context = canvas.getContext("2d");
    context?.drawImage(image, 0, 0);
    return [...(context?.getImageData(20, 20, 1, 1).data ?? [])];
  });
  assert.ok((colour[0] ?? 0) > 150 && (colour[2] ?? 255) < 90, `the corner is red, not ${colour}`);
  const licence = await page.getByRole("link", { name: /libheif/ }).getAttribute("href");
  assert.match(await (await fetch(new URL(licence ?? "", page.url()))).text(), /GNU LESSER GENERAL PUBLIC LICENSE/i);
  await assertAccessible(page, "an order");
  for (let number = 2; number <= 40; number += 1) {
    await page.keyboard.press("ArrowRight");
    await page.getByRole("heading", { name: `customer${number}@people.example` }).waitFor();
  }
  assert.deepEqual(await drawn(page, "Face"), [240, 320]);
  assert.equal(await page.getByRole("button", { name: "Next" }).isDisabled(), true);
  assert.ok((await page.getByRole("listitem").count()) <= 60);
  assert.deepEqual(errors, []);
  await page.context().close();
});

test("the desk fits a phone, in French and in the dark", async () => {
  const expert = { ...somebody("expert"), role: "expert" };
  const { page, errors } = await visit(browser, "/", expert, { locale: "fr", theme: "dark", width: 320 });
  await page.getByRole("heading", { name: /^Bonjour/ }).waitFor();
  await withOrders(page, 3);
  await page.getByRole("link", { name: "Commandes" }).click();
  await page.getByRole("link", { name: /ord_2 / }).waitFor();
  await assertAccessible(page, "the list of orders");
  await page.getByRole("link", { name: /ord_2 / }).click();
  await drawn(page, "Visage");
  await assertAccessible(page, "an order on a phone");
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(overflow, 0);
  await page.getByRole("link", { name: "← Commandes" }).click();
  await page.getByRole("link", { name: /ord_3 / }).waitFor();
  assert.deepEqual(errors, []);
  await page.context().close();
});

test("both photos are enlarged and moved together: keys, wheel and fingers, and the page itself stays as it is", async () => {
  const expert = { ...somebody("expert"), role: "expert" };
  const { page, errors } = await visit(browser, "/", expert);
  await page.getByRole("heading", { name: /^Hello/ }).waitFor();
  await withOrders(page, 2);
  await page.getByRole("link", { name: "Orders" }).click();
  await page.getByRole("link", { name: /ord_1 / }).click();
  await drawn(page, "Face");
  await drawn(page, "Palm");
  const frames = page.locator("[data-photo]");
  const look = () =>
    frames.evaluateAll((all) =>
      all.map((frame) => ({ zoom: frame.scrollWidth / frame.clientWidth, left: Math.round(frame.scrollLeft), top: Math.round(frame.scrollTop) })),
    );
  const until = async (zoom: number) => {
    await page.waitForFunction(
      (wanted) => [...document.querySelectorAll("[data-photo]")].every((one) => Math.abs(one.scrollWidth / one.clientWidth - wanted) < 0.05),
      zoom,
    );
    const [face, palm] = await look();
    assert.ok(
      Math.abs((face?.left ?? 0) - (palm?.left ?? 9)) <= 1 && Math.abs((face?.top ?? 0) - (palm?.top ?? 9)) <= 1,
      JSON.stringify([face, palm]),
    );
  };
  // Outside the photos the key does nothing: with this one they would be at three times their size.
  await page.getByRole("link", { name: /ord_1 / }).focus();
  await page.keyboard.press("+");
  await frames.first().focus();
  await page.keyboard.press("+");
  await page.keyboard.press("+");
  await until(2);
  const before = await look();
  await page.keyboard.press("ArrowDown");
  await page.waitForFunction((top) => [...document.querySelectorAll("[data-photo]")].every((one) => one.scrollTop > top), before[0]?.top ?? 0);
  await page.waitForTimeout(300);
  await until(2);
  await page.keyboard.press("0");
  await until(1);
  const box = await frames.last().boundingBox();
  assert.ok(box);
  await page.mouse.move(box.x + 20, box.y + 20);
  await page.keyboard.down("Control");
  await page.mouse.wheel(0, -100);
  await page.keyboard.up("Control");
  await until(1.5);
  const [corner] = await look();
  // Half of the twenty pixels to the left of the pointer, where the middle would have moved by a quarter of the frame.
  assert.ok(Math.abs((corner?.left ?? 99) - 10) <= 2, `the corner under the pointer moved: ${corner?.left}`);
  assert.equal(await page.evaluate(() => window.visualViewport?.scale), 1);
  await frames.last().dblclick();
  await until(1);
  const devtools = await page.context().newCDPSession(page);
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  const fingers = (apart: number) => [-1, 1].map((side, id) => ({ x: x + (side * apart) / 2, y, id }));
  await devtools.send("Input.dispatchTouchEvent", { type: "touchStart", touchPoints: fingers(40) });
  for (const apart of [60, 80, 100, 120]) await devtools.send("Input.dispatchTouchEvent", { type: "touchMove", touchPoints: fingers(apart) });
  await devtools.send("Input.dispatchTouchEvent", { type: "touchEnd", touchPoints: [] });
  await until(3);
  assert.equal(await page.evaluate(() => window.visualViewport?.scale), 1);
  await assertAccessible(page, "enlarged photos");
  await page.getByRole("checkbox", { name: /together/ }).uncheck();
  await frames.first().focus();
  await page.keyboard.press("0");
  await page.waitForFunction(() => {
    const [face, palm] = [...document.querySelectorAll("[data-photo]")].map((one) => one.scrollWidth / one.clientWidth);
    return face === 1 && (palm ?? 0) > 2.9;
  });
  assert.deepEqual(errors, []);
  await page.context().close();
});

/** Pays an order as a customer and submits it with a HEIC and a PNG. Returns its id. */
async function submitOrder(email: string): Promise<string> {
  const stack = readStack();
  const bearer = { authorization: `Bearer ${stack.STRIPE_API_KEY}` };
  const made = await fetch(`${stack.STRIPE_URL}/v1/payment_intents`, {
    method: "POST",
    headers: bearer,
    body: new URLSearchParams({ amount: "4900", currency: "eur", "metadata[consigne]": "order" }),
  });
  const { id: intent } = (await made.json()) as { id: string };
  const pay = { payment_intent: intent, url: `${API}/api/webhooks/stripe`, secret: stack.STRIPE_WEBHOOK_SECRET };
  assert.equal(
    (await fetch(`${stack.STRIPE_URL}/_stand-in/pay`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(pay) }))
      .status,
    200,
  );
  const files = [
    { type: "face_photo", filename: "face.heic", content_type: "image/heic", size: HEIC.length },
    { type: "palm_photo", filename: "palm.png", content_type: "image/png", size: PNG.length },
  ];
  const asked = await fetch(`${API}/api/orders/by-payment-intent/${intent}/client-submit`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ files, email, answers: { question: "Will it rain?" }, locale: "fr" }),
  });
  assert.equal(asked.status, 201, await asked.clone().text());
  const { data } = (await asked.json()) as { data: { order_id: string; uploads: { type: string; url: string; fields: Record<string, string> }[] } };
  for (const upload of data.uploads) {
    const form = new FormData();
    for (const [name, value] of Object.entries(upload.fields)) form.append(name, value);
    const face = upload.type === "face_photo";
    form.append("file", new Blob([face ? HEIC : PNG], { type: face ? "image/heic" : "image/png" }));
    assert.equal((await fetch(upload.url, { method: "POST", body: form })).status, 201);
  }
  return data.order_id;
}

test("an order that was paid and submitted is seen by an expert, with clean copies of its photos", async () => {
  const expert = { ...somebody("expert"), role: "expert" };
  const email = `customer${Date.now()}@people.example`;
  const id = await submitOrder(email);
  const { page, errors } = await visit(browser, `/orders?order=${id}`, expert);
  await page.getByRole("heading", { name: email }).waitFor();
  assert.deepEqual(await drawn(page, "Face"), [240, 320]);
  assert.deepEqual(await drawn(page, "Palm"), [1, 1]);
  await page.getByText("Will it rain?").waitFor();
  assert.deepEqual(errors, []);
  await page.context().close();
});
