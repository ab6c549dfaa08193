import type { OrgView } from "@consigne/client";
import type { Consigne } from "@consigne/react";

import { may } from "../roles.ts";
import { paceRange } from "./overview.ts";

/** Files that are shown as the last uploads. */
const LAST = 5;

/** What the first page reads, beside the keys: one request each. `org` is the id of an organisation. */
export function homeQueries({ client, keys }: Pick<Consigne, "client" | "keys">, org: string) {
  const { from, to } = paceRange();
  return {
    /** The last day that `days` has. */
    today: to,
    files: {
      // Below the use of storage, which is read again after each upload.
      queryKey: [...keys.usage, "last"],
      queryFn: ({ signal }: Signalled) => client.call("GET /api/files/list", { query: { limit: LAST } }, { signal }),
    },
    wallet: {
      queryKey: [...keys.all, "wallet", org],
      queryFn: ({ signal }: Signalled) => client.credits.wallet(org, { signal }),
    },
    days: {
      queryKey: [...keys.stats(org), from, to],
      queryFn: async ({ signal }: Signalled) => (await client.credits.stats(org, { from, to }, { signal })).items,
    },
    endpoints: {
      queryKey: [...keys.all, "endpoints", org],
      queryFn: ({ signal }: Signalled) => client.endpoints.list(org, {}, { signal }).all(),
    },
  };
}

interface Signalled {
  signal: AbortSignal;
}

/**
 * Begins to read what the first page shows while the session itself is still being read. `last` is the organisation of the same
 * person's last visit, with their role; whatever changed since is read again.
 */
export function warm(consigne: Consigne, last: Pick<OrgView, "id" | "role"> | undefined): void {
  const { client, queries, keys } = consigne;
  const { files, wallet, days, endpoints } = homeQueries(consigne, last?.id ?? "");
  void queries.prefetchQuery(files);
  if (!last) return;
  const { id: org, role } = last;
  void queries.prefetchQuery(wallet);
  void queries.prefetchQuery(days);
  if (may(role, "webhooks.see")) void queries.prefetchQuery(endpoints);
  if (!may(role, "keys.see")) return;
  void queries.prefetchInfiniteQuery({
    queryKey: keys.keys(org),
    queryFn: ({ signal }) => client.call("GET /api/orgs/{org}/keys", { path: { org } }, { signal }),
    initialPageParam: undefined,
    getNextPageParam: () => undefined,
  });
}
