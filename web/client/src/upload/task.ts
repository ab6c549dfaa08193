import type { ConsigneClient } from "../client.js";
import { ConsigneError, isConsigneError, parsed } from "../errors.js";
import type { FileMetadata, UploadRequest } from "../gen/types.gen.js";
import { lifeOf } from "../tickets.js";
import { newId } from "../transport.js";
import { backoff, race, sleep } from "../wait.js";
import { isOffline, online } from "./online.js";
import { type PartsGrant, partsPath, sendParts } from "./parts.js";
import { isPassing, put, refused } from "./put.js";
import { mediaType, sha256 } from "./type.js";

/** Where an upload is. The first three are on their way, the last three are ends. */
export type UploadStatus = "waiting" | "sending" | "checking" | "ready" | "failed" | "aborted";

/** An upload as it is at one moment. A new object whenever something changes. */
export interface UploadState {
  readonly id: string;
  /** Name of the file, in NFC. */
  readonly name: string;
  readonly size: number;
  readonly status: UploadStatus;
  /** Bytes that have left. */
  readonly loaded: number;
  /** Whole per cent, which never fall. 100 means that the file can be used. */
  readonly progress: number;
  /** Whether it waits for a network. */
  readonly offline: boolean;
  /** Key of the file, once it is granted. */
  readonly s3Key: string | undefined;
  /** The file, once it is ready. */
  readonly file: FileMetadata | undefined;
  /** Why it failed or was aborted. */
  readonly error: ConsigneError | undefined;
}

/** How one file is uploaded. */
export interface UploadOptions {
  /** Name in place of the file's own. */
  filename?: string | undefined;
  /** Kind of the file; from its type when absent. */
  kind?: UploadRequest["kind"] | undefined;
  /** Texts that lists show, such as `{ title: "..." }`. */
  metadata?: Record<string, string> | undefined;
  /** Whether S3 compares the SHA-256 of a file up to 100 MB. Reads the whole file into memory. */
  sha256?: boolean | undefined;
  /** Aborts the upload, as `abort` does. */
  signal?: AbortSignal | undefined;
  /** Called after changes of this upload, at most ten times a second. */
  onChange?: ((state: UploadState) => void) | undefined;
}

/** Where the ids of unfinished uploads in parts are kept: `localStorage`, for example. */
export interface UploadStorage {
  getItem(name: string): string | null | undefined | Promise<string | null | undefined>;
  setItem(name: string, value: string): unknown;
  removeItem(name: string): unknown;
}

/** What all uploads of a queue share. */
export interface Shared {
  client: ConsigneClient;
  storage: UploadStorage | undefined;
  stall: number;
  tries: number;
  /** Called whenever a state has changed. */
  changed: () => void;
  /** How many uploads are being checked. */
  checking: () => number;
}

interface PutGrant {
  fileId: string;
  s3Key: string;
  method: "PUT";
  url: string;
  headers: Record<string, string>;
  expiresAt: string;
}

/** What an upload was granted. */
interface Granted {
  grant: PutGrant | PartsGrant;
  /** When the grant of a PUT ends, by this machine's clock. */
  ends: number;
  /** Whether it was begun before a reload of the page. */
  isResumed: boolean;
}

/** Most times that a grant is renewed, in case it has expired. */
const RENEWALS = 3;
/** Larger files are sent in parts. The API says so in its grant. */
const PARTS_ABOVE = 104_857_600;
/** Milliseconds after which a file that is still being checked counts as failed. */
const CHECK_MAX = 15 * 60_000;

/** One file on its way. */
export class Task {
  readonly file: Blob;
  readonly options: UploadOptions;
  state: UploadState;
  /** The state that listeners heard of last. */
  told: UploadState | undefined;
  done: Promise<FileMetadata>;
  readonly #shared: Shared;
  #settle: { resolve(file: FileMetadata): void; reject(error: ConsigneError): void };
  #control = new AbortController();
  #idempotencyKey = newId();
  #request: UploadRequest | undefined;
  #granted: Promise<Granted> | undefined;
  /** Whether all bytes have left once, so that S3 may have the file although no answer came. */
  #mayHaveArrived = false;

  constructor(file: Blob & { name?: string }, options: UploadOptions, shared: Shared) {
    this.file = file;
    this.options = options;
    this.#shared = shared;
    const name = (options.filename ?? file.name ?? "file").normalize("NFC");
    this.state = { id: newId(), name, size: file.size, ...FRESH };
    [this.done, this.#settle] = deferred();
    options.signal?.addEventListener("abort", () => void this.abort().catch(() => {}), { once: true });
  }

  /** Sends the bytes, and goes on to check them by itself. Never rejects. */
  async send(): Promise<void> {
    const signal = this.#control.signal;
    // Aborted before its turn.
    if (this.isOver) return;
    try {
      this.#set({ status: "sending" });
      await this.#deliver(signal);
      this.#set({ status: "checking", loaded: this.file.size, offline: false });
      void this.#check(signal);
    } catch (error) {
      this.#fail(error, signal, true);
    }
  }

  /** Whether it has ended. */
  get isOver(): boolean {
    return ["ready", "failed", "aborted"].includes(this.state.status);
  }

  /** Ends the upload. Resolves once its bytes are given back. */
  async abort(): Promise<void> {
    if (this.isOver) return;
    const { reason } = this.options.signal ?? {};
    this.#control.abort(reason);
    const error = new ConsigneError("ABORTED", "the upload was aborted", { cause: reason });
    this.#set({ status: "aborted", error });
    this.#settle.reject(error);
    await this.#giveBack();
  }

  /** Makes an upload that has failed or was aborted wait for another turn. */
  again(): void {
    this.#control = new AbortController();
    this.#idempotencyKey = newId();
    this.#granted = undefined;
    this.#mayHaveArrived = false;
    [this.done, this.#settle] = deferred();
    this.#set({ ...FRESH });
  }

  async #deliver(signal: AbortSignal): Promise<void> {
    let renewals = 0;
    for (let tried = 1; ; ) {
      await this.#online(signal);
      let failure: ConsigneError;
      try {
        const { grant, ends, isResumed } = await race(this.#grant(), signal);
        this.#set({ s3Key: grant.s3Key });
        // The page may have been left after the last request.
        if (isResumed) this.#mayHaveArrived = true;
        if (grant.method === "MULTIPART") return await this.#sendParts(grant, signal);
        if (Date.now() >= ends) throw new ConsigneError("CONFLICT", "the grant has expired");
        const { url, headers } = grant;
        const { stall } = this.#shared;
        const answer = await put({ url, headers, body: this.file, signal, stall, onProgress: (loaded) => this.#progress(loaded) });
        // 412: S3 has the file already, from a try whose answer was lost.
        if (answer.status < 300 || answer.status === 412) return;
        failure = answer.status === 403 ? new ConsigneError("CONFLICT", "the grant has expired") : refused(answer);
        if (answer.status === 403 && renewals === RENEWALS) throw refused(answer);
        if (answer.status !== 403 && !isPassing(answer)) throw failure;
      } catch (error) {
        failure = error as ConsigneError;
        if (failure.code !== "NETWORK_ERROR" && failure.code !== "CONFLICT") throw failure;
      }

      if (failure.code === "CONFLICT") {
        // The grant has expired, or was used up. One that delivered the file has done its work.
        if (await this.#hasArrived(signal)) return;
        if (renewals === RENEWALS) throw failure;
        renewals += 1;
        await this.#giveBack().catch(() => {});
        this.#granted = undefined;
        this.#idempotencyKey = newId();
        continue;
      }
      if (isOffline()) continue;
      if (tried >= this.#shared.tries) throw failure;
      await sleep(backoff(tried), signal);
      tried += 1;
      if (await this.#hasArrived(signal)) return;
    }
  }

  async #check(signal: AbortSignal): Promise<void> {
    const key = this.state.s3Key ?? "";
    const began = Date.now();
    try {
      for (let asked = 0; ; asked += 1) {
        // Many that are checked at a time share the reads that a plan allows.
        const share = Math.min(8, Math.max(1, this.#shared.checking() / 3));
        await sleep(Math.min(8_000, 200 * 1.6 ** asked * share) * (0.8 + Math.random() * 0.4), signal);
        await this.#online(signal);
        const file = await this.#metadata(key, signal);
        if (file?.status === "ready") {
          this.#set({ status: "ready", progress: 100, file });
          return this.#settle.resolve(file);
        }
        if (file?.status === "rejected" || file?.status === "infected") throw rejection(file);
        if (Date.now() - began > CHECK_MAX) throw new ConsigneError("NOT_READY", "the file is still being checked", { status: 409 });
      }
    } catch (error) {
      this.#fail(error, signal, false);
    }
  }

  /** Returns the grant of this file, and asks for it if there is none. */
  #grant(): Promise<Granted> {
    const granted = this.#granted ?? this.#ask();
    this.#granted = granted;
    granted.catch(() => {
      if (this.#granted === granted) this.#granted = undefined;
    });
    return granted;
  }

  // Not ended by `abort`: what was reserved by then can be given back only with the answer.
  async #ask(): Promise<Granted> {
    const { client } = this.#shared;
    const idempotencyKey = this.#idempotencyKey;
    const stored = await this.#stored();
    if (stored) return { grant: stored, ends: 0, isResumed: true };
    const { filename: _, signal: __, onChange: ___, sha256: hashed, ...options } = this.options;
    this.#request ??= {
      ...(options.kind && { kind: options.kind }),
      ...(options.metadata && { metadata: options.metadata }),
      filename: this.state.name,
      contentType: await mediaType(this.file, this.state.name),
      size: this.file.size,
      ...(hashed && this.file.size <= PARTS_ABOVE && { sha256: await sha256(this.file) }),
    };
    const asked = Date.now();
    const { body } = await client.send("POST", "/api/files/uploads", { body: this.#request, idempotencyKey });
    const grant = body as PutGrant | PartsGrant;
    if (grant.method === "PUT") return { grant, ends: asked + lifeOf(grant.url, grant.expiresAt, asked), isResumed: false };
    const { fileId, s3Key, method, partSize, partCount } = grant;
    await this.#store(JSON.stringify({ fileId, s3Key, method, partSize, partCount }));
    return { grant, ends: 0, isResumed: false };
  }

  /** Returns the upload in parts that was begun before a reload. */
  async #stored(): Promise<PartsGrant | undefined> {
    if (this.file.size <= PARTS_ABOVE) return undefined;
    try {
      const text = await this.#shared.storage?.getItem(this.#storageName);
      const grant = text ? (parsed(text) as Partial<PartsGrant> | undefined) : undefined;
      return grant?.fileId && grant.s3Key && grant.partSize && grant.partCount ? (grant as PartsGrant) : undefined;
    } catch {
      return undefined;
    }
  }

  /** Keeps the upload in parts, or forgets it. A storage that is full or forbidden makes it begin anew after a reload. */
  async #store(text?: string): Promise<void> {
    const { storage } = this.#shared;
    try {
      if (text === undefined) await storage?.removeItem(this.#storageName);
      else await storage?.setItem(this.#storageName, text);
    } catch {
      // As above.
    }
  }

  async #sendParts(grant: PartsGrant, signal: AbortSignal): Promise<void> {
    const { client, stall, tries } = this.#shared;
    try {
      await sendParts({
        ...{ send: client.send, file: this.file, grant, signal, stall, tries },
        onProgress: (loaded) => this.#progress(loaded),
        onOffline: (offline) => this.#set({ offline }),
      });
    } catch (error) {
      if (!isConsigneError(error, "NOT_FOUND") && !isConsigneError(error, "CONFLICT")) throw error;
      // S3 lacks a part that it had taken.
      if (error.details && "missing" in error.details) throw new ConsigneError("NETWORK_ERROR", error.message, { cause: error });
      // What was stored is of an upload that has ended, or of somebody else.
      await this.#store();
      throw new ConsigneError("CONFLICT", "the upload in parts has ended", { cause: error });
    }
    await this.#store();
  }

  /** Names this file, so that it is recognised after a reload. */
  get #storageName(): string {
    const { name, size } = this.state;
    const { lastModified = 0 } = this.file as { lastModified?: number };
    return `consigne-upload ${this.#shared.client.baseUrl} ${lastModified} ${size} ${name}`;
  }

  /** Whether S3 has the file, although no answer said so. */
  async #hasArrived(signal: AbortSignal): Promise<boolean> {
    const { s3Key } = this.state;
    if (!this.#mayHaveArrived || s3Key === undefined) return false;
    try {
      const file = await this.#metadata(s3Key, signal);
      return file !== undefined && file.status !== "pending";
    } catch (error) {
      if (isConsigneError(error, "NOT_FOUND")) return false;
      throw error;
    }
  }

  /** Reads the file. Returns undefined while there is no answer. */
  async #metadata(s3Key: string, signal: AbortSignal): Promise<FileMetadata | undefined> {
    try {
      return await this.#shared.client.files.metadata(s3Key, { signal });
    } catch (error) {
      if (isConsigneError(error, "NETWORK_ERROR") || isConsigneError(error, "UNAVAILABLE") || isConsigneError(error, "RATE_LIMITED"))
        return undefined;
      throw error;
    }
  }

  async #online(signal: AbortSignal): Promise<void> {
    if (!isOffline()) return;
    this.#set({ offline: true });
    await online(signal);
    this.#set({ offline: false });
  }

  /** Gives back what was reserved. A file that is not there any more is no error. */
  async #giveBack(): Promise<void> {
    const granted = await this.#granted?.catch(() => undefined);
    if (!granted) return;
    const { grant } = granted;
    const { client } = this.#shared;
    try {
      if (grant.method === "PUT") return await client.files.delete(grant.s3Key);
      await this.#store();
      await client.send("DELETE", partsPath(grant));
    } catch (error) {
      // The parts have become a file already.
      if (isConsigneError(error, "CONFLICT")) await client.files.delete(grant.s3Key);
      else if (!isConsigneError(error, "NOT_FOUND")) throw error;
    }
  }

  #progress(loaded: number): void {
    if (this.isOver) return;
    if (loaded >= this.file.size) this.#mayHaveArrived = true;
    const progress = Math.min(99, Math.floor((100 * loaded) / Math.max(1, this.file.size)));
    this.#set({ loaded: Math.min(loaded, this.file.size), progress: Math.max(this.state.progress, progress) });
  }

  #fail(thrown: unknown, signal: AbortSignal, wasSending: boolean): void {
    // `abort` has told it already, and another turn may have begun.
    if (signal.aborted || this.isOver) return;
    const error = isConsigneError(thrown) ? thrown : new ConsigneError("NETWORK_ERROR", "the file could not be read or sent", { cause: thrown });
    this.#set({ status: "failed", error });
    this.#settle.reject(error);
    // Parts that have arrived are kept for another try, which may come after a reload.
    if (wasSending && !(this.#shared.storage && this.file.size > PARTS_ABOVE)) this.#giveBack().catch(() => {});
  }

  #set(change: Partial<UploadState>): void {
    // An end is an end: what was on its way then changes nothing.
    if (this.isOver && change.status !== "waiting") return;
    this.state = { ...this.state, ...change };
    this.#shared.changed();
  }
}

const FRESH = { status: "waiting", loaded: 0, progress: 0, offline: false, s3Key: undefined, file: undefined, error: undefined } as const;

function deferred(): [Promise<FileMetadata>, { resolve(file: FileMetadata): void; reject(error: ConsigneError): void }] {
  let settle: { resolve(file: FileMetadata): void; reject(error: ConsigneError): void } | undefined;
  const promise = new Promise<FileMetadata>((resolve, reject) => {
    settle = { resolve, reject };
  });
  // Whoever follows the state alone need not take care of the promise.
  promise.catch(() => {});
  return [promise, settle as NonNullable<typeof settle>];
}

function rejection({ status, rejectedReason }: FileMetadata): ConsigneError {
  if (status === "infected") return new ConsigneError("FILE_INFECTED", "the file is infected", { status: 403 });
  const reason = rejectedReason ?? "its content is not what was declared";
  return new ConsigneError("FILE_REJECTED", `the file was rejected: ${reason}`, { status: 409, details: { status, reason } });
}
