import type { FileMetadata } from "@consigne/client";

/** `checking` follows the last byte; only `ready` means that the file can be used. */
export type UploadStatus = "waiting" | "sending" | "checking" | "ready" | "failed" | "aborted";

/** A file on its way. */
export interface UploadItem {
  /** Unique among the uploads of one hook. */
  id: number;
  name: string;
  /** In bytes. */
  size: number;
  status: UploadStatus;
  /** 0 to 100. It never falls while the upload goes on, and is 100 only when the file is ready. */
  progress: number;
  /** Key of the file, once it is ready. */
  s3Key?: string;
  /** The file as the API knows it, once it is ready. */
  file?: FileMetadata;
  /** Why it failed. */
  error?: Error;
}

/** What the transport tells of an upload. */
export interface Progress {
  status: "waiting" | "sending" | "checking";
  percent: number;
}

/** An upload that has been begun. */
export interface Running {
  /** Resolves once the file is ready. Rejects if it failed or was aborted. */
  done: Promise<FileMetadata>;
  abort(): void;
}

/** Begins an upload. */
export type Start = (file: File, onProgress: (progress: Progress) => void) => Running;

/** What the owner of a store wants to know. */
export interface UploadEvents {
  onReady(item: UploadItem): void;
  onError(item: UploadItem): void;
}

/** Milliseconds between two changes that are shown: at most ten a second. */
const PAUSE = 100;

interface Kept {
  item: UploadItem;
  source: File;
  running: Running;
  /** Uploads that were added while others ran belong together: `progress` is that of the last such batch. */
  batch: number;
}

/** The uploads of one hook. They go on when its component leaves the page. */
export class UploadStore {
  readonly #start: Start;
  readonly #events: UploadEvents;
  /** Whether uploads that have ended stay listed until they are removed. */
  readonly #keeps: boolean;
  #kept: Kept[] = [];
  #shown: UploadItem[] = [];
  #listeners = new Set<() => void>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stale = false;
  #count = 0;
  #batch = 0;

  constructor(start: Start, events: UploadEvents, keeps: boolean) {
    this.#start = start;
    this.#events = events;
    this.#keeps = keeps;
  }

  /** Begins uploads. Returns each with the promise of its file. */
  add(files: File[]): { item: UploadItem; done: Promise<FileMetadata> }[] {
    if (files.length === 0) return [];
    if (!this.#kept.some(({ item }) => isRunning(item))) {
      this.#batch += 1;
      if (!this.#keeps) this.#kept = [];
    }
    const added = files.map((source) => {
      this.#count += 1;
      const item: UploadItem = { id: this.#count, name: source.name, size: source.size, status: "waiting", progress: 0 };
      return this.#begin(source, item);
    });
    this.#acted();
    return added.map(({ item, running }) => ({ item, done: running.done }));
  }

  abort(id: number): void {
    for (const { item, running } of this.#kept) if (item.id === id && isRunning(item)) running.abort();
  }

  abortAll(): void {
    for (const { item } of this.#kept) this.abort(item.id);
  }

  /** Uploads a file again that failed or was aborted. */
  retry(id: number): void {
    const index = this.#kept.findIndex(({ item }) => item.id === id);
    const kept = this.#kept[index];
    if (!kept || (kept.item.status !== "failed" && kept.item.status !== "aborted")) return;
    if (!this.#kept.some(({ item }) => isRunning(item))) this.#batch += 1;
    const { name, size } = kept.item;
    this.#kept.splice(index, 1);
    const again = this.#begin(kept.source, { id, name, size, status: "waiting", progress: 0 });
    this.#kept.splice(this.#kept.indexOf(again), 1);
    this.#kept.splice(index, 0, again);
    this.#acted();
  }

  /** Takes an upload that has ended off the list. */
  remove(id: number): void {
    this.#kept = this.#kept.filter(({ item }) => item.id !== id || isRunning(item));
    this.#acted();
  }

  /** Takes all uploads that have ended off the list. */
  clear(): void {
    this.#kept = this.#kept.filter(({ item }) => isRunning(item));
    this.#acted();
  }

  /** Progress of the last batch, 0 to 100 by bytes. Uploads that failed do not count. */
  get progress(): number {
    const batch = this.#kept.filter(({ item, batch }) => batch === this.#batch && item.status !== "failed" && item.status !== "aborted");
    const total = batch.reduce((sum, { item }) => sum + item.size, 0);
    if (batch.length > 0 && batch.every(({ item }) => item.status === "ready")) return 100;
    return total === 0 ? 0 : Math.min(99, Math.floor(batch.reduce((sum, { item }) => sum + item.size * item.progress, 0) / total));
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** The uploads in the order in which they were added. The same array until something changes. */
  snapshot = (): UploadItem[] => this.#shown;

  #begin(source: File, item: UploadItem): Kept {
    let kept: Kept | undefined;
    const set = (change: Partial<UploadItem>) => {
      if (!kept) return;
      kept.item = { ...kept.item, ...change };
      this.#changed();
    };
    const running = this.#start(source, ({ status, percent }) => {
      if (kept && isRunning(kept.item)) set({ status, progress: Math.min(99, Math.max(kept.item.progress, Math.floor(percent))) });
    });
    kept = { item, source, running, batch: this.#batch };
    const begun = kept;
    this.#kept.push(begun);
    running.done.then(
      (file) => {
        set({ status: "ready", progress: 100, s3Key: file.key, file });
        this.#events.onReady(begun.item);
      },
      (error: Error) => {
        const aborted = (error as { code?: string }).code === "ABORTED" || error.name === "AbortError";
        set(aborted ? { status: "aborted" } : { status: "failed", error });
        if (!aborted) this.#events.onError(begun.item);
      },
    );
    return begun;
  }

  /** Shows what the user did, at once. */
  #acted(): void {
    clearTimeout(this.#timer);
    this.#show();
  }

  /** Shows a change: at once, or after the pause if another was shown just now. */
  #changed(): void {
    this.#stale = true;
    if (this.#timer === undefined) this.#show();
  }

  #show(): void {
    this.#stale = false;
    this.#shown = this.#kept.map(({ item }) => item);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#stale) this.#show();
    }, PAUSE);
    for (const listener of this.#listeners) listener();
  }
}

function isRunning({ status }: UploadItem): boolean {
  return status === "waiting" || status === "sending" || status === "checking";
}
