import { aborted, ConsigneError } from "../errors.js";

/** What S3 answered. */
export interface PutAnswer {
  status: number;
  /** The object's entity tag; null if the bucket's CORS rule does not expose it. */
  etag: string | null;
  text: string;
}

/** One PUT request to a signed URL. */
export interface PutRequest {
  url: string;
  headers: Record<string, string>;
  body: Blob;
  signal: AbortSignal;
  /** Called with the bytes that have left so far. */
  onProgress: (loaded: number) => void;
  /** Milliseconds without a byte after which the request is given up. */
  stall: number;
}

/**
 * Sends a body to a signed URL: with XMLHttpRequest where there is one, because `fetch` tells no progress.
 *
 * Rejects with `ABORTED` if the signal aborts, and with `NETWORK_ERROR` for everything else that ends without an answer.
 */
export function put(request: PutRequest): Promise<PutAnswer> {
  if (request.signal.aborted) return Promise.reject(aborted(request.signal));
  return typeof XMLHttpRequest === "undefined" ? putByFetch(request) : putByXhr(request);
}

function putByXhr({ url, headers, body, signal, onProgress, stall }: PutRequest): Promise<PutAnswer> {
  return new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest();
    let timer: ReturnType<typeof setTimeout>;
    const end = (settle: () => void) => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      settle();
    };
    const fail = (message: string) => end(() => reject(new ConsigneError("NETWORK_ERROR", message)));
    const onAbort = () => {
      end(() => reject(aborted(signal)));
      xhr.abort();
    };
    const watch = () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        fail(`no byte was sent for ${stall / 1000} seconds`);
        xhr.abort();
      }, stall);
    };

    xhr.open("PUT", url);
    for (const [name, value] of Object.entries(headers)) xhr.setRequestHeader(name, value);
    xhr.upload.onprogress = ({ loaded }) => {
      watch();
      onProgress(loaded);
    };
    xhr.onload = () => end(() => resolve({ status: xhr.status, etag: xhr.getResponseHeader("etag"), text: xhr.responseText }));
    xhr.onerror = () => fail("the network failed during an upload");
    // Browsers abort requests of a page that is left or put to sleep. That is no wish of the caller.
    xhr.onabort = () => fail("the browser ended an upload");
    signal.addEventListener("abort", onAbort);
    watch();
    xhr.send(body);
  });
}

async function putByFetch({ url, headers, body, signal, onProgress }: PutRequest): Promise<PutAnswer> {
  try {
    const answer = await fetch(url, { method: "PUT", headers, body, signal });
    const text = await answer.text();
    onProgress(body.size);
    return { status: answer.status, etag: answer.headers.get("etag"), text };
  } catch (cause) {
    throw signal.aborted ? aborted(signal) : new ConsigneError("NETWORK_ERROR", "the network failed during an upload", { cause });
  }
}

/** Returns S3's own code of an error, such as `AccessDenied`. */
export function reasonOf({ text }: PutAnswer): string | undefined {
  return /<Code>(\w+)<\/Code>/.exec(text)?.[1];
}

/** Whether another try of the same request may succeed. */
export function isPassing(answer: PutAnswer): boolean {
  const { status } = answer;
  return status >= 500 || status === 408 || status === 409 || status === 429 || reasonOf(answer) === "RequestTimeout";
}

/** Returns the error of an answer that no other try mends. */
export function refused(answer: PutAnswer): ConsigneError<"UPLOAD_REFUSED"> {
  const reason = reasonOf(answer);
  const message = `S3 refused the upload: ${reason ?? `HTTP ${answer.status}`}`;
  return new ConsigneError("UPLOAD_REFUSED", message, { status: answer.status, details: reason ? { reason } : {} });
}
