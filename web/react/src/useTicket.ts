import { useCallback, useEffect, useRef, useState } from "react";

import { useConsigne } from "./provider.js";

/** The URL of a file, while it is asked for and when there is none. */
export interface ShownTicket {
  /** Undefined until the API has answered. */
  url: string | undefined;
  error: Error | undefined;
  /**
   * Asks for a new URL once, because the last one did not work. Returns whether it asks: a second failure means that
   * another URL would not help.
   */
  renew(): boolean;
}

interface State {
  /** The file that the URL or the error is of. */
  s3Key?: string;
  url?: string;
  error?: Error;
}

/** Returns a URL that reads a file; without a key, none. The URL stays the same while the component is on the page. */
export function useTicket(s3Key: string | undefined): ShownTicket {
  const { tickets, ready } = useConsigne();
  const [state, setState] = useState(() => kept(s3Key));
  const [round, setRound] = useState(0);
  const renewed = useRef<string>(undefined);

  function kept(key: string | undefined): State {
    const ticket = key === undefined ? undefined : tickets.peek(key);
    return key !== undefined && ticket ? { s3Key: key, url: ticket.url } : {};
  }

  // biome-ignore lint/correctness/useExhaustiveDependencies: a new round asks again.
  useEffect(() => {
    if (s3Key === undefined || !ready) return;
    let gone = false;
    tickets.get(s3Key).then(
      ({ url }) => !gone && setState((now) => (now.s3Key === s3Key && now.url === url ? now : { s3Key, url })),
      (error: Error) => !gone && setState({ s3Key, error }),
    );
    return () => {
      gone = true;
    };
  }, [tickets, s3Key, ready, round]);

  const renew = useCallback(() => {
    if (s3Key === undefined || renewed.current === s3Key) return false;
    renewed.current = s3Key;
    tickets.drop(s3Key);
    setRound((last) => last + 1);
    return true;
  }, [tickets, s3Key]);

  const current = state.s3Key === s3Key ? state : kept(s3Key);
  return { url: current.url, error: current.error, renew };
}
