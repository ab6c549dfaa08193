import type { FileKind, FileView } from "@consigne/client";
import { useCallback, useSyncExternalStore } from "react";

import { useConsigne } from "./provider.js";
import { isRunning } from "./uploads.js";
import { useFileList } from "./useFileList.js";
import { useHookUploads } from "./useUpload.js";

export interface UseS3FilesOptions {
  /** Only files of this kind: `image`, `video`, `book`, `blog`, `document` or `audio`. Uploads are of this kind, too. */
  contentType?: FileKind | (string & {});
  /** Whether the list is read again when the page gets the focus; true when absent. Own changes show in any case. */
  autoRefresh?: boolean;
}

/** The caller's files. */
export interface S3Files {
  /** Files that are ready, newest first: those that are loaded. */
  files: FileView[];
  /** How many there are, those that are not loaded included. */
  total: number;
  /** Whether the first files are on their way. */
  loading: boolean;
  /** Why the list could not be read. */
  error: Error | null;
  hasMore: boolean;
  loadingMore: boolean;
  loadMore(): Promise<void>;
  refresh(): Promise<void>;
  /** Whether an upload of this hook is on its way. */
  uploading: boolean;
  /** Progress of this hook's uploads together, 0 to 100. 100 means that all can be used. */
  uploadProgress: number;
  /** Why the last upload failed; null once the next begins. */
  uploadError: Error | null;
  /** Uploads a file. Resolves once it is ready, with its key. Without a file nothing happens. */
  uploadFile(file: File): Promise<{ s3Key: string }>;
  uploadFile(file: File | null | undefined): Promise<{ s3Key: string } | undefined>;
  deleteFile(key: string): Promise<void>;
  /** Gives a file another name. Its key stays. */
  renameFile(key: string, filename: string): Promise<void>;
  /** Saves a file, under another name if one is given. */
  downloadFile(key: string, name?: string): Promise<void>;
  /** Shows a file in a new tab. */
  openFile(key: string): Promise<void>;
  /** Returns a URL that shows a file. It stays the same until shortly before it ends. */
  getDownloadUrl(key: string): Promise<string>;
}

/** Returns the caller's files, and what can be done with them. */
export function useS3Files({ contentType, autoRefresh = true }: UseS3FilesOptions = {}): S3Files {
  const { client, tickets } = useConsigne();
  const list = useFileList(contentType, autoRefresh);
  const uploads = useHookUploads({}, false);
  const items = useSyncExternalStore(uploads.subscribe, uploads.snapshot, uploads.snapshot);
  const { forget, replace } = list;

  const uploadFile = useCallback(
    (file: File | null | undefined): Promise<{ s3Key: string }> => {
      const [upload] = file ? uploads.add([file], { kind: contentType as FileKind | undefined }) : [];
      if (!upload) return Promise.resolve(undefined as unknown as { s3Key: string });
      const ready = upload.done.then(({ key }) => ({ s3Key: key }));
      // Callers that do not wait are not told by an unhandled rejection; `uploadError` has it.
      ready.catch(() => {});
      return ready;
    },
    [uploads, contentType],
  );
  const deleteFile = useCallback(
    async (key: string) => {
      await client.files.delete(key);
      tickets.drop(key);
      forget(key);
    },
    [client, tickets, forget],
  );
  const renameFile = useCallback(
    async (key: string, filename: string) => {
      replace(await client.files.update(key, { filename }));
    },
    [client, replace],
  );
  const getDownloadUrl = useCallback(async (key: string) => (await tickets.get(key)).url, [tickets]);
  const downloadFile = useCallback(
    async (key: string, name?: string) => {
      const link = document.createElement("a");
      link.href = await client.files.url(key, { disposition: "attachment", filename: name });
      link.rel = "noreferrer";
      // S3 answers with an attachment, so the page stays.
      link.click();
    },
    [client],
  );
  const openFile = useCallback(
    async (key: string) => {
      const kept = tickets.peek(key);
      if (kept) {
        window.open(kept.url, "_blank", "noreferrer");
        return;
      }
      // Opened before the URL is there: browsers block a tab that no click opened.
      const tab = window.open("", "_blank");
      try {
        const { url } = await tickets.get(key);
        if (!tab) return;
        tab.opener = null;
        tab.location.replace(url);
      } catch (error) {
        tab?.close();
        throw error;
      }
    },
    [tickets],
  );

  const { files, total, loading, error, hasMore, loadingMore, loadMore, refresh } = list;
  return {
    ...{ files, total, loading, error, hasMore, loadingMore, loadMore, refresh },
    uploading: items.some(isRunning),
    uploadProgress: uploads.progress,
    uploadError: items.findLast(({ error }) => error)?.error ?? null,
    uploadFile: uploadFile as S3Files["uploadFile"],
    ...{ deleteFile, renameFile, downloadFile, openFile, getDownloadUrl },
  };
}
