/** Uploads with progress, for browsers and Node. */
import type { ConsigneClient } from "./client.js";
import type { FileMetadata } from "./gen/types.gen.js";
import { Task, type UploadOptions, type UploadState, type UploadStorage } from "./upload/task.js";

export type { UploadOptions, UploadState, UploadStatus, UploadStorage } from "./upload/task.js";

/** How a queue sends. */
export interface UploadsOptions {
  /** Files that are sent at a time, 4 when absent. */
  concurrency?: number;
  /** Keeps the ids of unfinished uploads in parts, so that they resume after a reload: `localStorage`, for example. */
  storage?: UploadStorage;
  /** Milliseconds without a byte after which a request is given up and repeated, 30,000 when absent. */
  stall?: number;
  /** Tries of each request that the network or S3 fails, 5 when absent. */
  tries?: number;
}

/** One upload. */
export interface Upload {
  readonly id: string;
  /** The upload as it is now. */
  readonly state: UploadState;
  /** Resolves once the file is ready, and rejects with a `ConsigneError`. After `retry` it is another promise. */
  readonly done: Promise<FileMetadata>;
  /** Ends it: `done` rejects with `ABORTED` at once. Resolves when the reserved bytes are given back. */
  abort(): Promise<void>;
  /** Puts an upload that has failed or was aborted into the queue again. */
  retry(): Promise<FileMetadata>;
}

/** A queue of uploads. */
export interface Uploads {
  /** Adds a file to the queue. */
  add(file: Blob & { name?: string }, options?: UploadOptions): Upload;
  /** All uploads in the order in which they were added. The array changes at most ten times a second. */
  snapshot(): readonly UploadState[];
  /** Calls a function after each change of the snapshot. Returns what ends that. */
  subscribe(listener: () => void): () => void;
  /** Finds an upload. */
  get(id: string): Upload | undefined;
  /** Takes an upload out of the snapshot. One that is on its way is aborted. */
  remove(id: string): void;
  /** Takes all uploads that have ended out of the snapshot. */
  clear(): void;
  /** Ends all uploads that are on their way. Resolves when their bytes are given back. */
  abortAll(): Promise<void>;
  /** Resolves with all states once no upload is on its way. */
  settled(): Promise<readonly UploadState[]>;
}

/** Milliseconds between two changes of the snapshot. */
const PACE = 100;

/** Makes a queue of uploads. */
export function createUploads(client: ConsigneClient, options: UploadsOptions = {}): Uploads {
  const { concurrency = 4, stall = 30_000, tries = 5 } = options;
  const uploads = new Map<string, { task: Task; upload: Upload }>();
  const waiting: Task[] = [];
  const listeners = new Set<() => void>();
  let sending = 0;
  let states: readonly UploadState[] = [];
  let toldAt = 0;
  let isDue = false;

  function tell(): void {
    isDue = false;
    toldAt = Date.now();
    states = tasks().map(({ state }) => state);
    for (const task of tasks()) {
      if (task.told === task.state) continue;
      task.told = task.state;
      task.options.onChange?.(task.state);
    }
    for (const listener of listeners) listener();
  }
  function changed(): void {
    if (!isDue) setTimeout(tell, Math.max(0, toldAt + PACE - Date.now()));
    isDue = true;
  }

  function tasks(): Task[] {
    return [...uploads.values()].map(({ task }) => task);
  }
  const checking = () => tasks().filter(({ state }) => state.status === "checking").length;
  const shared = { client, storage: options.storage, stall, tries, changed, checking };

  function pump(): void {
    while (sending < concurrency) {
      const task = waiting.shift();
      if (!task) return;
      sending += 1;
      void task.send().then(() => {
        sending -= 1;
        pump();
      });
    }
  }

  function enqueue(task: Task): void {
    waiting.push(task);
    // In the next turn, so that whoever adds and at once aborts has asked for nothing.
    queueMicrotask(pump);
  }

  return {
    add(file, how = {}) {
      const task = new Task(file, how, shared);
      const upload: Upload = {
        id: task.state.id,
        get state() {
          return task.state;
        },
        get done() {
          return task.done;
        },
        abort: () => task.abort(),
        retry() {
          if (task.state.status === "failed" || task.state.status === "aborted") {
            task.again();
            enqueue(task);
          }
          return task.done;
        },
      };
      uploads.set(upload.id, { task, upload });
      if (how.signal?.aborted) void task.abort();
      else enqueue(task);
      changed();
      return upload;
    },
    snapshot: () => states,
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    get: (id) => uploads.get(id)?.upload,
    remove(id) {
      uploads
        .get(id)
        ?.task.abort()
        .catch(() => {});
      uploads.delete(id);
      changed();
    },
    clear() {
      for (const { state, isOver } of tasks()) if (isOver) uploads.delete(state.id);
      changed();
    },
    async abortAll() {
      await Promise.all(tasks().map((task) => task.abort()));
    },
    async settled() {
      for (let open = tasks(); open.some((task) => !task.isOver); open = tasks()) {
        await Promise.allSettled(open.map(({ done }) => done));
      }
      return tasks().map(({ state }) => state);
    },
  };
}
