import { act, screen } from "@testing-library/react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { useJob } from "../src/index.js";
import { openWorld } from "./render.js";
import { fault } from "./world.js";

const on = openWorld();
const STATUS = "GET /api/secure/jobs/status";

const completed = vi.fn();
const failed = vi.fn();

function Followed({ id, interval }: { id?: string; interval?: number }) {
  const job = useJob(id, { onCompleted: completed, onFailed: failed, ...(interval && { interval }) });
  return (
    <p>
      {job.status ?? "none"} {job.progress} {job.running ? "running" : "still"} {job.error?.message}
      <button type="button" onClick={() => void job.start("book", { topic: "Lighthouses" })}>
        start
      </button>
    </p>
  );
}

function hide(hidden: boolean) {
  Object.defineProperty(document, "visibilityState", { configurable: true, value: hidden ? "hidden" : "visible" });
  document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));
}

const pass = (milliseconds: number) => act(() => vi.advanceTimersByTimeAsync(milliseconds));

beforeEach(() => {
  completed.mockClear();
  failed.mockClear();
  vi.useFakeTimers();
  on.world.jobs.set("job_1", { job_id: "job_1", status: "processing", message: "Writing", progress: 40 });
});

afterEach(() => {
  hide(false);
  vi.useRealTimers();
});

test("follows a job to its end, and tells it once in StrictMode", async () => {
  on.show(<Followed id="job_1" interval={1000} />);
  await pass(50);
  expect(screen.getByText(/processing 40 running/)).toBeTruthy();
  Object.assign(on.world.jobs.get("job_1") ?? {}, { status: "completed", result: { images: [] } });
  await pass(1100);
  expect(screen.getByText(/completed 100 still/)).toBeTruthy();
  expect(completed).toHaveBeenCalledTimes(1);
  const calls = on.world.calls(STATUS);
  await pass(60_000);
  expect(on.world.calls(STATUS)).toBe(calls);
});

test("a job that it started is followed", async () => {
  on.show(<Followed />);
  await pass(5000);
  expect(on.world.requests).toEqual([]);
  await act(async () => screen.getByRole("button").click());
  await pass(50);
  expect(screen.getByText(/pending 0 running/)).toBeTruthy();
  Object.assign(on.world.jobs.get("job_1") ?? {}, { status: "failed" });
  await pass(1500);
  expect(screen.getByText(/failed/)).toBeTruthy();
  expect(failed).toHaveBeenCalledTimes(1);
});

test("unmounting ends the polls", async () => {
  const { unmount } = on.show(<Followed id="job_1" interval={1000} />);
  await pass(2500);
  unmount();
  const calls = on.world.calls(STATUS);
  await pass(60_000);
  expect(on.world.calls(STATUS)).toBe(calls);
});

test("a hidden page asks every half minute, and at once when it is looked at again", async () => {
  on.show(<Followed id="job_1" interval={1000} />);
  await pass(50);
  hide(true);
  await pass(1100);
  const hidden = on.world.calls(STATUS);
  await pass(60_000);
  expect(on.world.calls(STATUS) - hidden).toBe(2);
  hide(false);
  await pass(50);
  expect(on.world.calls(STATUS) - hidden).toBe(3);
});

test("a slow answer is waited for: no two polls overlap", async () => {
  let open = 0;
  let most = 0;
  const slow = () => {
    open += 1;
    most = Math.max(most, open);
    on.world.next.set(STATUS, slow);
    return new Promise<Response>((answer) =>
      setTimeout(() => {
        open -= 1;
        answer(Response.json({ success: true, message: "", timestamp: "", data: on.world.jobs.get("job_1") }));
      }, 3500),
    );
  };
  on.world.next.set(STATUS, slow);
  on.show(<Followed id="job_1" interval={1000} />);
  await pass(30_000);
  expect(on.world.calls(STATUS)).toBeGreaterThan(4);
  expect(most).toBe(1);
});

test("an unknown job is not asked for again", async () => {
  on.show(<Followed id="job_9" />);
  await pass(60_000);
  expect(screen.getByText(/none 0 still File not found/)).toBeTruthy();
  expect(on.world.calls(STATUS)).toBeLessThanOrEqual(2);
});

test("after a 429 it waits as long as the API says", async () => {
  on.show(<Followed id="job_1" interval={1000} />);
  await pass(50);
  const limited = () => fault(429, "RATE_LIMITED", "too many reads", {}, { "retry-after": "20" });
  on.world.next.set(STATUS, limited);
  await pass(1100);
  const calls = on.world.calls(STATUS);
  await pass(17_000);
  expect(on.world.calls(STATUS)).toBe(calls);
  await pass(5_000);
  expect(on.world.calls(STATUS)).toBeGreaterThan(calls);
  expect(screen.getByText(/processing 40 running/)).toBeTruthy();
});
