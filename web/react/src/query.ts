import { QueryClient } from "@tanstack/react-query";

/** Where the answers of one session are kept in the query client. */
export type QueryKeys = ReturnType<typeof keysOf>;

/** Returns the keys of a session: what one person read is never found by the next. */
export function keysOf(session: number) {
  return {
    all: [session] as const,
    /** All lists of files. */
    files: [session, "files"] as const,
    filesOf: (kind: string | undefined) => [session, "files", kind ?? ""] as const,
    job: (id: string) => [session, "job", id] as const,
    usage: [session, "usage"] as const,
    stats: (org: string) => [session, "stats", org] as const,
    keys: (org: string) => [session, "keys", org] as const,
  };
}

/** Milliseconds for which an answer counts as fresh. */
const FRESH = 30_000;

/** Makes the query client of one provider. The client of @consigne/client retries by itself, so this one does not. */
export function newQueryClient(): QueryClient {
  return new QueryClient({ defaultOptions: { queries: { retry: false, staleTime: FRESH } } });
}
