import { useCallback, useRef, useState } from "react";

import { useConsigne } from "./provider.js";
import { type AxiosLikeError, type RequestOptions, secureRequest, withResponse } from "./secure.js";

/** Requests to any route of the API. */
export interface SecureAPI {
  /**
   * Sends a request. Resolves to the answer's `data`, or to the whole answer of a route without an envelope. The list at
   * `/api/secure/files/list` resolves to all of its pages together, unless `limit` or `cursor` is given.
   *
   * Rejects with a `ConsigneError`, which also has `response.data.error.message`, as the errors of axios do.
   */
  // biome-ignore lint/suspicious/noExplicitAny: callers without a type of their own read fields as they did with axios.
  request<T = any>(endpoint: string, options?: RequestOptions): Promise<T>;
  /** Whether a request of this hook is on its way. */
  loading: boolean;
  /** The message of the last request's error; null once the next one begins. */
  error: string | null;
  /** Whether somebody is signed in, so that requests have a token. */
  isReady: boolean;
}

/** Returns a function for requests to the API. It stays the same between renders. */
export function useSecureAPI(): SecureAPI {
  const { client, ready } = useConsigne();
  const [running, setRunning] = useState(0);
  const [error, setError] = useState<string | null>(null);
  // Only the last request decides what `error` says.
  const last = useRef(0);

  const request = useCallback(
    // biome-ignore lint/suspicious/noExplicitAny: as above.
    async <T = any>(endpoint: string, options: RequestOptions = {}): Promise<T> => {
      last.current += 1;
      const own = last.current;
      setRunning((count) => count + 1);
      setError(null);
      try {
        return (await secureRequest(client, endpoint, options)) as T;
      } catch (thrown) {
        const failure: AxiosLikeError = withResponse(thrown);
        if (own === last.current) setError(failure.message);
        throw failure;
      } finally {
        setRunning((count) => count - 1);
      }
    },
    [client],
  );

  return { request, loading: running > 0, error, isReady: ready };
}
