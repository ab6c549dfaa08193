import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { isConsigneError } from "../src/index.js";
import { mediaType } from "../src/upload/type.js";
import { createUploads, type UploadState, type UploadsOptions } from "../src/upload.js";
import { clientOf, failure, type Stored, useWorld } from "./world.js";
import { type Network, useXhr } from "./xhr.js";

const context = useWorld();
let network: Network;

beforeEach(() => {
  network = useXhr(() => context.world);
});
afterEach(() => vi.useRealTimers());

const GRANT = "POST /api/files/uploads";
const DELETE = "DELETE /api/files/delete";

function image(name = "photo.png", size = 1_000): File {
  return new File([new Uint8Array(size)], name, { type: "image/png" });
}

function queue(options: UploadsOptions = {}, client = clientOf()) {
  return createUploads(client, options);
}

function stored(): Stored[] {
  return [...context.world.files.values()];
}

/** Waits until something is true. */
async function until(condition: () => boolean): Promise<void> {
  await vi.waitFor(() => expect(condition()).toBe(true), { timeout: 5_000, interval: 5 });
}

describe("an upload", () => {
  test("rises in progress, goes from sending over checking to ready, and is 100 only then", async () => {
    network.steps = 20;
    network.pace = 40;
    const seen: UploadState[] = [];
    const upload = queue().add(image(), { metadata: { title: "A" }, kind: "image", onChange: (state) => seen.push(state) });
    expect(upload.state).toMatchObject({ status: "waiting", progress: 0, name: "photo.png", size: 1_000 });
    const file = await upload.done;
    expect(file).toMatchObject({ status: "ready", filename: "photo.png" });
    await until(() => seen.at(-1)?.status === "ready");
    expect(upload.state).toMatchObject({ status: "ready", progress: 100, loaded: 1_000, file, s3Key: file.key, error: undefined });
    expect([...new Set(seen.map(({ status }) => status))]).toEqual(["sending", "checking", "ready"]);
    const rising = seen.map(({ progress }) => progress);
    expect(rising).toEqual([...rising].sort((one, other) => one - other));
    expect(seen.filter(({ status, progress }) => progress >= 100 && status !== "ready")).toEqual([]);
    expect(context.world.bodies[0]).toEqual({
      filename: "photo.png",
      contentType: "image/png",
      size: 1_000,
      metadata: { title: "A" },
      kind: "image",
    });
    expect(context.world.requests.filter((one) => one !== "GET /api/files/metadata")).toEqual([GRANT, "PUT s3"]);
  });

  test("works without XMLHttpRequest", async () => {
    vi.unstubAllGlobals();
    const upload = queue().add(image());
    expect(await upload.done).toMatchObject({ status: "ready" });
    expect(context.world.headers[1]?.get("if-none-match")).toBe("*");
    expect(context.world.headers[1]?.get("authorization")).toBe(null);
  });

  test("that the check rejects fails with the reason, and nobody is told of a success", async () => {
    context.world.verdict = () => ({ status: "rejected", rejectedReason: "declared image/png, found text" });
    const upload = queue().add(image());
    const error = await upload.done.catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "FILE_REJECTED", status: 409, details: { reason: "declared image/png, found text" } });
    expect(upload.state).toMatchObject({ status: "failed", progress: 99, file: undefined, error });
    expect(context.world.count(DELETE)).toBe(0);
  });

  test("that is infected fails", async () => {
    context.world.verdict = () => ({ status: "infected" });
    await expect(queue().add(image()).done).rejects.toMatchObject({ code: "FILE_INFECTED" });
  });

  test("that the API refuses fails with its error", async () => {
    context.world.next(GRANT, () => failure(403, "STORAGE_QUOTA_EXCEEDED", { limit: 10 }));
    await expect(queue().add(image()).done).rejects.toMatchObject({ code: "STORAGE_QUOTA_EXCEEDED", details: { limit: 10 } });
  });

  test("that S3 refuses for good fails with S3's reason, and its bytes are given back", async () => {
    context.world.next("PUT s3", () => ({ status: 400, body: "<Error><Code>BadDigest</Code></Error>" }));
    await expect(queue().add(image()).done).rejects.toMatchObject({ code: "UPLOAD_REFUSED", details: { reason: "BadDigest" } });
    await until(() => context.world.reserved === 0 && context.world.count(DELETE) === 1);
  });
});

describe("a lost answer of S3", () => {
  test("leaves one file, and is a success", async () => {
    context.world.next("PUT s3", (pass) => {
      pass();
      return "network";
    });
    const upload = queue().add(image());
    expect(await upload.done).toMatchObject({ status: "ready" });
    expect(stored()).toHaveLength(1);
    expect(context.world.count("PUT s3")).toBe(1);
  });

  test("that is only noticed by a 412 is a success, too", async () => {
    context.world.next("PUT s3", (pass) => {
      pass();
      // S3 has it, and the API does not know it yet.
      for (const file of stored()) file.status = "pending";
      return "network";
    });
    context.world.next("GET /api/files/metadata", (pass) => {
      const { body } = pass();
      return { status: 200, body: { ...(body as object), status: "pending" } };
    });
    const upload = queue().add(image());
    expect(await upload.done).toMatchObject({ status: "ready" });
    expect(context.world.count("PUT s3")).toBe(2);
    expect(stored()).toHaveLength(1);
  });

  test("that comes with the end of the grant asks for no second one", async () => {
    context.world.next("PUT s3", (pass) => {
      pass();
      return { status: 403, body: "<Error><Code>AccessDenied</Code></Error>" };
    });
    expect(await queue().add(image()).done).toMatchObject({ status: "ready" });
    expect(context.world.count(GRANT)).toBe(1);
  });
});

describe("a grant", () => {
  test("that is over before its PUT is replaced, unseen", async () => {
    const { world } = context;
    world.grantSeconds = 0;
    world.next("PUT s3", (pass) => {
      world.grantSeconds = 900;
      return pass();
    });
    world.next(GRANT, (pass) => {
      const reply = pass();
      world.grantSeconds = 900;
      return reply;
    });
    const upload = queue().add(image());
    expect(await upload.done).toMatchObject({ status: "ready" });
    expect(world.count(GRANT)).toBe(2);
    expect(stored()).toHaveLength(1);
    const keys = world.headers.map((headers) => headers.get("idempotency-key")).filter((_, index) => world.requests[index] === GRANT);
    expect(new Set(keys).size).toBe(2);
  });

  test("that S3 finds over is replaced, too", async () => {
    context.world.next("PUT s3", () => ({ status: 403, body: "<Error><Code>AccessDenied</Code></Error>" }));
    expect(await queue().add(image()).done).toMatchObject({ status: "ready" });
    expect(context.world.count(GRANT)).toBe(2);
    expect(stored()).toHaveLength(1);
  });

  test("that S3 refuses again and again ends the upload", async () => {
    for (let tried = 0; tried < 4; tried += 1)
      context.world.next("PUT s3", () => ({ status: 403, body: "<Error><Code>SignatureDoesNotMatch</Code></Error>" }));
    await expect(queue().add(image()).done).rejects.toMatchObject({ code: "UPLOAD_REFUSED", details: { reason: "SignatureDoesNotMatch" } });
    await until(() => context.world.reserved === 0);
  });

  test("is asked for when its file's turn comes", async () => {
    network.pace = 20;
    const uploads = queue();
    for (let index = 0; index < 10; index += 1) uploads.add(image(`${index}.png`));
    await until(() => network.open.size === 4);
    expect(context.world.count(GRANT)).toBe(4);
    const states = await uploads.settled();
    expect(states.map(({ status }) => status)).toEqual(Array(10).fill("ready"));
    expect(network.most).toBe(4);
  });

  test("whose answer was lost is asked for under the same key", async () => {
    context.world.next(GRANT, (pass) => {
      pass();
      return "network";
    });
    await queue().add(image()).done;
    expect(stored()).toHaveLength(1);
  });
});

test("a token that expires in mid-queue is renewed once for all", async () => {
  const { world } = context;
  let fresh = 0;
  let kept = "old";
  const client = clientOf({
    getToken: (options) => {
      if (options.fresh) {
        fresh += 1;
        kept = "new";
      }
      return kept;
    },
  });
  const uploads = queue({}, client);
  for (let index = 0; index < 12; index += 1) uploads.add(image(`${index}.png`));
  await until(() => world.count("PUT s3") >= 2);
  world.expired.add("old");
  const states = await uploads.settled();
  expect(states.map(({ status }) => status)).toEqual(Array(12).fill("ready"));
  expect(fresh).toBe(1);
});

describe("abort", () => {
  test("at half of the bytes rejects within 100 ms, and gives them back", async () => {
    network.onStep = (_, step) => (step === 3 ? "hang" : undefined);
    const upload = queue().add(image());
    await until(() => upload.state.progress === 50);
    expect(context.world.reserved).toBe(1_000);
    const began = Date.now();
    const given = upload.abort();
    await expect(upload.done).rejects.toMatchObject({ code: "ABORTED" });
    expect(Date.now() - began).toBeLessThan(100);
    expect(upload.state).toMatchObject({ status: "aborted", error: { code: "ABORTED" } });
    expect(network.open.size).toBe(0);
    await given;
    expect(context.world.reserved).toBe(0);
    expect(stored()).toEqual([]);
  });

  test("while the grant is on its way gives its bytes back, too", async () => {
    context.world.next(GRANT, (pass) => new Promise((answer) => setTimeout(() => answer(pass()), 100)));
    const upload = queue().add(image());
    await until(() => context.world.count(GRANT) === 1);
    await upload.abort();
    expect(context.world.count("PUT s3")).toBe(0);
    expect(stored()).toEqual([]);
  });

  test("while the grant is on its way, and at once again, leaves one file", async () => {
    context.world.next(GRANT, (pass) => {
      const reply = pass();
      return new Promise((answer) => setTimeout(() => answer(reply), 150));
    });
    network.pace = 60;
    const upload = queue().add(image());
    await until(() => context.world.count(GRANT) === 1);
    const given = upload.abort();
    const { key } = await upload.retry();
    await given;
    expect(stored().map((file) => [file.key, file.status])).toEqual([[key, "ready"]]);
    expect(upload.state.s3Key).toBe(key);
  });

  test("of one that waits asks for nothing", async () => {
    const control = new AbortController();
    const uploads = queue({ concurrency: 1 });
    network.pace = 20;
    const first = uploads.add(image());
    const second = uploads.add(image("b.png"), { signal: control.signal });
    control.abort(new Error("closed"));
    await expect(second.done).rejects.toMatchObject({ code: "ABORTED", cause: { message: "closed" } });
    await first.done;
    expect(context.world.count(GRANT)).toBe(1);
    await expect(uploads.add(image(), { signal: control.signal }).done).rejects.toMatchObject({ code: "ABORTED" });
  });

  test("of all leaves nothing behind, and one that was aborted can be tried again", async () => {
    network.pace = 20;
    const uploads = queue();
    const all = Array.from({ length: 6 }, (_, index) => uploads.add(image(`${index}.png`)));
    await until(() => network.open.size === 4);
    await uploads.abortAll();
    expect((await uploads.settled()).map(({ status }) => status)).toEqual(Array(6).fill("aborted"));
    expect(context.world.reserved).toBe(0);
    expect(await all[0]?.retry()).toMatchObject({ status: "ready" });
  });

  test("and at once again leaves one file", async () => {
    network.pace = 10;
    const upload = queue().add(image());
    await until(() => network.open.size === 1);
    const given = upload.abort();
    expect(await upload.retry()).toMatchObject({ status: "ready" });
    await given;
    expect(stored()).toHaveLength(1);
    expect(upload.state.status).toBe("ready");
  });
});

describe("the network", () => {
  test("that a browser cuts, although nobody asked for it, is tried again", async () => {
    let left = false;
    network.onStep = (_, step) => {
      if (left || step < 2) return undefined;
      left = true;
      return "leave";
    };
    const upload = queue().add(image());
    expect(await upload.done).toMatchObject({ status: "ready" });
    expect(network.begun).toEqual([1_000, 1_000]);
  });

  test("that fails for good ends the upload, and its bytes are given back", async () => {
    network.onStep = () => "cut";
    const upload = queue({ tries: 2 }).add(image());
    await expect(upload.done).rejects.toMatchObject({ code: "NETWORK_ERROR" });
    expect(network.begun).toHaveLength(2);
    await until(() => context.world.reserved === 0);
  });

  test("that takes no byte for 30 seconds is given up, and tried again", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
    let hung = false;
    network.onStep = (_, step) => {
      if (hung || step < 3) return undefined;
      hung = true;
      return "hang";
    };
    const upload = queue().add(image());
    upload.done.catch(() => {});
    for (let waited = 0; waited < 29; waited += 1) await vi.advanceTimersByTimeAsync(1_000);
    expect(network.begun).toHaveLength(1);
    for (let waited = 0; waited < 10; waited += 1) await vi.advanceTimersByTimeAsync(1_000);
    expect(network.begun).toHaveLength(2);
    expect(await upload.done).toMatchObject({ status: "ready" });
  });

  test("that is gone is waited for, however long", async () => {
    const events = new EventTarget();
    const navigator = { onLine: true };
    vi.stubGlobal("navigator", navigator);
    vi.stubGlobal("addEventListener", events.addEventListener.bind(events));
    vi.stubGlobal("removeEventListener", events.removeEventListener.bind(events));
    network.onStep = (_, step) => {
      if (!navigator.onLine || step < 2 || network.begun.length > 1) return undefined;
      navigator.onLine = false;
      return "cut";
    };
    const upload = queue({ tries: 1 }).add(image());
    await until(() => upload.state.offline);
    await new Promise((wake) => setTimeout(wake, 100));
    expect(network.begun).toHaveLength(1);
    navigator.onLine = true;
    events.dispatchEvent(new Event("online"));
    expect(await upload.done).toMatchObject({ status: "ready" });
    expect(upload.state.offline).toBe(false);
  });

  test.each([503, 500, 409, 429])("S3's %d is tried again", async (status) => {
    context.world.next("PUT s3", () => ({ status, body: "<Error><Code>SlowDown</Code></Error>" }));
    expect(await queue().add(image()).done).toMatchObject({ status: "ready" });
    expect(context.world.count(GRANT)).toBe(1);
  });

  test("progress does not fall when bytes are sent again", async () => {
    network.pace = 30;
    let cut = false;
    network.onStep = (_, step) => {
      if (cut || step < 4) return undefined;
      cut = true;
      return "cut";
    };
    const seen: number[] = [];
    const upload = queue().add(image(), { onChange: ({ progress }) => seen.push(progress) });
    await upload.done;
    expect(seen).toEqual([...seen].sort((one, other) => one - other));
  });
});

describe("many files", () => {
  test("that are limited wait for Retry-After, and all arrive", async () => {
    const { world } = context;
    world.grantsLeft = 60;
    const timer = setInterval(() => {
      world.grantsLeft = 60;
    }, 500);
    const uploads = queue();
    let changes = 0;
    uploads.subscribe(() => {
      changes += 1;
    });
    const began = Date.now();
    for (let index = 0; index < 100; index += 1) uploads.add(image(`${index}.png`, 10));
    const states = await uploads.settled();
    clearInterval(timer);
    expect(states.map(({ status }) => status)).toEqual(Array(100).fill("ready"));
    expect(world.files.size).toBe(100);
    expect(network.most).toBe(4);
    // One more for the first change, which waits for nobody.
    expect(changes).toBeLessThanOrEqual((Date.now() - began) / 100 + 2);
  }, 20_000);

  test("fail one by one when the limit is that of a day", async () => {
    context.world.grantsLeft = 3;
    for (let index = 0; index < 5; index += 1) {
      // The first three are granted.
      context.world.next(GRANT, (pass) => {
        const reply = pass();
        return reply.status === 429 ? { ...reply, headers: { "retry-after": "36000" } } : reply;
      });
    }
    const uploads = queue();
    for (let index = 0; index < 5; index += 1) uploads.add(image(`${index}.png`));
    const states = await uploads.settled();
    expect(states.map(({ status }) => status)).toEqual(["ready", "ready", "ready", "failed", "failed"]);
    expect(states[4]?.error).toMatchObject({ code: "RATE_LIMITED", retryAfter: 36_000 });
  });

  test("of which three fail and one is retried end as three done and two failed", async () => {
    const { world } = context;
    let mended = false;
    world.verdict = ({ filename }) => {
      const fails = ["1.png", "2.png", "3.png"].includes(filename) && !(mended && filename === "2.png");
      return fails ? { status: "rejected", rejectedReason: "not a picture" } : { status: "ready" };
    };
    const uploads = queue();
    const all = Array.from({ length: 5 }, (_, index) => uploads.add(image(`${index}.png`)));
    const first = await uploads.settled();
    expect(first.map(({ status }) => status)).toEqual(["ready", "failed", "failed", "failed", "ready"]);
    mended = true;
    await all[2]?.retry();
    const states = await uploads.settled();
    expect(states.filter(({ status }) => status === "ready")).toHaveLength(3);
    expect(states.filter(({ status }) => status === "failed")).toHaveLength(2);
    await until(() => uploads.snapshot()[2]?.status === "ready");
    expect(uploads.snapshot()).toEqual(states);
  });

  test("keep their order, can be taken out, and the snapshot stays the same between changes", async () => {
    const uploads = queue();
    const [first, second] = [uploads.add(image("a.png")), uploads.add(image("b.png"))];
    await uploads.settled();
    await until(() => uploads.snapshot().every(({ status }) => status === "ready") && uploads.snapshot().length === 2);
    expect(uploads.snapshot()).toBe(uploads.snapshot());
    expect(uploads.get(first.id)).toBe(first);
    uploads.remove(first.id);
    await until(() => uploads.snapshot().length === 1);
    expect(uploads.snapshot()[0]?.id).toBe(second.id);
    uploads.clear();
    await until(() => uploads.snapshot().length === 0);
    expect(context.world.count(DELETE)).toBe(0);
  });
});

describe("names and types", () => {
  test("a name in NFD is sent in NFC", async () => {
    const name = "e\u0301te\u0301.png";
    const upload = queue().add(image(name));
    expect(upload.state.name).toBe("\u00e9t\u00e9.png");
    expect((await upload.done).filename).toBe("\u00e9t\u00e9.png");
    expect(await queue().add(image(), { filename: name }).done).toMatchObject({ filename: "\u00e9t\u00e9.png" });
  });

  const ftyp = (brand: string) => `\0\0\0\x18ftyp${brand}\0\0\0\0`;
  test.each([
    ["IMG_1.HEIC", "", ftyp("heic"), ""],
    ["IMG_1", "", ftyp("heic"), "image/heic"],
    ["IMG_1", "application/octet-stream", ftyp("mif1"), "image/heic"],
    ["film", "", ftyp("isom"), "video/mp4"],
    ["film", "", ftyp("qt  "), "video/quicktime"],
    ["sound", "", ftyp("M4A "), "audio/mp4"],
    ["picture", "", ftyp("avif"), "image/avif"],
    ["picture", "", "\x89PNG\r\n\x1a\n", "image/png"],
    ["picture", "", "\xff\xd8\xff\xe0", "image/jpeg"],
    ["picture", "", "RIFF\x01\x02\n\x04WEBPVP8 ", "image/webp"],
    ["sound", "", "RIFF\x01\x02\n\x04WAVEfmt ", "audio/wav"],
    ["sound", "", "ID3\x04", "audio/mpeg"],
    ["film", "", "\x1aE\xdf\xa3", "video/webm"],
    ["paper", "", "%PDF-1.7", "application/pdf"],
    ["notes", "", "Dear diary", ""],
    ["notes.md", "", "%PDF-1.7", ""],
    ["photo.jpg", "IMAGE/JPEG; x=1", "anything", "image/jpeg"],
  ])("the type of %s, declared as '%s', with %j is '%s'", async (name, type, bytes, expected) => {
    const file = new File([Uint8Array.from(bytes, (letter) => letter.charCodeAt(0))], name, { type });
    expect(await mediaType(file, name)).toBe(expected);
  });

  test("a type that the browser does not know is found before the API is asked", async () => {
    const file = new File([Uint8Array.from(ftyp("heic"), (letter) => letter.charCodeAt(0))], "IMG_1");
    await queue().add(file).done;
    expect(context.world.bodies[0]).toMatchObject({ filename: "IMG_1", contentType: "image/heic" });
  });

  test("a checksum is sent where it is wanted", async () => {
    await queue().add(new File(["Hello"], "hello.md", { type: "text/markdown" }), { sha256: true }).done;
    expect(context.world.bodies[0]).toMatchObject({ sha256: "GF+NsyJx/iX1Yab8k4suJkMG7DBO2lGAB9F2SCY4GWk=" });
  });
});

test("all errors of uploads are those of this package", async () => {
  const broken = { size: 3, type: "image/png", name: "broken.png", slice: () => new Blob() } as unknown as Blob & { name: string };
  vi.unstubAllGlobals();
  const error = await queue({ tries: 1 })
    .add(broken, { sha256: true })
    .done.catch((reason: unknown) => reason);
  expect(isConsigneError(error)).toBe(true);
});
