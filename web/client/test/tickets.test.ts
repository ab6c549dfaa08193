import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { clientOf, failure, type Reply, useWorld } from "./world.js";

const context = useWorld();
const PATH = "POST /api/files/presigned-url";
const MINUTE = 60_000;

beforeEach(() => vi.useFakeTimers({ now: Date.parse("2026-11-28T10:00:00Z") }));
afterEach(() => vi.useRealTimers());

let signed = 0;

/** Signs as the API does: by a clock that is `skew` milliseconds ahead. */
function sign(s3Key: string, minutes = 10, skew = 0): { url: string; expiresAt: string } {
  signed += 1;
  const now = Date.now() + skew;
  const date = new Date(now).toISOString().replace(/[-:]|\.\d+/g, "");
  return { url: `https://bucket.example/${s3Key}?X-Amz-Date=${date}&n=${signed}`, expiresAt: new Date(now + minutes * MINUTE).toISOString() };
}

/** Lets the world sign every request from now on. */
function signer(minutes = 10, skew = 0): void {
  const answer = (): Reply => {
    context.world.next(PATH, answer);
    const { s3Key, s3Keys } = context.world.bodies.at(-1) as { s3Key?: string; s3Keys?: string[] };
    if (s3Key !== undefined) return { status: 200, body: { ...sign(s3Key, minutes, skew), expiresIn: minutes * 60 } };
    const urls = (s3Keys ?? []).map((key) => {
      if (key.startsWith("gone")) return { s3Key: key, error: { code: "NOT_FOUND", message: "File not found" } };
      return { s3Key: key, ...sign(key, minutes, skew) };
    });
    return { status: 200, body: { urls } };
  };
  context.world.next(PATH, answer);
}

async function soon<Value>(promise: Promise<Value>): Promise<Value> {
  promise.catch(() => {});
  await vi.advanceTimersByTimeAsync(50);
  return promise;
}

describe("the URL of a file", () => {
  test("stays the same until shortly before it ends", async () => {
    signer();
    const { files } = clientOf();
    const first = await soon(files.url("a"));
    await vi.advanceTimersByTimeAsync(8.9 * MINUTE);
    expect(await soon(files.url("a"))).toBe(first);
    expect(context.world.count(PATH)).toBe(1);
    await vi.advanceTimersByTimeAsync(0.2 * MINUTE);
    expect(await soon(files.url("a"))).not.toBe(first);
    expect(context.world.count(PATH)).toBe(2);
  });

  test.each([-3_600_000, 3_600_000])("does so on a machine whose clock is an hour off: %d", async (skew) => {
    signer(10, skew);
    const { files } = clientOf();
    const first = await soon(files.ticket("a"));
    expect(first.until - Date.now()).toBeCloseTo(10 * MINUTE, -4);
    await vi.advanceTimersByTimeAsync(5 * MINUTE);
    expect(await soon(files.url("a"))).toBe(first.url);
    await vi.advanceTimersByTimeAsync(5 * MINUTE);
    expect(await soon(files.url("a"))).not.toBe(first.url);
  });

  test("differs by what is asked of it", async () => {
    signer();
    const { files } = clientOf();
    const urls = await soon(Promise.all([files.url("a"), files.url("a", { disposition: "attachment", filename: "x.png" }), files.url("a")]));
    expect(urls[0]).toBe(urls[2]);
    expect(urls[0]).not.toBe(urls[1]);
    expect(context.world.bodies).toEqual([{ s3Key: "a" }, { s3Key: "a", disposition: "attachment", filename: "x.png" }]);
  });

  test("is forgotten with the file, and when it does not work", async () => {
    signer();
    const { files } = clientOf();
    await soon(files.url("a"));
    context.world.next("DELETE /api/files/delete", () => ({ status: 200, body: { success: true, message: "" } }));
    await soon(files.delete("a"));
    await soon(files.url("a"));
    files.forget("a");
    await soon(files.url("a"));
    expect(context.world.count(PATH)).toBe(3);
  });

  test("that was asked for while its file was being deleted is not kept", async () => {
    signer();
    const { files } = clientOf();
    context.world.next(
      "DELETE /api/files/delete",
      () => new Promise((answer) => setTimeout(() => answer({ status: 200, body: { success: true, message: "" } }), 1_000)),
    );
    const deleted = files.delete("a");
    await soon(files.url("a"));
    await vi.advanceTimersByTimeAsync(2_000);
    await deleted;
    await soon(files.url("a"));
    expect(context.world.count(PATH)).toBe(2);
  });

  test("of a file that is not ready is asked for again", async () => {
    context.world.next(PATH, () => failure(409, "NOT_READY", { status: "processing" }, { "retry-after": "1" }));
    const { files } = clientOf();
    await expect(soon(files.url("a"))).rejects.toMatchObject({ code: "NOT_READY", retryAfter: 1 });
    signer();
    expect(await soon(files.url("a"))).toMatch(/^https:/);
  });
});

describe("the URLs of many files", () => {
  test("share requests of a hundred keys, and a second look asks for none", async () => {
    signer();
    const { files } = clientOf();
    const keys = Array.from({ length: 250 }, (_, index) => `file-${index}`);
    const [first, again] = await soon(Promise.all([Promise.all(keys.map((key) => files.url(key))), files.tickets(keys)]));
    expect(context.world.bodies.map((body) => (body as { s3Keys: string[] }).s3Keys.length)).toEqual([100, 100, 50]);
    expect(again.map((one) => "url" in one && one.url)).toEqual(first);
    expect(await soon(Promise.all(keys.map((key) => files.url(key))))).toEqual(first);
    expect(context.world.count(PATH)).toBe(3);
  });

  test("are there although one of the files is not", async () => {
    signer();
    const [there, gone] = await soon(clientOf().files.tickets(["a", "gone"]));
    expect(there).toMatchObject({ s3Key: "a", url: expect.stringContaining("https:") });
    expect(gone).toMatchObject({ s3Key: "gone", error: { code: "NOT_FOUND", status: 404 } });
  });
});
