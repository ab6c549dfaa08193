import { type ConsigneClient, createClient } from "@consigne/client";
import type { Uploads } from "@consigne/client/upload";
import type { QueryClient } from "@tanstack/react-query";
import { createContext, type ReactNode, useContext, useEffect, useInsertionEffect, useMemo, useRef, useState } from "react";

import type { Locale } from "./locales/words.js";
import { keysOf, newQueryClient, type QueryKeys } from "./query.js";
import { ShownTickets } from "./tickets.js";
import { newQueue } from "./uploads.js";

/** Returns a session token, or null when nobody is signed in. `useAuth().getToken` of Clerk is one. */
export type GetToken = (options?: { skipCache?: boolean }) => Promise<string | null>;

interface Common {
  children: ReactNode;
  /** Whether somebody is signed in; true when absent. Until then nothing is asked for. */
  ready?: boolean | undefined;
  /** Who is signed in. When it changes, whatever was read for the person before is forgotten. */
  userId?: string | null | undefined;
  /** Language of the components; English when absent. */
  locale?: Locale | undefined;
  /** Seconds for which signed URLs are asked, 1 to 3600; the installation's own when absent. */
  ticketSeconds?: number | undefined;
}

/** A client of one's own, or what one is made of. */
export type ConsigneProviderProps = Common &
  (
    | { client: ConsigneClient; baseUrl?: never; getToken?: never }
    | {
        client?: never;
        /** Address of the API without a slash at the end, such as `https://api.example.com/prod`. */
        baseUrl: string;
        getToken: GetToken;
      }
  );

/** What the hooks share. */
export interface Consigne {
  client: ConsigneClient;
  queries: QueryClient;
  /** Keys of the present session in the query client. */
  keys: QueryKeys;
  tickets: ShownTickets;
  /** The queue of uploads, four of which are sent at a time. */
  uploads: Uploads;
  ready: boolean;
  locale: Locale;
}

interface Session extends Pick<Consigne, "client" | "keys" | "tickets" | "uploads"> {
  number: number;
  /** What it was made from. A new one is made when one of these changes. */
  from: unknown[];
}

const Context = createContext<Consigne | undefined>(undefined);

/** Gives the hooks and components below it their client and their cache. */
export function ConsigneProvider(props: ConsigneProviderProps) {
  const { client, baseUrl, getToken, ready = true, userId, locale = "en", ticketSeconds, children } = props;
  const latest = useRef(getToken);
  // Before the effects of the components below, which may ask for a token.
  useInsertionEffect(() => {
    latest.current = getToken;
  });

  const from = [client, baseUrl, userId, ticketSeconds];
  const open = (number: number): Session => {
    const made =
      client ?? createClient({ baseUrl: baseUrl ?? "", getToken: async ({ fresh }) => (await latest.current?.({ skipCache: fresh })) ?? null });
    return { number, from, client: made, keys: keysOf(number), tickets: new ShownTickets(made, ticketSeconds), uploads: newQueue(made) };
  };
  const [kept, setSession] = useState(() => open(1));
  let session = kept;
  if (from.some((value, index) => value !== kept.from[index])) {
    session = open(kept.number + 1);
    setSession(session);
  }

  // One for all sessions, because the hooks of @tanstack/react-query keep the first that they see.
  const [queries] = useState(newQueryClient);
  // It listens to the page's focus and connection while it is mounted.
  useEffect(() => {
    queries.mount();
    return () => queries.unmount();
  }, [queries]);
  const { keys, tickets, uploads } = session;
  const before = useRef(uploads);
  useEffect(() => {
    queries.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== keys.all[0] });
    // What one person began must not go on with the token of the next.
    if (before.current !== uploads) before.current.abortAll().catch(() => {});
    before.current = uploads;
  }, [queries, keys, uploads]);

  const value = useMemo(
    () => ({ client: session.client, queries, keys, tickets, uploads, ready, locale }),
    [session.client, queries, keys, tickets, uploads, ready, locale],
  );
  return <Context.Provider value={value}>{children}</Context.Provider>;
}

/** Returns what the provider gives. Throws an error without one. */
export function useConsigne(): Consigne {
  const consigne = useContext(Context);
  if (!consigne) throw new Error("hooks and components of @consigne/react need a <ConsigneProvider> around them");
  return consigne;
}
