import type { JobView, Error as WireError } from "./gen/types.gen.js";

type Wire = WireError["error"];

/** Details of the codes that this package itself adds to those of the API. */
interface OwnDetails {
  /** The caller aborted the request or the upload. `cause` is the reason of the signal. */
  ABORTED: undefined;
  /** There was no answer: the network failed, or the answer took too long. */
  NETWORK_ERROR: undefined;
  /** The answer is not one of the API's: HTML of a proxy, for example. `text` is its beginning. */
  UNEXPECTED_ANSWER: { text: string };
  /** S3 refused the bytes of an upload. `reason` is S3's code, such as `BadDigest`. */
  UPLOAD_REFUSED: { reason?: string };
  /** `jobs.wait` found that the job has failed. */
  JOB_FAILED: { job: JobView };
}

/**
 * What went wrong. All codes of the API, and `ABORTED`, `NETWORK_ERROR`, `UNEXPECTED_ANSWER`, `UPLOAD_REFUSED` and
 * `JOB_FAILED`. A later version of the API may have further ones: let a `switch` have a `default`.
 */
export type ErrorCode = Wire["code"] | keyof OwnDetails;

/** The details that come with a code. Those of the API are always optional. */
export type ErrorDetails<Code extends ErrorCode> = Code extends keyof OwnDetails
  ? OwnDetails[Code]
  : Extract<Wire, { code: Code }> extends { details?: infer Details }
    ? Details | undefined
    : undefined;

/** What an error is made of, apart from code and message. */
export interface ErrorFacts<Code extends ErrorCode> {
  /** HTTP status; 0 if there was no answer. */
  status?: number;
  details?: ErrorDetails<Code>;
  requestId?: string | undefined;
  /** Seconds to wait before another try. */
  retryAfter?: number | undefined;
  cause?: unknown;
}

// The same in every copy of this package, so that `isConsigneError` works if an application has two.
const BRAND = Symbol.for("@consigne/client.error");

class Failure<Code extends ErrorCode> extends Error {
  /** The code to branch on. Messages may change. */
  readonly code: Code;
  /** HTTP status; 0 if there was no answer. */
  readonly status: number;
  /** Further facts, typed by the code. */
  readonly details: ErrorDetails<Code>;
  /** Id of the request in the API's log. */
  readonly requestId: string | undefined;
  /** Seconds after which another try makes sense, where the answer said so. */
  readonly retryAfter: number | undefined;

  constructor(code: Code, message: string, { status = 0, details, requestId, retryAfter, cause }: ErrorFacts<Code> = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "ConsigneError";
    this.code = code;
    this.status = status;
    this.details = details as ErrorDetails<Code>;
    this.requestId = requestId;
    this.retryAfter = retryAfter;
    Object.defineProperty(this, BRAND, { value: true });
  }
}

/** The one error that this package throws. `switch (error.code)` narrows `error.details`. */
export type ConsigneError<Code extends ErrorCode = ErrorCode> = { [One in Code]: Failure<One> }[Code];

export const ConsigneError = Failure as {
  new <Code extends ErrorCode>(code: Code, message: string, facts?: ErrorFacts<Code>): ConsigneError<Code>;
  readonly prototype: ConsigneError;
};

/** Whether something that was thrown is an error of this package, and has the given code if there is one. */
export function isConsigneError<Code extends ErrorCode = ErrorCode>(error: unknown, code?: Code): error is ConsigneError<Code> {
  const branded = typeof error === "object" && error !== null && BRAND in error;
  return branded && (code === undefined || (error as unknown as ConsigneError).code === code);
}

/** Codes of answers that API Gateway or a proxy gave in place of the API. */
const BY_STATUS: Record<number, Wire["code"]> = {
  401: "UNAUTHENTICATED",
  404: "NOT_FOUND",
  413: "BODY_TOO_LARGE",
  429: "RATE_LIMITED",
  500: "INTERNAL",
};

/** Makes an error of an answer that is no success, whoever gave it. */
export function errorOf(status: number, headers: Headers, text: string): ConsigneError {
  const body = parsed(text) as { error?: Wire & { details?: never }; message?: string; requestId?: string } | undefined;
  const requestId = body?.requestId ?? headers.get("x-request-id") ?? headers.get("apigw-requestid") ?? undefined;
  const facts = { status, requestId, retryAfter: secondsOf(headers.get("retry-after")) };
  if (body?.error?.code) return new ConsigneError(body.error.code, body.error.message, { ...facts, details: body.error.details });
  const message = typeof body?.message === "string" ? body.message : `the answer was an HTTP ${status} that is not the API's`;
  const code = BY_STATUS[status] ?? (status > 500 ? "UNAVAILABLE" : undefined);
  if (code) return new ConsigneError(code, message, facts);
  return new ConsigneError("UNEXPECTED_ANSWER", message, { ...facts, details: { text: text.slice(0, 200) } });
}

/** Parses JSON. Returns undefined for anything else than an object. */
export function parsed(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Returns the error of a caller who gave up. */
export function aborted(signal?: AbortSignal): ConsigneError<"ABORTED"> {
  return new ConsigneError("ABORTED", "the caller aborted it", { cause: signal?.reason });
}

/** Reads `Retry-After`: seconds, or a date. */
function secondsOf(value: string | null): number | undefined {
  if (!value) return undefined;
  const seconds = /^\d+$/.test(value) ? Number(value) : (Date.parse(value) - Date.now()) / 1000;
  return Number.isNaN(seconds) ? undefined : Math.max(0, Math.ceil(seconds));
}
