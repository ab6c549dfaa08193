import type { IssuedKey, IssueRequest, KeyUpdateRequest, KeyView } from "@consigne/client";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useCallback, useMemo } from "react";

import { useConsigne } from "./provider.js";

/** The API keys of an organisation. */
export interface Keys {
  /** Newest first, without their texts. */
  keys: KeyView[];
  loading: boolean;
  error: Error | null;
  hasMore: boolean;
  loadMore(): Promise<void>;
  refresh(): Promise<void>;
  /** Issues a key. Its text, `key`, is in this answer only, and kept nowhere. */
  issue(request: IssueRequest): Promise<IssuedKey>;
  /** Replaces a key's text. The old one is accepted for `graceSeconds` more. The new text is in this answer only. */
  rotate(id: string, graceSeconds?: number): Promise<IssuedKey>;
  update(id: string, change: KeyUpdateRequest): Promise<void>;
  revoke(id: string, reason: string): Promise<void>;
  remove(id: string): Promise<void>;
}

/** Returns the keys of an organisation, and what can be done with them. Without an organisation there are none. */
export function useKeys(org: string | null | undefined): Keys {
  const { client, queries, keys: at, ready } = useConsigne();
  const id = org ?? "";
  const list = useInfiniteQuery(
    {
      queryKey: at.keys(id),
      queryFn: ({ pageParam, signal }) => client.call("GET /api/orgs/{org}/keys", { path: { org: id }, query: { cursor: pageParam } }, { signal }),
      initialPageParam: undefined as string | undefined,
      getNextPageParam: (page) => page.nextCursor ?? undefined,
      enabled: ready && id !== "",
    },
    queries,
  );
  const keys = useMemo(() => list.data?.pages.flatMap((page) => page.items) ?? [], [list.data]);

  // Not mutations of the query client: those would keep the key's text in its cache.
  const then = useCallback(
    async <T>(work: Promise<T>): Promise<T> => {
      const done = await work;
      await queries.invalidateQueries({ queryKey: at.keys(id) });
      return done;
    },
    [queries, at, id],
  );
  const { fetchNextPage, refetch } = list;
  return {
    keys,
    loading: id !== "" && list.isPending,
    error: list.error,
    hasMore: list.hasNextPage,
    loadMore: useCallback(async () => void (await fetchNextPage()), [fetchNextPage]),
    refresh: useCallback(async () => void (await refetch()), [refetch]),
    issue: useCallback((request) => then(client.keys.issue(id, request)), [then, client, id]),
    rotate: useCallback(
      (key, graceSeconds) => then(client.keys.rotate(id, key, graceSeconds === undefined ? {} : { grace_seconds: graceSeconds })),
      [then, client, id],
    ),
    update: useCallback(async (key, change) => void (await then(client.keys.update(id, key, change))), [then, client, id]),
    revoke: useCallback(async (key, reason) => void (await then(client.keys.revoke(id, key, reason))), [then, client, id]),
    remove: useCallback(async (key) => void (await then(client.keys.delete(id, key))), [then, client, id]),
  };
}
