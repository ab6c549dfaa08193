// A world in memory: the API's routes of files and a bucket, as strict as the real ones where uploads depend on it. msw
// puts it behind `fetch`, and xhr.ts behind XMLHttpRequest.

import { HttpResponse, http } from "msw";
import { setupServer } from "msw/node";
import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";

import { type ClientOptions, createClient } from "../src/index.js";

export const BASE = "https://api.example/prod";
const BUCKET = "https://bucket.example";
const ONE_PUT_MAX = 104_857_600;
const PART_SIZE = 16 * 1024 * 1024;

export interface Stored {
  fileId: string;
  key: string;
  filename: string;
  contentType: string;
  size: number;
  status: string;
  rejectedReason?: string;
  /** Whether S3 has the bytes. */
  arrived: boolean;
  /** How often its status was asked for since it arrived. */
  asked: number;
  grantEnds: number;
  parts?: Map<number, string>;
}

/** An answer of the world: made by it, or by a test in its place. */
export interface Reply {
  status: number;
  body?: unknown;
  headers?: Record<string, string>;
}

export type Fault = (pass: () => Reply) => Reply | "network" | Promise<Reply | "network">;

export class World {
  files = new Map<string, Stored>();
  /** Every request, such as `POST /api/files/uploads`; `PUT s3` for S3. */
  requests: string[] = [];
  headers: Headers[] = [];
  bodies: unknown[] = [];
  /** Tokens that are refused as expired. */
  expired = new Set<string>();
  grantSeconds = 900;
  /** Says what becomes of a file that has arrived. */
  verdict: (file: Stored) => { status: string; rejectedReason?: string } = () => ({ status: "ready" });
  /** Most grants a minute. */
  grantsLeft = Number.POSITIVE_INFINITY;
  #faults: { name: string; fault: Fault }[] = [];
  #granted = new Map<string, Reply>();
  #count = 0;

  /** Has the next request of a name answered by a test. */
  next(name: string, fault: Fault): void {
    this.#faults.push({ name, fault });
  }

  get reserved(): number {
    const open = [...this.files.values()].filter(({ status }) => status === "pending");
    return open.reduce((sum, { size }) => sum + size, 0);
  }

  count(name: string): number {
    return this.requests.filter((one) => one === name).length;
  }

  /** Answers a request to S3. `size` is that of the body. */
  s3(url: string, method: string, headers: Headers, size: number): Promise<Reply | "network"> {
    return this.#answer(`${method} s3`, headers, undefined, () => this.#put(new URL(url), headers, size));
  }

  /** Answers a request to the API. */
  api(method: string, url: URL, headers: Headers, body: unknown): Promise<Reply | "network"> {
    const path = url.pathname.replace("/prod", "");
    return this.#answer(`${method} ${path}`, headers, body, () => this.#route(method, path, url.searchParams, headers, body as never));
  }

  async #answer(name: string, headers: Headers, body: unknown, pass: () => Reply): Promise<Reply | "network"> {
    this.requests.push(name);
    this.headers.push(headers);
    this.bodies.push(body);
    const at = this.#faults.findIndex((one) => one.name === name);
    const [found] = at < 0 ? [] : this.#faults.splice(at, 1);
    return found ? await found.fault(pass) : pass();
  }

  #route(method: string, path: string, query: URLSearchParams, headers: Headers, body: Record<string, never>): Reply {
    if (this.expired.has((headers.get("authorization") ?? "").replace("Bearer ", ""))) return failure(401, "TOKEN_EXPIRED");
    if (method === "POST" && path === "/api/files/uploads") return this.#grant(headers.get("idempotency-key") ?? "", body);
    if (method === "DELETE" && path === "/api/files/delete") {
      return this.files.delete(body.s3Key ?? "") ? { status: 200, body: { success: true, message: "File deleted" } } : failure(404, "NOT_FOUND");
    }
    if (method === "GET" && path === "/api/files/metadata") {
      const file = this.files.get(query.get("s3Key") ?? "");
      return file ? { status: 200, body: this.#look(file) } : failure(404, "NOT_FOUND");
    }
    const [, fileId, rest] = /^\/api\/files\/uploads\/([^/]+)(.*)$/.exec(path) ?? [];
    const file = [...this.files.values()].find((one) => one.fileId === fileId);
    if (!file?.parts) return failure(404, "NOT_FOUND");
    return this.#parts(method, rest ?? "", file, file.parts, body);
  }

  #parts(method: string, rest: string, file: Stored, parts: Map<number, string>, body: Record<string, never>): Reply {
    const size = (part: number) => Math.min(PART_SIZE, file.size - (part - 1) * PART_SIZE);
    if (file.status !== "pending") return failure(409, "CONFLICT", { status: file.status });
    if (method === "DELETE") {
      this.files.delete(file.key);
      return { status: 200, body: { success: true, message: "Upload aborted" } };
    }
    if (method === "GET") {
      const arrived = [...parts].map(([partNumber, etag]) => ({ partNumber, etag, size: size(partNumber) }));
      return { status: 200, body: { fileId: file.fileId, parts: arrived } };
    }
    if (rest === "/parts") {
      const url = (part: number) => `${BUCKET}/${file.key}?part=${part}&sig=${(this.#count += 1)}`;
      const signed = (body.partNumbers as unknown as number[]).map((part) => ({ partNumber: part, url: url(part), size: size(part), headers: {} }));
      return { status: 200, body: { parts: signed } };
    }
    const named = body.parts as unknown as { partNumber: number; etag: string }[];
    const missing = Array.from({ length: Math.ceil(file.size / PART_SIZE) }, (_, index) => index + 1).filter((part) => {
      return !parts.has(part) || named.find(({ partNumber }) => partNumber === part)?.etag !== parts.get(part);
    });
    if (missing.length) return failure(409, "CONFLICT", { missing });
    this.#arrive(file);
    return { status: 200, body: { fileId: file.fileId, s3Key: file.key, size: file.size, partCount: parts.size } };
  }

  #grant(key: string, body: { filename?: string; contentType?: string; size?: number }): Reply {
    const known = this.#granted.get(key);
    if (known) return known;
    if (this.grantsLeft === 0) return failure(429, "RATE_LIMITED", { limit: 60 }, { "retry-after": "1" });
    this.grantsLeft -= 1;
    this.#count += 1;
    const { filename = "", contentType = "", size = 0 } = body;
    if (size > 5 * 1024 ** 3) return failure(413, "FILE_TOO_LARGE", { field: "size", limit: 5 * 1024 ** 3 });
    const s3Key = `user_1/images/${this.#count}-file`;
    const fileId = `file_${this.#count}`;
    const grantEnds = Date.now() + this.grantSeconds * 1000;
    const file: Stored = { fileId, key: s3Key, filename, contentType, size, status: "pending", arrived: false, asked: 0, grantEnds };
    this.files.set(s3Key, file);
    const expiresAt = new Date(grantEnds).toISOString();
    const grant = { fileId, s3Key, expiresAt };
    if (size > ONE_PUT_MAX) {
      file.parts = new Map();
      const partCount = Math.ceil(size / PART_SIZE);
      return this.#keep(key, { status: 201, body: { ...grant, method: "MULTIPART", partSize: PART_SIZE, partCount } });
    }
    const headers = { "content-type": contentType || "image/heic", "if-none-match": "*" };
    return this.#keep(key, { status: 201, body: { ...grant, method: "PUT", url: `${BUCKET}/${s3Key}?sig=${this.#count}`, headers } });
  }

  #keep(key: string, reply: Reply): Reply {
    this.#granted.set(key, reply);
    return reply;
  }

  #put(url: URL, headers: Headers, size: number): Reply {
    const file = this.files.get(url.pathname.slice(1));
    if (!file || Date.now() >= file.grantEnds) return { status: 403, body: "<Error><Code>AccessDenied</Code></Error>" };
    const part = Number(url.searchParams.get("part"));
    if (part) {
      file.parts?.set(part, `"etag-${part}"`);
      return { status: 200, headers: { etag: `"etag-${part}"` } };
    }
    if (headers.get("if-none-match") !== "*" || headers.get("authorization"))
      return { status: 403, body: "<Error><Code>SignatureDoesNotMatch</Code></Error>" };
    if (file.arrived) return { status: 412, body: "<Error><Code>PreconditionFailed</Code></Error>" };
    if (size !== file.size) return { status: 403, body: "<Error><Code>SignatureDoesNotMatch</Code></Error>" };
    this.#arrive(file);
    return { status: 200, headers: { etag: '"whole"' } };
  }

  #arrive(file: Stored): void {
    file.arrived = true;
    file.status = "processing";
  }

  #look(file: Stored): object {
    if (file.arrived) file.asked += 1;
    if (file.asked > 0) Object.assign(file, this.verdict(file));
    const { fileId, key, filename, size, contentType, status, rejectedReason } = file;
    const shape = { kind: "image", width: null, height: null, dimensions: null, lastModified: "2026-11-28T00:00:00Z", metadata: {}, thumbnails: {} };
    return { fileId, key, filename, size, contentType, status, ...shape, ...(rejectedReason && { rejectedReason }) };
  }
}

/** The shape of the API's errors. */
export function failure(status: number, code: string, details?: object, headers?: Record<string, string>): Reply {
  const error = { code, message: `message of ${code}`, ...(details && { details }) };
  return { status, body: { success: false, error, timestamp: "2026-11-28T00:00:00Z", requestId: "req-1" }, ...(headers && { headers }) };
}

/** An answer in an envelope, or of a list. */
export function envelope(data: unknown, metadata?: { next_cursor: string | null; total: number | null }): Reply {
  return { status: 200, body: { success: true, message: "ok", data, timestamp: "2026-11-28T00:00:00Z", ...(metadata && { metadata }) } };
}

function response(reply: Reply | "network"): Response {
  if (reply === "network") return HttpResponse.error();
  const text = typeof reply.body === "string" ? reply.body : JSON.stringify(reply.body);
  return new HttpResponse(reply.body === undefined ? null : text, { status: reply.status, headers: reply.headers ?? {} });
}

/** Puts a world behind `fetch` for the tests of a file. Each test has its own. */
export function useWorld(): { readonly world: World } {
  let world = new World();
  const server = setupServer(
    http.all(`${BASE}/*`, async ({ request }) => {
      const text = await request.text();
      return response(await world.api(request.method, new URL(request.url), request.headers, text ? JSON.parse(text) : undefined));
    }),
    http.all(`${BUCKET}/*`, async ({ request }) => {
      const { byteLength } = await request.arrayBuffer();
      return response(await world.s3(request.url, request.method, request.headers, byteLength));
    }),
  );
  beforeAll(() => server.listen({ onUnhandledFrame: "error" }));
  beforeEach(() => {
    world = new World();
  });
  afterEach(() => server.resetHandlers());
  afterAll(() => server.close());
  return {
    get world() {
      return world;
    },
  };
}

/** Makes a client of the world. */
export function clientOf(options: Partial<ClientOptions> = {}) {
  return createClient({ baseUrl: BASE, getToken: () => "token", ...options });
}
