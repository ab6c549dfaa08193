import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

import express from "express";
import { Hono } from "hono";
import { afterEach, beforeEach, describe, expect, type Mock, test, vi } from "vitest";

import { keyCheck as expressCheck, type RequestWithKey } from "../src/express.js";
import { withKeyCheck } from "../src/fetch.js";
import { keyCheck as honoCheck, type KeyVariables } from "../src/hono.js";
import type { Price } from "../src/key-check.js";

const VALID = { valid: true, code: "VALID", key_id: "key_1", org_id: "org_1", environment: "test", receipt_id: "rcpt_1" };

/** What the API was asked: path, body and Idempotency-Key. */
let asked: { path: string; body: Record<string, unknown>; key: string | null; authorization: string | null }[];
let answers: (Response | Error)[];
let onError: Mock<(error: unknown) => void>;
let server: Server | undefined;

beforeEach(() => {
  asked = [];
  answers = [];
  onError = vi.fn();
});
afterEach(() => server?.close());

function data(body: object): Response {
  return Response.json({ success: true, message: "", data: body, timestamp: "" });
}

const api: typeof fetch = async (url, init) => {
  const headers = new Headers(init?.headers);
  const body = JSON.parse(String(init?.body)) as Record<string, unknown>;
  asked.push({ path: new URL(String(url)).pathname, body, key: headers.get("idempotency-key"), authorization: headers.get("authorization") });
  const next = String(url).endsWith("/outcome") ? undefined : answers.shift();
  if (next instanceof Error) throw next;
  return next ?? data(String(url).endsWith("/outcome") ? { receipt_id: "rcpt_1" } : VALID);
};

function options() {
  return { baseUrl: "https://api.example", serviceToken: "st_1", scope: "pdf:read", cost: 2, fetch: api, onError, tries: 2 };
}

async function listen(handler: Parameters<typeof createServer>[1]): Promise<string> {
  const listening = createServer(handler);
  server = listening;
  await new Promise<void>((ready) => listening.listen(0, "127.0.0.1", ready));
  return `http://127.0.0.1:${(listening.address() as AddressInfo).port}`;
}

async function outcome(): Promise<Record<string, unknown>> {
  await vi.waitFor(() => expect(asked.at(-1)?.path).toBe("/api/keys/receipts/rcpt_1/outcome"));
  return asked.at(-1)?.body ?? {};
}

interface Stand {
  call(path: string, headers?: Record<string, string>): Promise<Response>;
}

const STANDS: [string, () => Promise<Stand>][] = [
  [
    "express",
    async () => {
      const app = express();
      app.use("/pdf", expressCheck(options()));
      app.get("/pdf/:id", (request, response) => void response.status(203).json({ org: request.key?.org_id }));
      const url = await listen(app);
      return { call: (path, headers = {}) => fetch(url + path, { headers }) };
    },
  ],
  [
    "node:http",
    async () => {
      const check = expressCheck(options());
      const url = await listen((request: RequestWithKey, response) => {
        check(request, response, () => void response.writeHead(203).end(JSON.stringify({ org: request.key?.org_id })));
      });
      return { call: (path, headers = {}) => fetch(url + path, { headers }) };
    },
  ],
  [
    "hono",
    async () => {
      const app = new Hono<{ Variables: KeyVariables }>();
      app.use("/pdf/*", honoCheck(options()));
      app.get("/pdf/:id", (context) => context.json({ org: context.get("key").org_id }, 203));
      return { call: async (path, headers = {}) => app.request(`http://service.example${path}`, { headers }) };
    },
  ],
  [
    "fetch",
    async () => {
      const handle = withKeyCheck(options(), (_, key) => Response.json({ org: key.org_id }, { status: 203 }));
      return { call: (path, headers = {}) => handle(new Request(`http://service.example${path}`, { headers })) };
    },
  ],
];

describe.each(STANDS)("behind %s", (name, open) => {
  test("a call with a good key is charged, served and noted", async () => {
    const { call } = await open();
    const answer = await call("/pdf/1?secret=x", { authorization: "Bearer sk_test_1", "user-agent": "curl" });
    expect([answer.status, await answer.json()]).toEqual([203, { org: "org_1" }]);
    const ip = name === "express" || name === "node:http" ? { ip: "127.0.0.1" } : {};
    expect(asked[0]).toMatchObject({ path: "/api/keys/verify", authorization: "Bearer st_1" });
    expect(asked[0]?.body).toEqual({ key: "sk_test_1", scope: "pdf:read", cost: 2, endpoint: "/pdf/1", method: "GET", user_agent: "curl", ...ip });
    expect(await outcome()).toEqual({ status_code: 203, response_ms: expect.any(Number) });
    expect(onError).not.toHaveBeenCalled();
  });

  test.each([
    [{ "x-api-key": "sk_test_1" }, "sk_test_1"],
    [{ authorization: `Basic ${btoa("sk_test_1:")}` }, "sk_test_1"],
    [{ authorization: "Bearer sk_a", "x-api-key": "sk_b" }, "sk_a"],
  ])("the key is read as the gateway reads it: %j", async (headers, key) => {
    await (await open()).call("/pdf/1", headers as Record<string, string>);
    expect(asked[0]?.body.key).toBe(key);
  });

  test.each([{}, { authorization: "sk_test_1" }, { authorization: `Basic ${btoa("sk:secret")}`, "x-api-key": "other" }])(
    "without a key that can be read, %j, nothing is asked",
    async (headers) => {
      const answer = await (await open()).call("/pdf/1", headers as Record<string, string>);
      expect([answer.status, answer.headers.get("www-authenticate")]).toEqual([401, "Bearer"]);
      expect(await answer.json()).toMatchObject({ success: false, error: { code: "UNAUTHENTICATED" } });
      expect(asked).toEqual([]);
    },
  );

  test.each([
    ["REVOKED", "key", null, 401, "UNAUTHENTICATED"],
    ["SUSPENDED", "organisation", null, 403, "KEY_REFUSED"],
    ["INSUFFICIENT_SCOPE", "key", null, 403, "INSUFFICIENT_SCOPE"],
    ["INSUFFICIENT_CREDITS", "wallet", null, 402, "INSUFFICIENT_CREDITS"],
    ["DAILY_QUOTA_EXCEEDED", "key", new Date(Date.now() + 3_600_000).toISOString(), 429, "RATE_LIMITED"],
    ["SERVICE_UNKNOWN", null, null, 500, "INTERNAL"],
  ])("a key that is refused with %s is not served", async (code, limiter, resets_at, status, wire) => {
    answers.push(data({ valid: false, code, limiter, resets_at }));
    const answer = await (await open()).call("/pdf/1", { "x-api-key": "sk_test_1" });
    expect(answer.status).toBe(status);
    expect(await answer.json()).toMatchObject({ error: { code: wire } });
    if (status === 429) expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(3_500);
    expect(asked).toHaveLength(1);
    expect(onError).toHaveBeenCalledTimes(status === 500 ? 1 : 0);
  });

  test("an API that does not answer serves nobody, and the same key repeats the question", async () => {
    answers.push(new Error("refused"), new Error("refused"));
    const answer = await (await open()).call("/pdf/1", { "x-api-key": "sk_test_1" });
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "1"]);
    expect(asked).toHaveLength(2);
    expect(new Set(asked.map(({ key }) => key)).size).toBe(1);
    expect(onError).toHaveBeenCalledWith(expect.objectContaining({ code: "NETWORK_ERROR" }));
  });

  test("two calls are two charges, whatever Idempotency-Key the caller sends", async () => {
    const { call } = await open();
    for (let made = 0; made < 2; made += 1) await call("/pdf/1", { "x-api-key": "sk_test_1", "idempotency-key": "always the same" });
    const keys = asked.filter(({ path }) => path === "/api/keys/verify").map(({ key }) => key);
    expect(new Set(keys).size).toBe(2);
    expect(keys).not.toContain("always the same");
  });
});

test("a handler that throws is noted as a 500, and a free check not at all", async () => {
  const handle = withKeyCheck(options(), () => {
    throw new Error("broken");
  });
  await expect(handle(new Request("http://service.example/pdf/1", { headers: { "x-api-key": "sk" } }))).rejects.toThrow("broken");
  expect(await outcome()).toMatchObject({ status_code: 500 });

  asked = [];
  answers.push(data({ ...VALID, receipt_id: null }));
  await withKeyCheck(options(), () => new Response())(new Request("http://service.example/", { headers: { "x-api-key": "sk" } }));
  expect(asked).toHaveLength(1);
});

test("each call may have a price, an address and a country of its own", async () => {
  const price = (request: Request): Price => ({ service: new URL(request.url).pathname.slice(1), scope: "ai:write" });
  const header = (name: string) => (request: Request) => request.headers.get(name) ?? undefined;
  const handle = withKeyCheck({ ...options(), price, ip: header("x-real-ip"), country: header("cf-ipcountry") }, () => new Response());
  await handle(new Request("http://service.example/ai", { headers: { "x-api-key": "sk", "x-real-ip": "192.0.2.1", "cf-ipcountry": "FR" } }));
  expect(asked[0]?.body).toEqual({ key: "sk", scope: "ai:write", service: "ai", endpoint: "/ai", method: "GET", ip: "192.0.2.1", country: "FR" });
});
