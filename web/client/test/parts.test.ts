import { beforeEach, describe, expect, test, vi } from "vitest";

import { createUploads, type UploadStorage, type UploadsOptions } from "../src/upload.js";
import { clientOf, useWorld } from "./world.js";
import { type FakeXhr, type Network, useXhr } from "./xhr.js";

const context = useWorld();
let network: Network;

beforeEach(() => {
  network = useXhr(() => context.world);
  network.steps = 2;
  network.pace = 0;
});

const MB = 1024 * 1024;
const PART = 16 * MB;

/** A file of any size that takes no memory. */
function film(size = 200 * MB, name = "film.mp4"): File {
  const slice = (start = 0, end = size) => ({ size: Math.min(end, size) - start }) as Blob;
  return { name, size, type: "video/mp4", lastModified: 1, slice } as File;
}

class Storage implements UploadStorage {
  readonly values = new Map<string, string>();
  getItem(name: string): string | null {
    return this.values.get(name) ?? null;
  }
  async setItem(name: string, value: string): Promise<void> {
    this.values.set(name, value);
  }
  removeItem(name: string): void {
    this.values.delete(name);
  }
}

function queue(options: UploadsOptions = {}) {
  return createUploads(clientOf(), options);
}

async function until(condition: () => boolean): Promise<void> {
  await vi.waitFor(() => expect(condition()).toBe(true), { timeout: 5_000, interval: 2 });
}

function partOf(xhr: FakeXhr): number {
  return Number(new URL(xhr.url).searchParams.get("part"));
}

describe("a file above 100 MB", () => {
  test("is sent in parts, three at a time, and put together in their order", async () => {
    const upload = queue().add(film());
    expect(await upload.done).toMatchObject({ status: "ready", size: 200 * MB });
    expect(network.begun).toHaveLength(13);
    expect(network.begun.filter((size) => size === PART)).toHaveLength(12);
    expect(network.begun).toContain(8 * MB);
    expect(network.most).toBe(3);
    const complete = context.world.bodies[context.world.requests.findIndex((one) => one.endsWith("/complete"))] as {
      parts: { partNumber: number; etag: string }[];
    };
    expect(complete.parts).toEqual(Array.from({ length: 13 }, (_, index) => ({ partNumber: index + 1, etag: `"etag-${index + 1}"` })));
    expect(upload.state).toMatchObject({ progress: 100, loaded: 200 * MB });
  });

  test("of 5 GiB goes on at a part after a reload at 60 %", async () => {
    const storage = new Storage();
    const file = film(5 * 1024 * MB);
    let left = false;
    network.onStep = () => (left ? "hang" : undefined);
    const before = queue({ storage }).add(file);
    await until(() => before.state.progress >= 60);
    // The page is left: nothing more of it happens.
    left = true;
    const stored = [...context.world.files.values()][0]?.parts?.size ?? 0;
    expect(stored).toBeGreaterThan(190);
    network.open.clear();

    left = false;
    network.begun.length = 0;
    const after = queue({ storage }).add(film(5 * 1024 * MB));
    const first = vi.fn();
    await until(() => after.state.loaded > 0);
    first(after.state.progress);
    expect(first.mock.calls[0]?.[0]).toBeGreaterThanOrEqual(59);
    expect(await after.done).toMatchObject({ status: "ready" });
    expect(network.begun.length).toBeLessThanOrEqual(320 - stored + 3);
    expect(context.world.count("POST /api/files/uploads")).toBe(1);
    expect(storage.values.size).toBe(0);
  });

  test("that was completed before the reload is not sent again", async () => {
    const storage = new Storage();
    const complete = "POST /api/files/uploads/file_1/complete";
    context.world.next(complete, (pass) => {
      pass();
      return new Promise(() => {});
    });
    queue({ storage }).add(film());
    await until(() => context.world.count(complete) === 1);
    network.begun.length = 0;
    expect(await queue({ storage }).add(film()).done).toMatchObject({ status: "ready" });
    expect(network.begun).toEqual([]);
    expect(context.world.files.size).toBe(1);
  });

  test("whose stored upload is gone begins anew", async () => {
    const storage = new Storage();
    network.onStep = () => "hang";
    const before = queue({ storage }).add(film());
    await until(() => network.open.size === 3);
    expect(storage.values.size).toBe(1);
    context.world.files.clear();
    network.open.clear();
    network.onStep = () => undefined;
    expect(before.state.status).toBe("sending");
    expect(await queue({ storage }).add(film()).done).toMatchObject({ status: "ready" });
    expect(context.world.count("POST /api/files/uploads")).toBe(2);
  });

  test.each(["", "null", "not JSON", '{"fileId": "file_9"}'])("does not mind a storage that has %j", async (text) => {
    const storage = new Storage();
    storage.getItem = () => text;
    expect(await queue({ storage }).add(film()).done).toMatchObject({ status: "ready" });
  });

  test("does not mind a storage that fails", async () => {
    const fail = () => {
      throw new Error("forbidden");
    };
    expect(await queue({ storage: { getItem: fail, setItem: fail, removeItem: fail } }).add(film()).done).toMatchObject({ status: "ready" });
  });

  test("another file of the same size is no stored one", async () => {
    const storage = new Storage();
    network.onStep = () => "hang";
    queue({ storage }).add(film());
    await until(() => network.open.size === 3);
    network.onStep = () => undefined;
    await queue({ storage }).add(film(200 * MB, "other.mp4")).done;
    expect(context.world.count("POST /api/files/uploads")).toBe(2);
  });

  test("whose part fails sends only this part again", async () => {
    const cut = new Set<number>();
    network.onStep = (xhr) => {
      if (partOf(xhr) !== 3 || cut.has(3)) return undefined;
      cut.add(3);
      return "cut";
    };
    expect(await queue().add(film()).done).toMatchObject({ status: "ready" });
    expect(network.begun).toHaveLength(14);
  });

  test("whose signed part has expired has it signed anew", async () => {
    context.world.next("PUT s3", () => ({ status: 403, body: "<Error><Code>AccessDenied</Code></Error>" }));
    expect(await queue().add(film()).done).toMatchObject({ status: "ready" });
    expect(context.world.count("POST /api/files/uploads")).toBe(1);
    expect(context.world.count("POST /api/files/uploads/file_1/parts")).toBe(2);
    expect(network.begun).toHaveLength(14);
  });

  test("of which S3 lacks a part at the end sends it again", async () => {
    const complete = "POST /api/files/uploads/file_1/complete";
    context.world.next(complete, (pass) => {
      context.world.files.values().next().value?.parts?.delete(5);
      return pass();
    });
    expect(await queue().add(film()).done).toMatchObject({ status: "ready" });
    expect(network.begun).toHaveLength(14);
    expect(context.world.count(complete)).toBe(2);
  });

  test("that a part ends for good stops the other parts", async () => {
    network.onStep = (xhr) => (partOf(xhr) === 2 ? "cut" : "hang");
    const upload = queue({ tries: 1 }).add(film(2_000 * MB));
    await expect(upload.done).rejects.toMatchObject({ code: "NETWORK_ERROR" });
    expect(network.open.size).toBe(0);
    await until(() => context.world.files.size === 0);
    const begun = network.begun.length;
    await new Promise((wake) => setTimeout(wake, 50));
    expect(network.begun.length).toBe(begun);
    expect(network.open.size).toBe(0);
  });

  test("can be aborted, which gives all bytes back", async () => {
    network.onStep = (_, step) => (step === 2 ? "hang" : undefined);
    const storage = new Storage();
    const upload = queue({ storage }).add(film());
    await until(() => network.open.size === 3 && upload.state.loaded > 0);
    expect(context.world.reserved).toBe(200 * MB);
    await upload.abort();
    expect(upload.state.status).toBe("aborted");
    expect(context.world.files.size).toBe(0);
    expect(network.open.size).toBe(0);
    expect(storage.values.size).toBe(0);
  });

  test("is completed although the bucket hides entity tags", async () => {
    vi.stubGlobal("XMLHttpRequest", hidingTags(globalThis.XMLHttpRequest as unknown as new () => FakeXhr));
    expect(await queue().add(film()).done).toMatchObject({ status: "ready" });
  });
});

function hidingTags(Base: new () => FakeXhr): new () => FakeXhr {
  return class extends Base {
    override getResponseHeader(): null {
      return null;
    }
  };
}
