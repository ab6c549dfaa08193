// A small Consigne for the tests: it keeps files and jobs in memory, and remembers every request.

import type { FileView } from "@consigne/client";
import { HttpResponse, http } from "msw";
import { setupServer } from "msw/node";

export const API = "https://api.example/stage";
export const BUCKET = "https://bucket.example";

const CORS = {
  "access-control-allow-origin": "*",
  "access-control-allow-methods": "PUT",
  "access-control-allow-headers": "content-type, if-none-match",
};

/** Seconds for which the tickets of the tests last, unless they ask for another time. */
const TICKET_SECONDS = 3600;

export interface Job {
  job_id: string;
  status: string;
  message: string;
  progress: number;
  result?: unknown;
}

/** What is on the other side of the network. */
export class World {
  files: FileView[] = [];
  jobs = new Map<string, Job>();
  /** `POST /api/files/uploads` and the like, in the order in which they came. */
  requests: string[] = [];
  bodies: unknown[] = [];
  tokens: (string | null)[] = [];
  keys: { id: string; name: string; status: string }[] = [];
  /** The next answer of a route, instead of the usual one. */
  next = new Map<string, () => Response | Promise<Response>>();
  /** Files of a page of the list. */
  pageSize = 1000;
  /** What the check of uploaded files finds. */
  verdict: "ready" | "rejected" = "ready";
  ticketSeconds = TICKET_SECONDS;
  #count = 0;

  /** How often a route was called, such as `PUT bucket`. */
  calls(route: string): number {
    return this.requests.filter((one) => one === route).length;
  }

  add(filename: string, more: Partial<FileView> = {}): FileView {
    this.#count += 1;
    const kind = more.kind ?? "image";
    const file: FileView = {
      fileId: `F${this.#count}`,
      key: `user_ann/${kind}s/F${this.#count}-${filename}`,
      filename,
      size: 1000 * this.#count,
      contentType: kind === "image" ? "image/png" : "application/pdf",
      kind,
      status: "ready",
      width: 640,
      height: 480,
      dimensions: "measured",
      lastModified: new Date(Date.UTC(2026, 10, 1) + this.#count * 60_000).toISOString(),
      metadata: {},
      thumbnails: {},
      ...more,
    };
    this.files.unshift(file);
    return file;
  }

  find(key: string | null): FileView | undefined {
    return this.files.find((file) => file.key === key);
  }

  sign(key: string) {
    this.#count += 1;
    const expiresAt = new Date(Date.now() + this.ticketSeconds * 1000).toISOString();
    return { url: `${BUCKET}/${key}?signature=${this.#count}`, expiresIn: this.ticketSeconds, expiresAt };
  }
}

export function envelope(data: unknown, more: object = {}) {
  return { success: true, message: "Done", data, timestamp: new Date().toISOString(), ...more };
}

export function fault(status: number, code: string, message: string, details?: object, headers: Record<string, string> = {}) {
  const body = { success: false, error: { code, message, ...(details && { details }) }, timestamp: new Date().toISOString(), requestId: "req-1" };
  return HttpResponse.json(body, { status, headers });
}

const missing = () => fault(404, "NOT_FOUND", "File not found");

/** Returns a server whose handlers work on the world that `world()` returns. */
export function serverOf(world: () => World) {
  // biome-ignore lint/suspicious/noExplicitAny: the routes read what their requests have.
  type Handle = (about: { request: Request; url: URL; path: string; body: any }) => Response | Promise<Response>;
  const route = (method: "get" | "post" | "patch" | "delete", path: string, handle: Handle, match = path) =>
    http[method](`${API}${match}`, async ({ request }) => {
      const url = new URL(request.url);
      const name = `${method.toUpperCase()} ${path}`;
      const text = await request.text();
      world().requests.push(name);
      world().tokens.push(request.headers.get("authorization"));
      const body = text ? JSON.parse(text) : undefined;
      world().bodies.push(body);
      const next = world().next.get(name);
      if (next) {
        world().next.delete(name);
        return next();
      }
      return handle({ request, url, path: decodeURIComponent(url.pathname), body });
    });

  const listed = (url: URL, kindName: string) => {
    const kind = url.searchParams.get(kindName);
    const all = world().files.filter((file) => file.status === "ready" && (!kind || file.kind === kind));
    const start = Number(url.searchParams.get("cursor") ?? 0);
    const size = Number(url.searchParams.get("limit") ?? world().pageSize);
    const page = all.slice(start, start + size);
    return { page, total: all.length, next: start + size < all.length ? String(start + size) : null };
  };
  const ticket = (key: string) => {
    const file = world().find(key);
    return file ? { s3Key: key, ...world().sign(key) } : { s3Key: key, error: { code: "NOT_FOUND", message: "File not found" } };
  };

  return setupServer(
    route("get", "/api/files/list", ({ url }) => {
      const { page, total, next } = listed(url, "contentType");
      return HttpResponse.json({ files: page, total, userId: "user_ann", nextCursor: next });
    }),
    route("get", "/api/secure/files/list", ({ url }) => {
      const { page, total, next } = listed(url, "content_type");
      const data = page.map((file) => ({
        s3_key: file.key,
        filename: file.filename,
        size: file.size,
        last_modified: file.lastModified,
        content_type: file.contentType,
        metadata: file.metadata,
      }));
      return HttpResponse.json(envelope(data, { metadata: { next_cursor: next, total } }));
    }),
    route(
      "get",
      "/api/secure/files/download",
      ({ path }) => {
        const file = world().find(path.split("/download/")[1] ?? "");
        if (!file) return missing();
        const { url, expiresIn, expiresAt } = world().sign(file.key);
        return HttpResponse.json(envelope({ download_url: url, expires_in: expiresIn, expires_at: expiresAt }));
      },
      "/api/secure/files/download/*",
    ),
    route(
      "delete",
      "/api/secure/files/delete",
      ({ path }) => {
        const key = path.split("/delete/")[1] ?? "";
        if (!world().find(key)) return missing();
        world().files = world().files.filter((file) => file.key !== key);
        return HttpResponse.json(envelope({ s3_key: key }));
      },
      "/api/secure/files/delete/*",
    ),
    route("get", "/api/files/metadata", ({ url }) => {
      const file = world().find(url.searchParams.get("s3Key"));
      return file ? HttpResponse.json(file, { headers: { etag: '"1"' } }) : missing();
    }),
    route("patch", "/api/files/metadata", ({ body }) => {
      const file = world().find(body.s3Key);
      if (!file) return missing();
      Object.assign(file, { filename: body.filename ?? file.filename });
      return HttpResponse.json(file, { headers: { etag: '"2"' } });
    }),
    route("delete", "/api/files/delete", ({ body }) => {
      if (!world().find(body.s3Key)) return missing();
      world().files = world().files.filter((file) => file.key !== body.s3Key);
      return HttpResponse.json({ success: true, message: "File deleted successfully" });
    }),
    route("post", "/api/files/presigned-url", ({ body }) => {
      if (body.s3Keys) return HttpResponse.json({ urls: body.s3Keys.map(ticket) });
      return world().find(body.s3Key) ? HttpResponse.json(world().sign(body.s3Key)) : missing();
    }),
    route("post", "/api/files/uploads", ({ body }) => {
      const kind = body.kind ?? (body.contentType.startsWith("video/") ? "video" : "image");
      const file = world().add(body.filename, { size: body.size, contentType: body.contentType, kind, status: "pending" });
      const { expiresAt } = world().sign(file.key);
      const headers = { "content-type": body.contentType, "if-none-match": "*" };
      const grant = { fileId: file.fileId, s3Key: file.key, method: "PUT", url: `${BUCKET}/${file.key}`, headers, expiresAt };
      return HttpResponse.json(grant, { status: 201 });
    }),
    // jsdom asks the bucket first, as a browser does.
    http.options(`${BUCKET}/*`, () => new HttpResponse(null, { status: 204, headers: CORS })),
    http.put(`${BUCKET}/*`, async ({ request }) => {
      world().requests.push("PUT bucket");
      await request.arrayBuffer();
      const next = world().next.get("PUT bucket");
      if (next) {
        world().next.delete("PUT bucket");
        return next();
      }
      const file = world().find(decodeURIComponent(new URL(request.url).pathname.slice(1)));
      if (file) Object.assign(file, { status: world().verdict });
      if (file && world().verdict === "rejected") Object.assign(file, { rejectedReason: "declared image/png, found text" });
      return new HttpResponse(null, { status: 200, headers: { ...CORS, etag: '"e"' } });
    }),
    route("get", "/api/files/usage", () => {
      const totalSize = world().files.reduce((sum, file) => sum + file.size, 0);
      return HttpResponse.json({
        ...{ userId: "user_ann", plan: "pro", totalFiles: world().files.length, totalSize, reservedSize: 0 },
        ...{ limit: 100_000, percent: totalSize / 1000, byKind: {} },
      });
    }),
    route("post", "/api/secure/books/generate", ({ body }) => {
      if (!body.topic) return fault(400, "INVALID_REQUEST", "topic must have 1 to 500 characters", { field: "topic" });
      const job: Job = { job_id: "job_1", status: "pending", message: "Waiting", progress: 0 };
      world().jobs.set(job.job_id, job);
      return HttpResponse.json(envelope({ job_id: job.job_id, status: job.status, message: job.message }), { status: 201 });
    }),
    route("post", "/api/secure/images/generate", () => {
      const job: Job = { job_id: "job_2", status: "pending", message: "Waiting", progress: 0 };
      world().jobs.set(job.job_id, job);
      return HttpResponse.json(envelope({ job_id: job.job_id, status: job.status, message: job.message }), { status: 201 });
    }),
    route(
      "get",
      "/api/secure/jobs/status",
      ({ path }) => {
        const job = world().jobs.get(path.split("/").at(-2) ?? "");
        return job ? HttpResponse.json(envelope({ kind: "book", title: "", created_at: "", updated_at: "", ...job })) : missing();
      },
      "/api/secure/jobs/:id/status",
    ),
    route("delete", "/api/secure/jobs", () => HttpResponse.json(envelope({ job_id: "job_1", status: "failed" })), "/api/secure/jobs/:id"),
    route(
      "get",
      "/api/orgs/keys",
      () => HttpResponse.json(envelope(world().keys, { metadata: { next_cursor: null, total: world().keys.length } })),
      "/api/orgs/:org/keys",
    ),
    route(
      "post",
      "/api/orgs/keys",
      ({ body }) => {
        const key = { id: `key_${world().keys.length + 1}`, name: body.name, status: "active" };
        world().keys.unshift(key);
        return HttpResponse.json(envelope({ ...key, key: "sk_live_secret" }), { status: 201 });
      },
      "/api/orgs/:org/keys",
    ),
    route(
      "post",
      "/api/orgs/keys/revoke",
      ({ path, body }) => {
        const key = world().keys.find(({ id }) => id === path.split("/").at(-2));
        Object.assign(key ?? {}, { status: "revoked", revoked_reason: body.reason });
        return HttpResponse.json(envelope(key));
      },
      "/api/orgs/:org/keys/:key/revoke",
    ),
    route(
      "get",
      "/api/orgs/stats",
      () => HttpResponse.json(envelope([{ date: "2026-11-21", requests: 7 }], { metadata: { next_cursor: null, total: 1 } })),
      "/api/orgs/:org/stats",
    ),
  );
}
