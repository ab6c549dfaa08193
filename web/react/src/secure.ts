import type { ConsigneClient } from "@consigne/client";

/** What a request sends, in the shape that axios takes. */
export interface RequestOptions {
  /** `GET` when absent. */
  method?: string;
  /** Body, sent as JSON. */
  data?: unknown;
  /** Query parameters. Those that are null or undefined are left out. */
  params?: Record<string, string | number | boolean | null | undefined>;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

/** An error that can also be read as one of axios. */
export interface AxiosLikeError extends Error {
  response?: {
    status: number;
    data: { success: false; error: { code: string; message: string; details?: unknown }; requestId?: string };
  };
}

/** The list whose pages are read until there is no more: its callers show all of it. */
const WHOLE_LIST = "/api/secure/files/list";

/** Sends a request and takes the answer out of its envelope. */
export async function secureRequest(client: ConsigneClient, endpoint: string, options: RequestOptions): Promise<unknown> {
  const own = endpoint.startsWith(`${client.baseUrl}/`) ? endpoint.slice(client.baseUrl.length) : endpoint;
  // The address of the API stands before it: with anything else the token would go elsewhere.
  if (!/^\/(?!\/)/.test(own)) throw new TypeError(`${endpoint} must begin with one slash, as /api/me does`);
  const method = (options.method ?? "GET").toUpperCase();
  const [path = "", inPath = ""] = own.split("?", 2);
  const query = new URLSearchParams(inPath);
  for (const [name, value] of Object.entries(options.params ?? {})) {
    if (value !== null && value !== undefined) query.append(name, String(value));
  }
  const whole = method === "GET" && path === WHOLE_LIST && !query.has("limit") && !query.has("cursor");
  const { data: body, headers, signal } = options;
  const ask = async () => {
    const inUrl = query.toString();
    return (await client.send(method, inUrl ? `${path}?${inUrl}` : path, { body, headers, signal })).body;
  };

  const answer = await ask();
  if (!isEnvelope(answer)) return answer;
  let { data, metadata } = answer;
  while (whole && Array.isArray(data) && metadata?.next_cursor) {
    query.set("cursor", metadata.next_cursor);
    const next = await ask();
    if (!isEnvelope(next) || !Array.isArray(next.data)) break;
    data = [...(data as unknown[]), ...next.data];
    metadata = next.metadata;
  }
  return data;
}

interface Envelope {
  success: true;
  data: unknown;
  metadata?: { next_cursor: string | null };
}

function isEnvelope(answer: unknown): answer is Envelope {
  return typeof answer === "object" && answer !== null && "data" in answer && (answer as { success?: unknown }).success === true;
}

/** Adds `response` to an error of the API, for callers that read it as an error of axios. */
export function withResponse(thrown: unknown): AxiosLikeError {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const { status, code, details, requestId } = error as { status?: number; code?: string; details?: unknown; requestId?: string };
  if (status !== undefined && code !== undefined && !("response" in error)) {
    const data = { success: false, error: { code, message: error.message, details }, requestId };
    // Not enumerable, so that a logged error does not say everything twice.
    Object.defineProperty(error, "response", { value: { status, data }, enumerable: false });
  }
  return error as AxiosLikeError;
}
