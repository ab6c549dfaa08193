import { type Refusal, refusalOf } from "../why/verdict.ts";

/** A call of a service through the gateway, as a person has typed it. */
export interface Draft {
  service: string;
  method: string;
  /** Path at the service, with its query. */
  path: string;
  key: string;
  body: string;
}

/** What came back. */
export interface Outcome {
  status: number;
  milliseconds: number;
  requestId: string | null;
  /** Credits that the key's wallet has left; null if the gateway did not say. */
  remaining: number | null;
  /** When the call can be tried again, in seconds; null if the answer did not say. */
  retryAfter: number | null;
  text: string;
  /** What refused the call before it reached the service; undefined if nothing did. */
  refusal: Refusal | undefined;
}

export const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"];
/** Characters of an answer that are shown. */
export const SHOWN_MAX = 20_000;

const hasBody = ({ method, body }: Draft) => method !== "GET" && body !== "";

/** Returns the scope that the gateway asks for: GET and HEAD read, all others write. */
export const scopeOf = ({ service, method }: Draft): string => `${service}:${method === "GET" || method === "HEAD" ? "read" : "write"}`;

/** Returns the address of a call. */
export function addressOf(apiUrl: string, { service, path }: Draft): string {
  return `${apiUrl}/api/v1/${encodeURIComponent(service)}/${path.replace(/^\/+/, "")}`;
}

/** Writes the call for a terminal. The key is a variable there, so that it gets into no history. */
export function curlOf(apiUrl: string, draft: Draft): string {
  const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
  const parts = [`curl --request ${draft.method} ${quoted(addressOf(apiUrl, draft))}`, '--header "X-API-Key: $CONSIGNE_API_KEY"'];
  if (hasBody(draft)) parts.push("--header 'Content-Type: application/json'", `--data ${quoted(draft.body)}`);
  return parts.join(" \\\n  ");
}

/** Sends the call with its key, and nothing else of the person who is signed in. Rejects if there is no answer. */
export async function send(apiUrl: string, draft: Draft): Promise<Outcome> {
  const began = performance.now();
  const answer = await fetch(addressOf(apiUrl, draft), {
    method: draft.method,
    headers: { "x-api-key": draft.key, ...(hasBody(draft) && { "content-type": "application/json" }) },
    credentials: "omit",
    ...(hasBody(draft) && { body: draft.body }),
  });
  const text = await answer.text();
  const number = (name: string) => {
    const value = answer.headers.get(name);
    return value !== null && /^-?\d+$/.test(value) ? Number(value) : null;
  };
  return {
    status: answer.status,
    milliseconds: Math.round(performance.now() - began),
    requestId: answer.headers.get("x-request-id"),
    remaining: number("x-credits-remaining"),
    retryAfter: number("retry-after"),
    text: pretty(text).slice(0, SHOWN_MAX),
    refusal: answer.ok ? undefined : refusalOf(text),
  };
}

/** Indents JSON. Anything else stays as it is. */
function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
