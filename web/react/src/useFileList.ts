import type { FileKind, FileList, FileMetadata, FileView } from "@consigne/client";
import { type InfiniteData, useInfiniteQuery } from "@tanstack/react-query";
import { useCallback, useMemo } from "react";

import { type Consigne, useConsigne } from "./provider.js";

/** The files that are loaded, and the changes that the caller makes to them. */
export interface FileListState {
  files: FileView[];
  total: number;
  loading: boolean;
  error: Error | null;
  hasMore: boolean;
  loadingMore: boolean;
  loadMore(): Promise<void>;
  refresh(): Promise<void>;
  /** Takes a deleted file out of every list. */
  forget(key: string): void;
  /** Shows a file as it is now in every list that has it. */
  replace(file: FileMetadata): void;
}

type Cache = Pick<Consigne, "queries" | "keys">;
type Pages = InfiniteData<FileList, string | undefined>;

/** Reads the caller's files page by page. Lists of the same kind share what they have read. */
export function useFileList(kind: string | undefined, autoRefresh: boolean): FileListState {
  const { client, queries, keys, ready } = useConsigne();
  const list = useInfiniteQuery(
    {
      queryKey: keys.filesOf(kind),
      queryFn: ({ pageParam, signal }) =>
        client.call("GET /api/files/list", { query: { contentType: kind as FileKind, cursor: pageParam } }, { signal }),
      initialPageParam: undefined as string | undefined,
      getNextPageParam: (page) => page.nextCursor ?? undefined,
      enabled: ready,
      refetchOnWindowFocus: autoRefresh,
      refetchOnReconnect: autoRefresh,
    },
    queries,
  );
  const { data, fetchNextPage, refetch } = list;
  // A file that was uploaded between two pages stands on both.
  const files = useMemo(() => [...new Map(data?.pages.flatMap((page) => page.files).map((file) => [file.key, file])).values()], [data]);

  return {
    files,
    total: Math.max(data?.pages.at(-1)?.total ?? 0, files.length),
    loading: list.isPending,
    error: list.error,
    hasMore: list.hasNextPage,
    loadingMore: list.isFetchingNextPage,
    // Never beside another read: both would start from the same cursor.
    loadMore: useCallback(async () => void (await fetchNextPage({ cancelRefetch: false })), [fetchNextPage]),
    refresh: useCallback(async () => void (await refetch()), [refetch]),
    forget: useCallback((key) => forgetFile({ queries, keys }, key), [queries, keys]),
    replace: useCallback((file) => replaceFile({ queries, keys }, file), [queries, keys]),
  };
}

/** Shows a new file on top of every list that it belongs to. */
export function insertFile({ queries, keys }: Cache, file: FileView): void {
  for (const kind of [undefined, file.kind]) {
    queries.setQueryData<Pages>(keys.filesOf(kind), (list) => {
      const [first, ...rest] = list?.pages ?? [];
      if (!list || !first || list.pages.some((page) => page.files.some(({ key }) => key === file.key))) return list;
      const pages = [{ ...first, files: [file, ...first.files] }, ...rest];
      return { ...list, pages: pages.map((page) => ({ ...page, total: page.total + 1 })) };
    });
  }
  void queries.invalidateQueries({ queryKey: keys.usage });
}

function forgetFile({ queries, keys }: Cache, gone: string): void {
  queries.setQueriesData<Pages>({ queryKey: keys.files }, (list) => {
    if (!list?.pages.some((page) => page.files.some(({ key }) => key === gone))) return list;
    const pages = list.pages.map((page) => ({ ...page, files: page.files.filter(({ key }) => key !== gone), total: page.total - 1 }));
    return { ...list, pages };
  });
  void queries.invalidateQueries({ queryKey: keys.usage });
}

function replaceFile({ queries, keys }: Cache, file: FileMetadata): void {
  queries.setQueriesData<Pages>({ queryKey: keys.files }, (list) => {
    if (!list) return list;
    const pages = list.pages.map((page) => ({
      ...page,
      files: page.files.map((one) => (one.key === file.key ? { ...one, ...file } : one)),
    }));
    return { ...list, pages };
  });
}
