import { ConsigneError } from "../errors.js";
import type { Send } from "../transport.js";
import { backoff, sleep } from "../wait.js";
import { isOffline, online } from "./online.js";
import { isPassing, put, refused } from "./put.js";

/** A grant of an upload in parts. */
export interface PartsGrant {
  fileId: string;
  s3Key: string;
  method: "MULTIPART";
  /** Bytes of every part but the last. */
  partSize: number;
  partCount: number;
}

/** A part that S3 has. */
export interface ArrivedPart {
  partNumber: number;
  size: number;
  etag: string;
}

interface SignedPart {
  partNumber: number;
  url: string;
  headers: Record<string, string>;
}

/** How the parts of a file are sent. */
export interface PartsRequest {
  send: Send;
  file: Blob;
  grant: PartsGrant;
  signal: AbortSignal;
  onProgress: (loaded: number) => void;
  onOffline: (offline: boolean) => void;
  stall: number;
  tries: number;
}

/** Parts of one file that are sent at a time. */
const AT_ONCE = 3;
/** URLs that are asked for at a time. */
const URLS = 16;
/** Times that a part's URL is signed anew, in case it has expired. */
const RENEWALS = 3;

/** Returns the address of an upload in parts. */
export function partsPath({ fileId }: { fileId: string }, rest = ""): string {
  return `/api/files/uploads/${encodeURIComponent(fileId)}${rest}`;
}

/** Asks which parts S3 has. */
export async function arrivedParts(send: Send, grant: PartsGrant, signal: AbortSignal): Promise<ArrivedPart[]> {
  const { body } = await send("GET", partsPath(grant, "/parts"), { signal });
  return (body as { parts: ArrivedPart[] }).parts;
}

/** Sends the parts that S3 does not have yet, then has them put together. */
export async function sendParts(request: PartsRequest): Promise<void> {
  const { send, file, grant, onProgress } = request;
  // One part that fails ends the others.
  const control = new AbortController();
  const end = () => control.abort(request.signal.reason);
  request.signal.addEventListener("abort", end);
  const signal = control.signal;
  try {
    const etags = new Map<number, string>();
    const sent = new Map<number, number>();
    for (const { partNumber, size, etag } of await arrivedParts(send, grant, request.signal)) {
      etags.set(partNumber, etag);
      sent.set(partNumber, size);
    }
    const progress = (partNumber: number, loaded: number) => {
      sent.set(partNumber, loaded);
      onProgress([...sent.values()].reduce((sum, bytes) => sum + bytes, 0));
    };
    const missing = Array.from({ length: grant.partCount }, (_, index) => index + 1).filter((part) => !etags.has(part));
    onProgress([...sent.values()].reduce((sum, bytes) => sum + bytes, 0));

    const urls = signedParts(send, grant, signal, missing);
    const left = [...missing];
    const worker = async () => {
      for (let part = left.shift(); part !== undefined; part = left.shift()) {
        const number = part;
        const body = file.slice((number - 1) * grant.partSize, number * grant.partSize);
        etags.set(number, await sendPart({ ...request, signal }, urls, number, body, (loaded) => progress(number, loaded)));
        progress(number, body.size);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));

    // A bucket that does not expose entity tags to pages: the API knows them.
    if ([...etags.values()].includes("")) for (const { partNumber, etag } of await arrivedParts(send, grant, signal)) etags.set(partNumber, etag);
    const parts = [...etags].sort(([one], [other]) => one - other).map(([partNumber, etag]) => ({ partNumber, etag }));
    await send("POST", partsPath(grant, "/complete"), { body: { parts }, signal });
  } finally {
    request.signal.removeEventListener("abort", end);
    control.abort();
  }
}

/** Sends one part. Returns its entity tag, or nothing if it cannot be read. */
async function sendPart(request: PartsRequest, urls: SignedParts, part: number, body: Blob, onProgress: (loaded: number) => void): Promise<string> {
  const { signal, stall, tries, onOffline } = request;
  let renewals = 0;
  for (let tried = 1; ; ) {
    if (isOffline()) {
      onOffline(true);
      await online(signal);
      onOffline(false);
    }
    let failure: ConsigneError;
    try {
      const { url, headers } = await urls.get(part);
      const answer = await put({ url, headers, body, signal, stall, onProgress });
      if (answer.status < 300) return answer.etag ?? "";
      if (answer.status === 403 && renewals < RENEWALS) {
        renewals += 1;
        urls.drop(part);
        continue;
      }
      failure = refused(answer);
      if (!isPassing(answer)) throw failure;
    } catch (error) {
      failure = error as ConsigneError;
      if (failure.code !== "NETWORK_ERROR") throw failure;
    }
    onProgress(0);
    if (isOffline()) continue;
    if (tried >= tries) throw failure;
    await sleep(backoff(tried), signal);
    tried += 1;
  }
}

interface SignedParts {
  get(part: number): Promise<SignedPart>;
  drop(part: number): void;
}

/** Keeps the signed URLs of parts, and asks for several at a time. */
function signedParts(send: Send, grant: PartsGrant, signal: AbortSignal, missing: number[]): SignedParts {
  const asked = new Map<number, Promise<SignedPart>>();
  const ask = (partNumbers: number[]) => {
    const answer = send("POST", partsPath(grant, "/parts"), { body: { partNumbers }, signal }).then(
      ({ body }) => (body as { parts: SignedPart[] }).parts,
    );
    for (const part of partNumbers) {
      const url = answer.then((parts) => {
        const found = parts.find(({ partNumber }) => partNumber === part);
        if (!found) throw new ConsigneError("UNEXPECTED_ANSWER", `the answer has no URL of part ${part}`, { details: { text: "" } });
        return found;
      });
      // Whoever waits for it hears of the failure; nobody may.
      url.catch(() => asked.delete(part));
      asked.set(part, url);
    }
  };
  return {
    get(part) {
      if (!asked.has(part)) ask(missing.filter((one) => one >= part && !asked.has(one)).slice(0, URLS));
      return asked.get(part) as Promise<SignedPart>;
    },
    drop: (part) => void asked.delete(part),
  };
}
