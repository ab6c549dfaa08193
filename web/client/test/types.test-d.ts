// Checked by the compiler alone: `tsc` fails if one of these types changes.

import {
  type ConsigneError,
  createClient,
  type ErrorCode,
  type FileMetadata,
  type FileView,
  isConsigneError,
  type JobView,
  type Page,
} from "../src/index.js";
import { createUploads } from "../src/upload.js";
import type { WebhookEvent } from "../src/webhooks.js";

type Same<One, Other> = (<T>() => T extends One ? 1 : 2) extends <T>() => T extends Other ? 1 : 2 ? true : false;
function same<One, Other>(_: Same<One, Other>): void {}

/** Every code has a case, and each narrows `details`. A forgotten code is an error at `never`. */
export function inWords(error: ConsigneError): string {
  switch (error.code) {
    case "FILE_TOO_LARGE":
      same<typeof error.details, { field?: string; limit?: number } | undefined>(true);
      return `at most ${error.details?.limit} bytes`;
    case "ROLE_REQUIRED":
      return `only ${[error.details?.required].flat().join(", ")}`;
    case "CDN_REQUIRED":
    case "FILE_REJECTED":
      return error.details?.reason ?? "rejected";
    case "JOB_FAILED":
      same<typeof error.details, { job: JobView }>(true);
      return error.details.job.message;
    case "UPLOAD_REFUSED":
      return error.details.reason ?? "refused";
    case "UNEXPECTED_ANSWER":
      return error.details.text;
    case "ABORTED":
    case "NETWORK_ERROR":
    case "TOKEN_EXPIRED":
      same<typeof error.details, undefined>(true);
      return error.code;
    case "RATE_LIMITED":
      return error.details?.resets_at ?? String(error.retryAfter);
    case "INVALID_REQUEST":
    case "INVALID_FILENAME":
    case "INVALID_CURSOR":
    case "UNAUTHENTICATED":
    case "INVALID_SIGNATURE":
    case "API_KEY_NOT_ACCEPTED":
    case "INSUFFICIENT_CREDITS":
    case "SUBSCRIPTION_REQUIRED":
    case "FEATURE_REQUIRED":
    case "INSUFFICIENT_SCOPE":
    case "KEY_REFUSED":
    case "STORAGE_QUOTA_EXCEEDED":
    case "FILE_INFECTED":
    case "EMAIL_MISMATCH":
    case "SECOND_FACTOR_REQUIRED":
    case "IMPERSONATION_REFUSED":
    case "ORIGIN_NOT_ALLOWED":
    case "NOT_FOUND":
    case "METHOD_NOT_ALLOWED":
    case "NOT_READY":
    case "CONFLICT":
    case "IDEMPOTENCY_IN_FLIGHT":
    case "ALREADY_ANSWERED":
    case "HOLD_RESOLVED":
    case "HOLD_EXPIRED":
    case "PRECONDITION_FAILED":
    case "BODY_TOO_LARGE":
    case "UNSUPPORTED_MEDIA_TYPE":
    case "UNSUPPORTED_FILE_TYPE":
    case "IDEMPOTENCY_MISMATCH":
    case "WEBHOOK_CONTENT_MISMATCH":
    case "HOLD_EXCEEDED":
    case "GENERATION_QUOTA_EXCEEDED":
    case "INTERNAL":
    case "UPSTREAM_FAILED":
    case "UNAVAILABLE":
    case "SERVICE_UNAVAILABLE":
    case "SERVICE_UNKNOWN":
    case "UPSTREAM_TIMEOUT":
      return error.message;
    default:
      same<typeof error, never>(true);
      return (error as { message: string }).message;
  }
}

export async function calls(): Promise<void> {
  const client = createClient({ baseUrl: "https://api.example.com", getToken: async () => null });

  same<Awaited<ReturnType<typeof client.files.metadata>>, FileMetadata>(true);
  const page = await client.files.list({ contentType: "image", cursor: undefined });
  same<typeof page.items, FileView[]>(true);
  same<typeof page.total, number>(true);
  for await (const file of client.files.list()) same<typeof file, FileView>(true);
  for await (const key of client.keys.list("org_1")) same<(typeof key)["status"], "active" | "revoked" | "suspended" | "expired">(true);

  const check = await client.service.verifyKey({ key: "sk_test_1", cost: 1 });
  if (check.valid) same<typeof check.code, "VALID">(true);
  else same<typeof check.resets_at, string | null>(true);

  const orgs = await client.call("GET /api/orgs");
  same<typeof orgs extends Page<infer Item> ? Item : never, (typeof orgs)["items"][number]>(true);
  await client.call("GET /api/orgs/{org}/wallet", { path: { org: "org_1" } }, { signal: AbortSignal.timeout(1_000) });

  // @ts-expect-error: the path has a parameter.
  await client.call("GET /api/orgs/{org}/wallet");
  // @ts-expect-error: there is no such route.
  await client.call("GET /api/nothing");
  // @ts-expect-error: an image has no topic.
  await client.jobs.start("image", { topic: "Physics" });
  // @ts-expect-error: keys are for production or tests.
  await client.keys.issue("org_1", { name: "K", environment: "staging", scopes: [] });
  // @ts-expect-error: there is no such kind.
  await client.files.list({ contentType: "picture" });
}

export async function uploads(): Promise<void> {
  const queue = createUploads(createClient({ baseUrl: "" }), { storage: localStorage });
  const upload = queue.add(new File([], "a"), { kind: "image" });
  same<Awaited<typeof upload.done>, FileMetadata>(true);
  same<typeof upload.state.status, "waiting" | "sending" | "checking" | "ready" | "failed" | "aborted">(true);
  // @ts-expect-error: a path is no file.
  queue.add("/tmp/a");
}

export function errors(error: unknown): void {
  if (isConsigneError(error)) same<typeof error.code, ErrorCode>(true);
  if (isConsigneError(error, "FILE_TOO_LARGE")) same<typeof error.details, { field?: string; limit?: number } | undefined>(true);
}

export function webhooks(event: WebhookEvent): string {
  switch (event.type) {
    case "key.issued":
      return event.data.key_id;
    case "file.ready":
      return event.data.s3_key;
    default:
      return event.id;
  }
}
