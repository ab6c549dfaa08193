import { useConsigne } from "@consigne/react";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useCallback, useMemo } from "react";

/** A page of a list of the API. */
interface Page<Item> {
  items: Item[];
  nextCursor?: string | null | undefined;
}

interface Options<Item> {
  enabled?: boolean;
  /** Returns the milliseconds until the list is read again; 0, or no function: it is read once. */
  refetchInterval?(items: Item[] | undefined): number;
}

/** Reads a list page by page. Its pages are read again together, so nothing is missing between them. */
export function useMore<Item>(
  key: readonly unknown[],
  read: (cursor: string | undefined, signal: AbortSignal) => Promise<Page<Item>>,
  { enabled = true, refetchInterval }: Options<Item> = {},
) {
  const { queries, keys, ready } = useConsigne();
  const list = useInfiniteQuery(
    {
      queryKey: [...keys.all, ...key],
      queryFn: ({ pageParam, signal }) => read(pageParam, signal),
      initialPageParam: undefined as string | undefined,
      getNextPageParam: (page) => page.nextCursor ?? undefined,
      enabled: ready && enabled,
      refetchInterval: ({ state }) => refetchInterval?.(state.data?.pages.flatMap((page) => page.items)) || false,
    },
    queries,
  );
  const { fetchNextPage, refetch } = list;
  return {
    items: useMemo(() => list.data?.pages.flatMap((page) => page.items), [list.data]),
    error: list.error,
    loading: list.isPending && enabled,
    hasMore: list.hasNextPage,
    loadingMore: list.isFetchingNextPage,
    more: useCallback(() => void fetchNextPage({ cancelRefetch: false }), [fetchNextPage]),
    /** When it was read last; 0 before that. */
    at: list.dataUpdatedAt,
    again: useCallback(() => void refetch(), [refetch]),
  };
}
