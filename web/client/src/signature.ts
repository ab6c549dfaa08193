import { ConsigneError } from "./errors.js";

/** Headers of a request: of `fetch`, or of Node. */
export type RequestHeaders = Headers | Record<string, string | readonly string[] | undefined>;

/** A body, as it came: its bytes, or its text if nothing has parsed it. */
export type RequestBody = string | Uint8Array | ArrayBuffer;

const TEXT = new TextEncoder();

/** Seconds by which the sender's clock may differ from this one. */
export const TOLERANCE = 300;

/** Returns a header that came exactly once. */
export function single(headers: RequestHeaders, name: string): string | undefined {
  if (headers instanceof Headers) return headers.get(name) ?? undefined;
  const found = Object.entries(headers).filter(([key]) => key.toLowerCase() === name);
  const [value] = found.flatMap(([, values]) => values ?? []);
  return found.length === 1 && (typeof found[0]?.[1] === "string" || found[0]?.[1]?.length === 1) ? value : undefined;
}

/** Returns the bytes of a body or a text. */
export function bytesOf(body: RequestBody): Uint8Array<ArrayBuffer> {
  return typeof body === "string" ? TEXT.encode(body) : new Uint8Array(body);
}

/** Reads base64. Returns undefined for anything else. */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  } catch {
    return undefined;
  }
}

/** Whether one of the signatures was made over the bytes with one of the secrets. WebCrypto compares in constant time. */
export async function isSigned(
  secrets: Uint8Array<ArrayBuffer>[],
  signatures: Uint8Array<ArrayBuffer>[],
  signed: Uint8Array<ArrayBuffer>,
): Promise<boolean> {
  const verified: boolean[] = [];
  for (const secret of secrets) {
    const key = await crypto.subtle.importKey("raw", secret, { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
    for (const signature of signatures) verified.push(await crypto.subtle.verify("HMAC", key, signature, signed));
  }
  return verified.includes(true);
}

/** Whether a time in seconds since 1970 is close enough to now. */
export function isRecent(timestamp: string, now: number): boolean {
  return /^\d{1,12}$/.test(timestamp) && Math.abs(now / 1000 - Number(timestamp)) <= TOLERANCE;
}

/** Returns the one error for everything that is wrong with a signature. */
export function invalid(message: string): ConsigneError<"INVALID_SIGNATURE"> {
  return new ConsigneError("INVALID_SIGNATURE", message, { status: 401 });
}
