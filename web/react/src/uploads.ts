import type { ConsigneClient, FileMetadata } from "@consigne/client";
import { createUploads, type Upload, type UploadOptions, type UploadState, type Uploads } from "@consigne/client/upload";

/** What a hook wants to know about its uploads. */
export interface UploadEvents {
  onReady(item: UploadState): void;
  onError(item: UploadState): void;
}

/** Makes the queue that the hooks of a session share. Uploads in parts resume after a reload where the page may store something. */
export function newQueue(client: ConsigneClient): Uploads {
  let storage: Storage | undefined;
  try {
    // A server has none, and a sandboxed frame throws.
    storage = globalThis.localStorage;
  } catch {}
  return createUploads(client, storage ? { storage } : {});
}

/** The uploads of one hook: those of the session's queue that it has added. They go on when its component leaves the page. */
export class HookUploads {
  readonly #queue: Uploads;
  readonly #events: UploadEvents;
  /** Whether uploads that have ended stay listed until they are removed. */
  readonly #keeps: boolean;
  /** Uploads that were added while others were on their way belong together: `progress` is that of the last such batch. */
  #own: { upload: Upload; batch: number }[] = [];
  #batch = 0;
  #items: readonly UploadState[] = [];
  readonly #listeners = new Set<() => void>();

  constructor(queue: Uploads, events: UploadEvents, keeps: boolean) {
    this.#queue = queue;
    this.#events = events;
    this.#keeps = keeps;
  }

  /** Begins uploads. */
  add(files: readonly File[], options: UploadOptions): Upload[] {
    if (files.length === 0) return [];
    this.#openBatch();
    const added = files.map((file) => this.#queue.add(file, options));
    for (const upload of added) {
      this.#own.push({ upload, batch: this.#batch });
      this.#follow(upload, upload.done);
    }
    this.#show();
    return added;
  }

  abort(id: string): void {
    this.#find(id)
      ?.upload.abort()
      // It has ended here. Bytes that could not be given back now are given back when their grant ends.
      .catch(() => {});
  }

  /** Uploads a file again that failed or was aborted. */
  retry(id: string): void {
    const own = this.#find(id);
    if (!own || !(own.upload.state.status === "failed" || own.upload.state.status === "aborted")) return;
    this.#openBatch();
    own.batch = this.#batch;
    this.#follow(own.upload, own.upload.retry());
    this.#show();
  }

  /** Takes an upload that has ended off the list. */
  remove(id: string): void {
    this.#removeEnded((upload) => upload.id === id);
  }

  /** Takes all uploads that have ended off the list. */
  clear(): void {
    this.#removeEnded(() => true);
  }

  /** Progress of the last batch, 0 to 100 by bytes. Uploads that failed or were aborted do not count. */
  get progress(): number {
    const batch = this.#own.filter((one) => one.batch === this.#batch).map(({ upload }) => upload.state);
    const counted = batch.filter(({ status }) => status !== "failed" && status !== "aborted");
    if (counted.length > 0 && counted.every(({ status }) => status === "ready")) return 100;
    const total = counted.reduce((sum, { size }) => sum + size, 0);
    return total === 0 ? 0 : Math.min(99, Math.floor(counted.reduce((sum, { size, progress }) => sum + size * progress, 0) / total));
  }

  subscribe = (listener: () => void): (() => void) => {
    if (this.#listeners.size === 0) this.#unsubscribe = this.#queue.subscribe(() => this.#show());
    this.#listeners.add(listener);
    this.#refresh();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.#unsubscribe();
    };
  };
  #unsubscribe = () => {};

  /** The uploads in the order in which they were added. The same array until one of them changes. */
  snapshot = (): readonly UploadState[] => this.#items;

  #find(id: string) {
    return this.#own.find(({ upload }) => upload.id === id);
  }

  /** Begins a new batch unless one is on its way. */
  #openBatch(): void {
    if (this.#own.some(({ upload }) => isRunning(upload.state))) return;
    this.#batch += 1;
    if (!this.#keeps) this.clear();
  }

  #follow(upload: Upload, done: Promise<FileMetadata>): void {
    done
      .then(
        () => this.#events.onReady(upload.state),
        () => {
          if (upload.state.status === "failed") this.#events.onError(upload.state);
        },
      )
      .finally(() => {
        // Nobody looks at it any more, so the queue need not keep its file.
        if (this.#listeners.size === 0) this.#queue.remove(upload.id);
      });
  }

  #removeEnded(chosen: (upload: Upload) => boolean): void {
    this.#own = this.#own.filter(({ upload }) => {
      if (isRunning(upload.state) || !chosen(upload)) return true;
      this.#queue.remove(upload.id);
      return false;
    });
    this.#show();
  }

  #refresh(): void {
    const items = this.#own.map(({ upload }) => upload.state);
    if (items.length !== this.#items.length || items.some((item, index) => item !== this.#items[index])) this.#items = items;
  }

  #show(): void {
    this.#refresh();
    for (const listener of this.#listeners) listener();
  }
}

/** Whether an upload has not ended. */
export function isRunning({ status }: Pick<UploadState, "status">): boolean {
  return status === "waiting" || status === "sending" || status === "checking";
}
