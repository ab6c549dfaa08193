import { afterEach, expect, test, vi } from "vitest";

import { clientOf, envelope, useWorld } from "./world.js";

const context = useWorld();
const STATUS = "GET /api/secure/jobs/job_1/status";

afterEach(() => vi.useRealTimers());

function job(status: string, more: object = {}) {
  return envelope({ job_id: "job_1", kind: "image", status, progress: 0, message: status, ...more });
}

test("each kind of job has its route", async () => {
  const client = clientOf();
  for (const [kind, path] of [
    ["image", "images"],
    ["video", "videos"],
    ["book", "books"],
    ["blog", "blog"],
  ] as const) {
    context.world.next(`POST /api/secure/${path}/generate`, () => envelope({ job_id: "job_1", status: "pending" }));
    const input = kind === "image" || kind === "video" ? { prompt: "A cat" } : { topic: "Cats", goal: "Know them" };
    expect(await client.jobs.start(kind, input as never)).toMatchObject({ job_id: "job_1" });
    expect(context.world.bodies.at(-1)).toEqual(input);
  }
});

test("a job is waited for until it has completed, with longer and longer waits", async () => {
  vi.useFakeTimers();
  const { world } = context;
  for (const status of ["pending", "pending", "processing", "processing"]) world.next(STATUS, () => job(status));
  world.next(STATUS, () => job("completed", { result: { images: [] } }));
  const seen: string[] = [];
  const done = clientOf().jobs.wait("job_1", { onUpdate: ({ status }) => seen.push(status) });
  await vi.advanceTimersByTimeAsync(700);
  expect(world.count(STATUS)).toBe(1);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(await done).toMatchObject({ status: "completed" });
  expect(world.count(STATUS)).toBe(5);
  expect(seen).toEqual(["pending", "processing", "completed"]);
});

test("a job that has failed rejects with the job", async () => {
  context.world.next(STATUS, () => job("failed", { error: { code: "MODEL_REFUSED", message: "the model refused" } }));
  await expect(clientOf().jobs.wait("job_1")).rejects.toMatchObject({
    code: "JOB_FAILED",
    message: "the model refused",
    details: { job: { error: { code: "MODEL_REFUSED" } } },
  });
});

test("a name is changed under the revision that was read, in NFC", async () => {
  context.world.next("PATCH /api/files/metadata", () => ({ status: 200, body: { key: "a" } }));
  await clientOf().files.update("a", { filename: "e\u0301.png" }, { ifMatch: '"7"' });
  expect(context.world.bodies).toEqual([{ s3Key: "a", filename: "\u00e9.png" }]);
  expect(context.world.headers[0]?.get("if-match")).toBe('"7"');
});
