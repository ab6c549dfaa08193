import type { FileKind } from "@consigne/client";
import type { UploadState, UploadStatus } from "@consigne/client/upload";
import { useCallback, useInsertionEffect, useRef, useState, useSyncExternalStore } from "react";

import { type Consigne, useConsigne } from "./provider.js";
import { HookUploads, isRunning } from "./uploads.js";
import { insertFile } from "./useFileList.js";

export type { UploadState, UploadStatus } from "@consigne/client/upload";

export interface UseUploadOptions {
  /** Kind of the files; from their types when absent. */
  kind?: FileKind;
  /** Short texts that are kept with the files, such as `{ title: "L'été" }`. */
  metadata?: Record<string, string>;
  /** Called once for each file that is ready. */
  onReady?(item: UploadState): void;
  /** Called once for each file that failed. An upload that was aborted did not. */
  onError?(item: UploadState): void;
}

/** Uploads, and what can be done with them. */
export interface UploadsState {
  /** In the order in which they were added. Their progress changes at most ten times a second. */
  items: readonly UploadState[];
  counts: Record<UploadStatus, number>;
  /** Whether an upload is on its way. */
  uploading: boolean;
  /** Progress of the uploads together, 0 to 100 by bytes. 100 means that all can be used. */
  progress: number;
  /** Begins to upload files. Returns their ids. */
  add(files: Iterable<File>): string[];
  /** Ends an upload and gives its bytes back. */
  abort(id: string): void;
  /** Uploads a file again that failed or was aborted. */
  retry(id: string): void;
  /** Takes an upload that has ended off the list. */
  remove(id: string): void;
  /** Takes all uploads that have ended off the list. */
  clear(): void;
}

/** Returns uploads that go on when the component leaves the page. */
export function useUpload(options: UseUploadOptions = {}): UploadsState {
  const uploads = useHookUploads(options, true);
  const items = useSyncExternalStore(uploads.subscribe, uploads.snapshot, uploads.snapshot);
  const counts: Record<UploadStatus, number> = { waiting: 0, sending: 0, checking: 0, ready: 0, failed: 0, aborted: 0 };
  for (const { status } of items) counts[status] += 1;
  const { kind, metadata } = options;
  return {
    items,
    counts,
    uploading: items.some(isRunning),
    progress: uploads.progress,
    add: useCallback((files) => uploads.add(Array.from(files), { kind, metadata }).map(({ id }) => id), [uploads, kind, metadata]),
    abort: useCallback((id) => uploads.abort(id), [uploads]),
    retry: useCallback((id) => uploads.retry(id), [uploads]),
    remove: useCallback((id) => uploads.remove(id), [uploads]),
    clear: useCallback(() => uploads.clear(), [uploads]),
  };
}

/** Returns the uploads of a component, new ones when another person has signed in. */
export function useHookUploads(events: Pick<UseUploadOptions, "onReady" | "onError">, keeps: boolean): HookUploads {
  const consigne = useConsigne();
  const latest = useRef(events);
  useInsertionEffect(() => {
    latest.current = events;
  });

  const open = () => ({ queue: consigne.uploads, own: newUploads(consigne, latest, keeps) });
  const [kept, setKept] = useState(open);
  if (kept.queue === consigne.uploads) return kept.own;
  const opened = open();
  setKept(opened);
  return opened.own;
}

function newUploads({ uploads, queries, keys }: Consigne, latest: { current: Pick<UseUploadOptions, "onReady" | "onError"> }, keeps: boolean) {
  return new HookUploads(
    uploads,
    {
      onReady(item) {
        if (item.file) insertFile({ queries, keys }, item.file);
        latest.current.onReady?.(item);
      },
      onError: (item) => latest.current.onError?.(item),
    },
    keeps,
  );
}
