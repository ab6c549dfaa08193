import type { DayView, StorageUsage } from "@consigne/client";
import { useQuery } from "@tanstack/react-query";

import { useConsigne } from "./provider.js";

export interface UseUsageOptions {
  /** Id of an organisation. Its calls by day are asked for, too. */
  org?: string;
  /** First and last day as `2026-11-21`; the API's usual range when absent. */
  from?: string;
  to?: string;
}

/** What the caller uses. */
export interface Usage {
  /** Stored bytes and files of the caller, against their plan. */
  storage: StorageUsage | undefined;
  /** Stored and reserved bytes in percent of the plan, 0 until they are known. */
  percent: number;
  /** Bytes that can still be uploaded, undefined until they are known. */
  free: number | undefined;
  /** Calls of the organisation, a day each; empty without `org`. */
  days: DayView[];
  loading: boolean;
  error: Error | null;
  refresh(): Promise<void>;
}

/** Returns the caller's use of storage and, with `org`, the calls of an organisation by day. */
export function useUsage({ org, from, to }: UseUsageOptions = {}): Usage {
  const { client, queries, keys, ready } = useConsigne();
  const storage = useQuery({ queryKey: keys.usage, queryFn: ({ signal }) => client.files.usage({ signal }), enabled: ready }, queries);
  const days = useQuery(
    {
      queryKey: [...keys.stats(org ?? ""), from, to],
      queryFn: async ({ signal }) => (await client.credits.stats(org ?? "", { from, to }, { signal })).items,
      enabled: ready && org !== undefined,
    },
    queries,
  );
  const { limit = 0, totalSize = 0, reservedSize = 0, percent = 0 } = storage.data ?? {};
  return {
    storage: storage.data,
    percent,
    free: storage.data && Math.max(0, limit - totalSize - reservedSize),
    days: days.data ?? [],
    loading: storage.isPending || (org !== undefined && days.isPending),
    error: storage.error ?? days.error,
    async refresh() {
      await Promise.all([storage.refetch(), ...(org === undefined ? [] : [days.refetch()])]);
    },
  };
}
