// @vitest-environment node

import type { ConsigneClient } from "@consigne/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { ShownTickets } from "../src/tickets.js";

const HOUR = 3_600_000;

beforeEach(() => {
  vi.useFakeTimers({ now: Date.parse("2026-11-28T12:00:00Z") });
});

afterEach(() => {
  vi.useRealTimers();
});

function setUp(life = HOUR, seconds?: number) {
  const ticket = vi.fn(async (s3Key: string) => ({ s3Key, url: `https://bucket/${s3Key}?${ticket.mock.calls.length}`, until: Date.now() + life }));
  const forget = vi.fn();
  return { ticket, forget, shown: new ShownTickets({ files: { ticket, forget } } as unknown as ConsigneClient, seconds) };
}

test("a ticket is found at once, with the same URL, until shortly before it ends", async () => {
  const { shown } = setUp();
  expect(shown.peek("a")).toBeUndefined();
  const { url } = await shown.get("a");
  vi.advanceTimersByTime(HOUR - 61_000);
  expect(shown.peek("a")?.url).toBe(url);
  vi.advanceTimersByTime(2_000);
  expect(shown.peek("a")).toBeUndefined();
  expect((await shown.get("a")).url).not.toBe(url);
});

test("a short ticket is used for nine tenths of its life", async () => {
  const { shown } = setUp(10_000);
  await shown.get("a");
  vi.advanceTimersByTime(8_900);
  expect(shown.peek("a")).toBeDefined();
  vi.advanceTimersByTime(200);
  expect(shown.peek("a")).toBeUndefined();
});

test("a dropped ticket is forgotten by the client, too", async () => {
  const { shown, forget } = setUp();
  await shown.get("a");
  shown.drop("a");
  expect(shown.peek("a")).toBeUndefined();
  expect(forget).toHaveBeenCalledWith("a");
});

test("tickets are asked for with the provider's life", async () => {
  const { shown, ticket } = setUp(HOUR, 600);
  await shown.get("a");
  expect(ticket).toHaveBeenCalledWith("a", { expiresIn: 600 });
});
