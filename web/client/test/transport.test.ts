import { afterEach, describe, expect, test, vi } from "vitest";

import { createClient } from "../src/index.js";
import { BASE, clientOf, envelope, failure, useWorld } from "./world.js";

const context = useWorld();
const me = { user_id: "user_1" };

afterEach(() => vi.useRealTimers());

/** The values of a header of all requests. */
function sent(name: string): (string | null)[] {
  return context.world.headers.map((headers) => headers.get(name));
}

describe("addresses", () => {
  test.each([BASE, `${BASE}/`, `${BASE}//`])("are joined by concatenation: %s", async (baseUrl) => {
    context.world.next("GET /api/me", () => envelope(me));
    expect(await createClient({ baseUrl }).me()).toEqual(me);
  });

  test("have keys with slashes and letters beyond ASCII in one piece", async () => {
    const urls: string[] = [];
    const fetch: typeof globalThis.fetch = async (url) => {
      urls.push(String(url));
      return new Response("{}");
    };
    const client = createClient({ baseUrl: BASE, fetch });
    await client.call("GET /api/secure/files/download/{key}", { path: { key: "user_1/images/été & co.png" } });
    await client.files.metadata("user_1/images/a+b.png");
    await client.files.list({ contentType: "image", limit: undefined }).pages().next();
    expect(urls).toEqual([
      `${BASE}/api/secure/files/download/user_1%2Fimages%2F%C3%A9t%C3%A9%20%26%20co.png`,
      `${BASE}/api/files/metadata?s3Key=user_1%2Fimages%2Fa%2Bb.png`,
      `${BASE}/api/files/list?contentType=image`,
    ]);
  });
});

describe("a retry", () => {
  test("of a limited write waits for Retry-After and keeps its Idempotency-Key", async () => {
    vi.useFakeTimers();
    context.world.next("POST /api/orgs", () => failure(429, "RATE_LIMITED", {}, { "retry-after": "7" }));
    context.world.next("POST /api/orgs", () => ({ status: 503, body: { message: "Service Unavailable" } }));
    context.world.next("POST /api/orgs", () => "network");
    context.world.next("POST /api/orgs", () => envelope({ id: "org_1" }));
    const created = clientOf().orgs.create({ name: "Acme" });
    await vi.advanceTimersByTimeAsync(6_900);
    expect(context.world.count("POST /api/orgs")).toBe(1);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(await created).toEqual({ id: "org_1" });
    const keys = sent("idempotency-key");
    expect(keys).toHaveLength(4);
    expect(new Set(keys).size).toBe(1);
    expect(keys[0]).toMatch(/^[0-9a-f]{32}$/);
  });

  test("of a busy server comes after Retry-After, and not at once with all others", async () => {
    vi.useFakeTimers();
    const waits = new Set<number>();
    for (let client = 0; client < 8; client += 1) {
      context.world.next("GET /api/me", () => failure(503, "UNAVAILABLE", {}, { "retry-after": "3" }));
      context.world.next("GET /api/me", () => envelope({ id: "user_1" }));
      const before = context.world.count("GET /api/me");
      const asked = clientOf().me();
      const begun = Date.now();
      await vi.advanceTimersByTimeAsync(2_990);
      expect(context.world.count("GET /api/me")).toBe(before + 1);
      while (context.world.count("GET /api/me") === before + 1) await vi.advanceTimersByTimeAsync(5);
      waits.add(Date.now() - begun);
      await asked;
    }
    expect(Math.max(...waits)).toBeLessThanOrEqual(3_600);
    expect(waits.size).toBeGreaterThan(2);
  });

  test("of a call that is still running under its key waits, too", async () => {
    context.world.next("POST /api/orgs", () => failure(409, "IDEMPOTENCY_IN_FLIGHT"));
    context.world.next("POST /api/orgs", () => envelope({ id: "org_1" }));
    await clientOf().orgs.create({ name: "Acme" }, { idempotencyKey: "mine" });
    expect(sent("idempotency-key")).toEqual(["mine", "mine"]);
  });

  test("is not made for a wait that is too long, for other errors, or more often than allowed", async () => {
    const client = clientOf({ tries: 2 });
    context.world.next("GET /api/me", () => failure(429, "RATE_LIMITED", {}, { "retry-after": "3600" }));
    await expect(client.me()).rejects.toMatchObject({ code: "RATE_LIMITED", retryAfter: 3600 });
    for (const code of ["GENERATION_QUOTA_EXCEEDED", "INTERNAL", "SERVICE_UNAVAILABLE", "CONFLICT"]) {
      context.world.next("GET /api/me", () => failure(500, code));
      await expect(client.me()).rejects.toMatchObject({ code });
    }
    expect(context.world.requests).toHaveLength(5);
    for (let tried = 0; tried < 3; tried += 1) context.world.next("GET /api/orgs", () => failure(503, "UNAVAILABLE"));
    await expect(client.orgs.list()).rejects.toMatchObject({ code: "UNAVAILABLE" });
    expect(context.world.count("GET /api/orgs")).toBe(2);
  });

  test("differs in its time from that of others", async () => {
    vi.useFakeTimers();
    const ends: number[] = [];
    const began = Date.now();
    const wait = async () => {
      const fetch = async () => (ends.length < 0 ? new Response() : new Response("{}", { status: 503 }));
      await createClient({ baseUrl: BASE, fetch, tries: 2 })
        .me()
        .catch(() => ends.push(Date.now() - began));
    };
    const all = Promise.all(Array.from({ length: 20 }, wait));
    await vi.advanceTimersByTimeAsync(1_000);
    await all;
    expect(new Set(ends).size).toBeGreaterThan(5);
    expect(Math.max(...ends)).toBeLessThanOrEqual(300);
  });

  test("has no Idempotency-Key for a read", async () => {
    context.world.next("GET /api/me", () => "network");
    context.world.next("GET /api/me", () => envelope(me));
    expect(await clientOf().me()).toEqual(me);
    expect(sent("idempotency-key")).toEqual([null, null]);
  });
});

describe("abort", () => {
  const reason = new Error("the page was left");

  async function abortedWithin(limit: number, begin: (signal: AbortSignal) => PromiseLike<unknown>, after: number): Promise<void> {
    const control = new AbortController();
    const promise = Promise.resolve(begin(control.signal));
    promise.catch(() => {});
    await new Promise((wake) => setTimeout(wake, after));
    const began = Date.now();
    control.abort(reason);
    await expect(promise).rejects.toMatchObject({ code: "ABORTED", cause: reason });
    expect(Date.now() - began).toBeLessThan(limit);
  }

  test("ends a request on its way", async () => {
    context.world.next("GET /api/me", (pass) => new Promise((answer) => setTimeout(() => answer(pass()), 2_000)));
    await abortedWithin(100, (signal) => clientOf().me({ signal }), 50);
  });

  test("ends a wait between two tries", async () => {
    context.world.next("GET /api/me", () => failure(429, "RATE_LIMITED", {}, { "retry-after": "30" }));
    await abortedWithin(100, (signal) => clientOf().me({ signal }), 50);
  });

  test("ends a wait for a token", async () => {
    await abortedWithin(100, (signal) => clientOf({ getToken: () => new Promise(() => {}) }).me({ signal }), 10);
    expect(context.world.requests).toEqual([]);
  });

  test("before the call sends nothing", async () => {
    const signal = AbortSignal.abort(reason);
    await expect(clientOf().me({ signal })).rejects.toMatchObject({ code: "ABORTED" });
    await expect(clientOf().files.url("a", {}, { signal })).rejects.toMatchObject({ code: "ABORTED" });
    await expect(clientOf().jobs.wait("job_1", { signal })).rejects.toMatchObject({ code: "ABORTED" });
    expect(context.world.requests).toEqual([]);
  });
});

test("a try that takes too long is repeated", async () => {
  context.world.next("GET /api/me", () => new Promise(() => {}));
  context.world.next("GET /api/me", () => envelope(me));
  expect(await clientOf({ timeout: 50 }).me()).toEqual(me);
});

test("a source of tokens that fails is a failure of the network, with its cause", async () => {
  const cause = new Error("offline");
  const getToken = () => Promise.reject(cause);
  await expect(clientOf({ getToken, tries: 1 }).me()).rejects.toMatchObject({ code: "NETWORK_ERROR", cause });
});

describe("an expired token", () => {
  test("is renewed once for all calls, and none of them sees a 401", async () => {
    const { world } = context;
    world.expired.add("old");
    // One of them hears of it when the others have the new token already.
    world.next("GET /api/files/metadata", (pass) => {
      const refused = pass();
      return new Promise((answer) => setTimeout(() => answer(refused), 300));
    });
    let kept = "old";
    const asked: boolean[] = [];
    const getToken = async ({ fresh }: { fresh: boolean }) => {
      asked.push(fresh);
      await new Promise((wake) => setTimeout(wake, 20));
      if (fresh) kept = "new";
      return kept;
    };
    const client = clientOf({ getToken });
    const calls = Array.from({ length: 20 }, () => client.files.metadata("nothing"));
    const results = await Promise.allSettled(calls);
    expect(results.map((result) => (result as PromiseRejectedResult).reason.code)).toEqual(Array(20).fill("NOT_FOUND"));
    expect(asked.filter((fresh) => fresh)).toEqual([true]);
  });

  test("is renewed although its source goes on returning it", async () => {
    const { world } = context;
    world.expired.add("old");
    let renewals = 0;
    const client = clientOf({ getToken: ({ fresh }) => (fresh ? `new-${(renewals += 1)}` : "old") });
    for (let call = 0; call < 3; call += 1) await expect(client.files.metadata("nothing")).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect(renewals).toBe(1);
    world.expired.add("new-1");
    await expect(client.files.metadata("nothing")).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect(renewals).toBe(2);
  });

  test("that cannot be renewed is the caller's error", async () => {
    context.world.expired.add("old");
    await expect(clientOf({ getToken: () => "old" }).files.metadata("nothing")).rejects.toMatchObject({ code: "TOKEN_EXPIRED", status: 401 });
    expect(context.world.requests).toHaveLength(2);
  });
});

test("nobody signed in sends no token, and own headers go along", async () => {
  context.world.next("GET /api/me", () => envelope(me));
  await clientOf({ getToken: () => null, headers: { "x-consigne-user": "user_9" } }).me();
  expect(sent("authorization")).toEqual([null]);
  expect(sent("x-consigne-user")).toEqual(["user_9"]);
});

test("answers lose their envelope, and those without one stay as they are", async () => {
  const { world } = context;
  const client = clientOf();
  world.next("GET /api/orgs", () => envelope([{ id: "org_1" }], { next_cursor: "c", total: 3 }));
  expect(await client.orgs.list()).toEqual({ items: [{ id: "org_1" }], nextCursor: "c", total: 3 });
  world.next("GET /api/orgs/org_1/stats", () => envelope([{ date: "2026-11-21" }]));
  expect(await client.credits.stats("org_1")).toEqual([{ date: "2026-11-21" }]);
  world.next("GET /api/files/usage", () => ({ status: 200, body: { userId: "user_1" } }));
  expect(await client.files.usage()).toEqual({ userId: "user_1" });
});
