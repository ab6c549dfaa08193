import { type BodyOf, type Call, createCall, type Output, type Page, type QueryOf, type Route } from "./call.js";
import { ConsigneError } from "./errors.js";
import type { FileMetadata, FileView, FinishedTextView, JobView } from "./gen/types.gen.js";
import { List } from "./list.js";
import { type TicketOptions, Tickets } from "./tickets.js";
import { type CallOptions, type ClientOptions, createTransport, type Send } from "./transport.js";
import { sleep } from "./wait.js";

/** Filters of a list, without its cursor. */
type Filter<R extends Route> = Omit<QueryOf<R>, never>;

/** A kind of generation job. */
export type JobKind = "image" | "video" | "book" | "blog";

/** What a job of each kind takes. */
export interface JobInputs {
  image: BodyOf<"POST /api/secure/images/generate">;
  video: BodyOf<"POST /api/secure/videos/generate">;
  book: BodyOf<"POST /api/secure/books/generate">;
  blog: BodyOf<"POST /api/secure/blog/generate">;
}

/** A page of files. */
export interface FilePage extends Page<FileView> {
  /** Files on all pages together. */
  total: number;
  userId: string;
}

/** How `jobs.wait` waits. */
export interface WaitOptions extends CallOptions {
  /** Called with every answer that differs from the one before. */
  onUpdate?: ((job: JobView) => void) | undefined;
  /** Milliseconds before the second question, 1,000 when absent. Later waits grow to ten times that. */
  interval?: number | undefined;
}

/** The client of one API for one caller. */
export type ConsigneClient = ReturnType<typeof createClient>;

/** Makes a client. It sends nothing before it is asked to. */
export function createClient(options: ClientOptions) {
  const send: Send = createTransport(options);
  const call: Call = createCall(send);
  const tickets = new Tickets(call);

  /** Makes a list of an operation whose answer is a page. */
  function list<R extends Route, Item>(route: R, input: { path?: object; query?: object }, options?: CallOptions): List<Item> {
    return new List<Item>((cursor) => call<Route>(route, withCursor(input, cursor) as never, options) as Promise<Page<Item>>);
  }
  type Items<R extends Route> = List<Output<R> extends Page<infer Item> ? Item : never>;
  const inOrg =
    <R extends Route>(route: R) =>
    (org: string, filter: Filter<R> = {} as Filter<R>, options?: CallOptions): Items<R> =>
      list(route, { path: { org }, query: filter }, options) as Items<R>;

  const files = {
    /** Lists the caller's files, newest first; those that are ready unless `status` asks for others. */
    list(filter: Filter<"GET /api/files/list"> = {}, options?: CallOptions): List<FileView, FilePage> {
      return new List(async (cursor) => {
        const { files, ...page } = await call("GET /api/files/list", withCursor({ query: filter }, cursor), options);
        return { items: files, ...page };
      });
    },
    /** Reads one file, whatever its status. */
    metadata: (s3Key: string, options?: CallOptions): Promise<FileMetadata> => call("GET /api/files/metadata", { query: { s3Key } }, options),
    /** Changes name or metadata. With `ifMatch`, the `ETag` of a revision, only if nobody changed them since. */
    async update(
      s3Key: string,
      change: Omit<BodyOf<"PATCH /api/files/metadata">, "s3Key">,
      { ifMatch, ...options }: CallOptions & { ifMatch?: string | undefined } = {},
    ): Promise<FileMetadata> {
      const headers: Record<string, string> = ifMatch === undefined ? {} : { "if-match": ifMatch };
      const filename = change.filename?.normalize("NFC");
      const { body } = await send("PATCH", "/api/files/metadata", { ...options, headers, body: { ...change, s3Key, filename } });
      return body as FileMetadata;
    },
    /** Deletes a file for good, or gives back the bytes of one that was never sent. */
    async delete(s3Key: string, options?: CallOptions): Promise<void> {
      await call("DELETE /api/files/delete", { body: { s3Key } }, options);
      // Those too that were asked for meanwhile.
      tickets.drop(s3Key);
    },
    /** Returns a signed URL that reads a file. It is the same until shortly before it ends. */
    url: async (s3Key: string, how?: TicketOptions, options?: CallOptions): Promise<string> => (await tickets.get(s3Key, how, options)).url,
    /** As `url`, with the time at which the URL ends. */
    ticket: (s3Key: string, how?: TicketOptions, options?: CallOptions) => tickets.get(s3Key, how, options),
    /** Tickets of many files, each one or the error of its file. A hundred share a request. */
    tickets: (s3Keys: readonly string[], how?: TicketOptions, options?: CallOptions) => tickets.getAll(s3Keys, how, options),
    /** Forgets the kept tickets of a file, because they no longer work. */
    forget: (s3Key: string): void => tickets.drop(s3Key),
    /** How much of the plan's storage is used. */
    usage: (options?: CallOptions) => call("GET /api/files/usage", {}, options),
  };

  const GENERATE = {
    image: "POST /api/secure/images/generate",
    video: "POST /api/secure/videos/generate",
    book: "POST /api/secure/books/generate",
    blog: "POST /api/secure/blog/generate",
  } as const;
  const jobs = {
    /** Starts a job. */
    start: <Kind extends JobKind>(kind: Kind, input: JobInputs[Kind], options?: CallOptions): Promise<Output<"POST /api/secure/images/generate">> =>
      call<(typeof GENERATE)["image"]>(GENERATE[kind] as (typeof GENERATE)["image"], { body: input as JobInputs["image"] }, options),
    /** Reads a job. */
    status: (id: string, options?: CallOptions): Promise<JobView> => call("GET /api/secure/jobs/{id}/status", { path: { id } }, options),
    /** Resolves once a job has completed. Rejects with `JOB_FAILED` if it has failed. */
    async wait(id: string, { onUpdate, interval = 1_000, signal }: WaitOptions = {}): Promise<JobView> {
      let seen = "";
      for (let wait = interval; ; wait = Math.min(wait * 1.4, interval * 10)) {
        const job = await jobs.status(id, { signal });
        if (seen !== (seen = JSON.stringify(job))) onUpdate?.(job);
        if (job.status === "completed") return job;
        if (job.status === "failed") throw new ConsigneError("JOB_FAILED", job.error?.message ?? job.message, { details: { job } });
        await sleep(wait * (0.8 + Math.random() * 0.4), signal);
      }
    },
    /** Lists the caller's jobs, newest first. */
    list: (filter: Filter<"GET /api/secure/jobs"> = {}, options?: CallOptions) =>
      list("GET /api/secure/jobs", { query: filter }, options) as Items<"GET /api/secure/jobs">,
    /** Cancels a job that has not begun. The month's allowance is given back. */
    cancel: (id: string, options?: CallOptions) => call("DELETE /api/secure/jobs/{id}", { path: { id } }, options),
  };

  const orgs = {
    list: (filter: Filter<"GET /api/orgs"> = {}, options?: CallOptions) =>
      list("GET /api/orgs", { query: filter }, options) as Items<"GET /api/orgs">,
    create: (body: BodyOf<"POST /api/orgs">, options?: CallOptions) => call("POST /api/orgs", { body }, options),
    rename: (org: string, name: string, options?: CallOptions) => call("PATCH /api/orgs/{org}", { path: { org }, body: { name } }, options),
    /** Deletes an organisation for good. `slug` must be its own. */
    delete: (org: string, slug: string, options?: CallOptions) => call("DELETE /api/orgs/{org}", { path: { org }, body: { confirm: slug } }, options),
    /** The audit log, newest first. */
    audit: inOrg("GET /api/orgs/{org}/audit"),
  };

  const members = {
    list: inOrg("GET /api/orgs/{org}/members"),
    setRole: (org: string, user: string, role: BodyOf<"PATCH /api/orgs/{org}/members/{user}">["role"], options?: CallOptions) =>
      call("PATCH /api/orgs/{org}/members/{user}", { path: { org, user }, body: { role } }, options),
    remove: (org: string, user: string, query: QueryOf<"DELETE /api/orgs/{org}/members/{user}"> = {}, options?: CallOptions) =>
      call("DELETE /api/orgs/{org}/members/{user}", { path: { org, user }, query }, options),
  };

  const invitations = {
    list: inOrg("GET /api/orgs/{org}/invitations"),
    create: (org: string, body: BodyOf<"POST /api/orgs/{org}/invitations">, options?: CallOptions) =>
      call("POST /api/orgs/{org}/invitations", { path: { org }, body }, options),
    revoke: (org: string, invitation: string, options?: CallOptions) =>
      call("DELETE /api/orgs/{org}/invitations/{invitation}", { path: { org, invitation } }, options),
    /** Joins an organisation with the token of an invitation. */
    accept: (token: string, options?: CallOptions) => call("POST /api/invitations/accept", { body: { token } }, options),
  };

  const keys = {
    list: inOrg("GET /api/orgs/{org}/keys"),
    /** Issues a key. Its text, `key`, is in this answer only. */
    issue: (org: string, body: BodyOf<"POST /api/orgs/{org}/keys">, options?: CallOptions) =>
      call("POST /api/orgs/{org}/keys", { path: { org }, body }, options),
    update: (org: string, key: string, body: BodyOf<"PATCH /api/orgs/{org}/keys/{key}">, options?: CallOptions) =>
      call("PATCH /api/orgs/{org}/keys/{key}", { path: { org, key }, body }, options),
    /** Replaces the text of a key. The old one is accepted for `grace_seconds` more. */
    rotate: (org: string, key: string, body: BodyOf<"POST /api/orgs/{org}/keys/{key}/rotate"> = {}, options?: CallOptions) =>
      call("POST /api/orgs/{org}/keys/{key}/rotate", { path: { org, key }, body }, options),
    revoke: (org: string, key: string, reason: string, options?: CallOptions) =>
      call("POST /api/orgs/{org}/keys/{key}/revoke", { path: { org, key }, body: { reason } }, options),
    delete: (org: string, key: string, options?: CallOptions) => call("DELETE /api/orgs/{org}/keys/{key}", { path: { org, key } }, options),
  };

  const endpoints = {
    list: inOrg("GET /api/orgs/{org}/endpoints"),
    /** Registers an endpoint. Its `secret` is in this answer only. */
    create: (org: string, body: BodyOf<"POST /api/orgs/{org}/endpoints">, options?: CallOptions) =>
      call("POST /api/orgs/{org}/endpoints", { path: { org }, body }, options),
    update: (org: string, endpoint: string, body: BodyOf<"PATCH /api/orgs/{org}/endpoints/{endpoint}">, options?: CallOptions) =>
      call("PATCH /api/orgs/{org}/endpoints/{endpoint}", { path: { org, endpoint }, body }, options),
    /** Replaces the secret. Both count during the rotation. */
    rotate: (org: string, endpoint: string, body: BodyOf<"POST /api/orgs/{org}/endpoints/{endpoint}/rotate"> = {}, options?: CallOptions) =>
      call("POST /api/orgs/{org}/endpoints/{endpoint}/rotate", { path: { org, endpoint }, body }, options),
    /** Sends a webhook of type `endpoint.test`. */
    test: (org: string, endpoint: string, options?: CallOptions) =>
      call("POST /api/orgs/{org}/endpoints/{endpoint}/test", { path: { org, endpoint } }, options),
    delete: (org: string, endpoint: string, options?: CallOptions) =>
      call("DELETE /api/orgs/{org}/endpoints/{endpoint}", { path: { org, endpoint } }, options),
    /** What was sent to an endpoint, newest first. */
    deliveries: (org: string, endpoint: string, filter: Filter<"GET /api/orgs/{org}/endpoints/{endpoint}/deliveries"> = {}, options?: CallOptions) =>
      list(
        "GET /api/orgs/{org}/endpoints/{endpoint}/deliveries",
        { path: { org, endpoint }, query: filter },
        options,
      ) as Items<"GET /api/orgs/{org}/endpoints/{endpoint}/deliveries">,
    redeliver: (org: string, delivery: string, options?: CallOptions) =>
      call("POST /api/orgs/{org}/deliveries/{delivery}/redeliver", { path: { org, delivery } }, options),
  };

  const credits = {
    wallet: (org: string, options?: CallOptions) => call("GET /api/orgs/{org}/wallet", { path: { org } }, options),
    /** Opens a checkout of Stripe for a pack of credits. Send the person to its `url`. */
    checkout: (org: string, pack: BodyOf<"POST /api/orgs/{org}/credits/checkout">["pack"], options?: CallOptions) =>
      call("POST /api/orgs/{org}/credits/checkout", { path: { org }, body: { pack } }, options),
    payments: inOrg("GET /api/orgs/{org}/payments"),
    /** Receipts, newest first: of one day, or of one key. */
    usage: inOrg("GET /api/orgs/{org}/usage"),
    /** Figures by day. */
    stats: (org: string, range: QueryOf<"GET /api/orgs/{org}/stats"> = {}, options?: CallOptions) =>
      call("GET /api/orgs/{org}/stats", { path: { org }, query: range }, options),
  };

  /** For servers: `getToken` returns a service token. */
  const service = {
    /** Checks an API key and charges it. A refused key is an answer, not an error. */
    verifyKey: (body: BodyOf<"POST /api/keys/verify">, options?: CallOptions) => call("POST /api/keys/verify", { body }, options),
    /** Notes how a charged call went, once. */
    reportOutcome: (receipt: string, body: BodyOf<"POST /api/keys/receipts/{id}/outcome">, options?: CallOptions) =>
      call("POST /api/keys/receipts/{id}/outcome", { path: { id: receipt }, body }, options),
    /** Reserves credits for a call whose cost is known only at its end. */
    openHold: (body: BodyOf<"POST /api/credits/holds">, options?: CallOptions) => call("POST /api/credits/holds", { body }, options),
    settleHold: (id: string, body: BodyOf<"POST /api/credits/holds/{id}/settle">, options?: CallOptions) =>
      call("POST /api/credits/holds/{id}/settle", { path: { id }, body }, options),
    voidHold: (id: string, reason: BodyOf<"POST /api/credits/holds/{id}/void">["reason"], options?: CallOptions) =>
      call("POST /api/credits/holds/{id}/void", { path: { id }, body: { reason } }, options),
  };

  return {
    /** Address of the API, without a slash at its end. */
    baseUrl: options.baseUrl.replace(/\/+$/, ""),
    /** Calls any operation by its method and path, such as `call("GET /api/me")`. */
    call,
    /** Sends a request to any path, and resolves to the answer as it came. */
    send,
    /** Who is signed in, with plan and limits. */
    me: (options?: CallOptions) => call("GET /api/me", {}, options),
    /** Plans, packs, services, kinds of files, types of events. Needs no token. */
    catalogue: (options?: CallOptions) => call("GET /api/catalogue", {}, options),
    /** Finished books and articles, newest first. */
    books: (filter: Filter<"GET /api/books"> = {}, options?: CallOptions): List<FinishedTextView> =>
      new List(async (cursor) => {
        const { books, nextCursor } = await call("GET /api/books", withCursor({ query: filter }, cursor), options);
        return { items: books, nextCursor, total: null };
      }),
    articles: (filter: Filter<"GET /api/blog"> = {}, options?: CallOptions): List<FinishedTextView> =>
      new List(async (cursor) => {
        const { articles, nextCursor } = await call("GET /api/blog", withCursor({ query: filter }, cursor), options);
        return { items: articles, nextCursor, total: null };
      }),
    ...{ files, jobs, orgs, members, invitations, keys, endpoints, credits, service },
  };
}

function withCursor<Given extends { query?: object }>(input: Given, cursor: string | undefined): Given {
  return cursor === undefined ? input : { ...input, query: { ...input.query, cursor } };
}
