import { describe, expect, test, vi } from "vitest";

import { ConsigneError, isConsigneError } from "../src/index.js";
import { clientOf, failure, useWorld } from "./world.js";

const context = useWorld();

async function thrown(promise: PromiseLike<unknown>): Promise<ConsigneError> {
  const error = await Promise.resolve(promise).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(isConsigneError(error), String(error)).toBe(true);
  return error as ConsigneError;
}

/** Answers the next `GET /api/me`, once. */
function answer(status: number, body: unknown, headers: Record<string, string> = {}): void {
  context.world.next("GET /api/me", () => ({ status, body, headers }));
}

const client = clientOf({ tries: 1 });

describe("an error of the API", () => {
  test("has code, status, details, request id and the seconds to wait", async () => {
    context.world.next("GET /api/me", () => failure(429, "RATE_LIMITED", { limit: 120, resets_at: "2026-11-28T00:01:00Z" }, { "retry-after": "37" }));
    const error = await thrown(client.me());
    expect(error).toMatchObject({
      name: "ConsigneError",
      code: "RATE_LIMITED",
      status: 429,
      requestId: "req-1",
      retryAfter: 37,
      message: "message of RATE_LIMITED",
    });
    expect(error.details).toEqual({ limit: 120, resets_at: "2026-11-28T00:01:00Z" });
  });

  test("reads Retry-After as a date, too", async () => {
    answer(503, { message: "Service Unavailable" }, { "retry-after": new Date(Date.now() + 5_500).toUTCString() });
    const { retryAfter } = await thrown(client.me());
    expect(retryAfter).toBeGreaterThanOrEqual(4);
    expect(retryAfter).toBeLessThanOrEqual(6);
  });

  test("keeps a code that this version does not know", async () => {
    context.world.next("GET /api/me", () => failure(418, "TEAPOT"));
    expect((await thrown(client.me())).code).toBe("TEAPOT");
  });
});

describe("an answer that is not the API's", () => {
  test.each([
    [413, { message: "Request Entity Too Large" }, "BODY_TOO_LARGE", "Request Entity Too Large"],
    [429, { message: "Too Many Requests" }, "RATE_LIMITED", "Too Many Requests"],
    [503, { message: "Service Unavailable" }, "UNAVAILABLE", "Service Unavailable"],
    [500, { message: "Internal Server Error" }, "INTERNAL", "Internal Server Error"],
    [404, { message: "Not Found" }, "NOT_FOUND", "Not Found"],
    [502, "<html><body>Bad Gateway</body></html>", "UNAVAILABLE", "the answer was an HTTP 502 that is not the API's"],
    [403, "<html>Blocked</html>", "UNEXPECTED_ANSWER", "the answer was an HTTP 403 that is not the API's"],
    [200, "<html>Sign in to the Wi-Fi</html>", "UNEXPECTED_ANSWER", "the answer is not JSON"],
  ])("with status %d and body %j becomes one, too", async (status, body, code, message) => {
    answer(status, body, { "apigw-requestid": "gw-1" });
    expect(await thrown(client.me())).toMatchObject({ code, status, message });
  });

  test("has the request id of API Gateway", async () => {
    answer(413, { message: "Request Entity Too Large" }, { "apigw-requestid": "gw-1" });
    expect((await thrown(client.me())).requestId).toBe("gw-1");
  });
});

test("an error of another copy of this package is recognised", async () => {
  vi.resetModules();
  const other = await import("../src/errors.js");
  expect(other.ConsigneError).not.toBe(ConsigneError);
  const error: unknown = new other.ConsigneError("NOT_FOUND", "gone");
  expect(error instanceof ConsigneError).toBe(false);
  expect(isConsigneError(error)).toBe(true);
  expect(isConsigneError(error, "NOT_FOUND")).toBe(true);
  expect(isConsigneError(error, "CONFLICT")).toBe(false);
  for (const not of [undefined, null, "NOT_FOUND", new Error("NOT_FOUND"), { code: "NOT_FOUND" }]) expect(isConsigneError(not)).toBe(false);
});
