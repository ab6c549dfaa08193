import type { FileKind } from "@consigne/client";
import { useCallback, useEffect, useInsertionEffect, useRef, useState, useSyncExternalStore } from "react";
import { type Consigne, useConsigne } from "./provider.js";
import { startUpload } from "./start-upload.js";
import { type UploadItem, type UploadStatus, UploadStore } from "./uploads.js";
import { insertFile } from "./useFileList.js";

export type { UploadItem, UploadStatus } from "./uploads.js";

export interface UseUploadOptions {
  /** Kind of the files; from their types when absent. */
  kind?: FileKind;
  /** Short texts that are kept with the files, such as `{ title: "L'été" }`. */
  metadata?: Record<string, string>;
  /** Called once for each file that is ready. */
  onReady?(item: UploadItem): void;
  /** Called once for each file that failed. An upload that was aborted did not. */
  onError?(item: UploadItem): void;
}

/** Uploads, and what can be done with them. */
export interface UploadsState {
  /** In the order in which they were added. They change at most ten times a second. */
  items: UploadItem[];
  counts: Record<UploadStatus, number>;
  /** Whether an upload is on its way. */
  uploading: boolean;
  /** Progress of the uploads together, 0 to 100 by bytes. 100 means that all can be used. */
  progress: number;
  /** Begins to upload files. Returns their ids. */
  add(files: Iterable<File>): number[];
  /** Ends an upload and gives its bytes back. */
  abort(id: number): void;
  /** Uploads a file again that failed or was aborted. */
  retry(id: number): void;
  /** Takes an upload that has ended off the list. */
  remove(id: number): void;
  /** Takes all uploads that have ended off the list. */
  clear(): void;
}

/** Returns uploads that go on when the component leaves the page. */
export function useUpload(options: UseUploadOptions = {}): UploadsState {
  const store = useUploadStore(options, true);
  const items = useSyncExternalStore(store.subscribe, store.snapshot, store.snapshot);
  const counts: Record<UploadStatus, number> = { waiting: 0, sending: 0, checking: 0, ready: 0, failed: 0, aborted: 0 };
  for (const { status } of items) counts[status] += 1;
  return {
    items,
    counts,
    uploading: counts.waiting + counts.sending + counts.checking > 0,
    progress: store.progress,
    add: useCallback((files) => store.add(Array.from(files)).map(({ item }) => item.id), [store]),
    abort: useCallback((id) => store.abort(id), [store]),
    retry: useCallback((id) => store.retry(id), [store]),
    remove: useCallback((id) => store.remove(id), [store]),
    clear: useCallback(() => store.clear(), [store]),
  };
}

/** Returns the uploads of a component, new ones when another person has signed in. */
export function useUploadStore(options: UseUploadOptions, keeps: boolean): UploadStore {
  const consigne = useConsigne();
  const latest = useRef(options);
  useInsertionEffect(() => {
    latest.current = options;
  });

  const open = () => ({ client: consigne.client, store: newStore(consigne, latest, keeps) });
  const [kept, setKept] = useState(open);
  let own = kept;
  if (own.client !== consigne.client) {
    own = open();
    setKept(own);
  }
  // What one person began must not go on with the token of the next.
  const before = useRef(own.store);
  useEffect(() => {
    if (before.current !== own.store) before.current.abortAll();
    before.current = own.store;
  }, [own.store]);
  return own.store;
}

function newStore({ client, queries, keys }: Consigne, latest: { current: UseUploadOptions }, keeps: boolean): UploadStore {
  return new UploadStore(
    (file, onProgress) => {
      const { kind, metadata } = latest.current;
      return startUpload(client, file, { ...(kind && { kind }), ...(metadata && { metadata }) }, onProgress);
    },
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
