import { aborted } from "./errors.js";

/** Resolves after some milliseconds. Rejects with `ABORTED` once the signal aborts. */
export function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return unlessAborted(signal, (settle) => {
    const timer = setTimeout(settle, milliseconds);
    return () => clearTimeout(timer);
  });
}

/** Waits for a promise, but no longer than until the signal aborts. */
export async function race<Value>(promise: Promise<Value>, signal?: AbortSignal): Promise<Value> {
  let value: Value | undefined;
  let error: unknown;
  let failed = false;
  await unlessAborted(signal, (settle) => {
    promise
      .then(
        (result) => {
          value = result;
        },
        (reason) => {
          failed = true;
          error = reason;
        },
      )
      .then(settle);
  });
  if (failed) throw error;
  return value as Value;
}

/** Calls `begin` with what ends the wait. What it returns is called when the wait has ended. */
export function unlessAborted(signal: AbortSignal | undefined, begin: (settle: () => void) => (() => void) | void): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(aborted(signal));
    let stop: (() => void) | void;
    const end = (settle: () => void) => {
      signal?.removeEventListener("abort", onAbort);
      stop?.();
      settle();
    };
    const onAbort = () => end(() => reject(aborted(signal)));
    signal?.addEventListener("abort", onAbort);
    stop = begin(() => end(resolve));
  });
}

/** Milliseconds before try number `tries + 1`: they double from 300 to 8,000, and differ by up to a half. */
export function backoff(tries: number): number {
  return Math.min(8_000, 300 * 2 ** (tries - 1)) * (0.5 + Math.random() / 2);
}
