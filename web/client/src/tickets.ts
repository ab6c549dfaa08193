import type { Call } from "./call.js";
import { ConsigneError } from "./errors.js";
import type { Disposition, Ticket as OneTicket, TicketBatch } from "./gen/types.gen.js";
import type { CallOptions } from "./transport.js";
import { race } from "./wait.js";

/** A signed URL that reads one file. */
export interface Ticket {
  s3Key: string;
  url: string;
  /** When the URL ends, as a time of this machine's clock in milliseconds since 1970. */
  until: number;
}

/** How a file is read. Tickets that differ in this are different. */
export interface TicketOptions {
  /** Seconds, 1 to 3,600; the installation's own when absent. */
  expiresIn?: number | undefined;
  /** `attachment` saves the file, `inline` shows it where the browser can. */
  disposition?: Disposition | undefined;
  /** Name under which the file is saved. */
  filename?: string | undefined;
}

/** A ticket of many, or why there is none for this key. */
export type TicketResult = Ticket | { s3Key: string; error: ConsigneError };

/** Most keys of one request. */
const BATCH = 100;
/** Milliseconds in which keys are collected for one request. */
const GATHER = 5;
/** Most tickets that are kept. */
const KEPT = 10_000;

interface Waiting {
  s3Key: string;
  resolve(ticket: Ticket): void;
  reject(error: unknown): void;
}

interface Group {
  options: TicketOptions;
  waiting: Waiting[];
}

/**
 * Keeps tickets until shortly before they end, so that a file that is shown again has the same URL and comes from the
 * browser's cache. Keys that are asked for at about the same time share a request.
 */
export class Tickets {
  readonly #call: Call;
  readonly #kept = new Map<string, { ticket: Promise<Ticket>; staleFrom: number }>();
  readonly #groups = new Map<string, Group>();

  constructor(call: Call) {
    this.#call = call;
  }

  /** Returns the ticket of a file: the kept one while it lasts, else a new one. */
  get(s3Key: string, { expiresIn, disposition, filename }: TicketOptions = {}, { signal }: CallOptions = {}): Promise<Ticket> {
    const options = { expiresIn, disposition, filename };
    const how = JSON.stringify(options);
    const name = `${s3Key}\n${how}`;
    let kept = this.#kept.get(name);
    if (!kept || kept.staleFrom <= Date.now()) {
      kept = { ticket: this.#ask(s3Key, how, options), staleFrom: Number.POSITIVE_INFINITY };
      this.#keep(name, kept);
    }
    return race(kept.ticket, signal);
  }

  /** Returns a ticket, or an error, for each key. */
  getAll(s3Keys: readonly string[], options?: TicketOptions, call?: CallOptions): Promise<TicketResult[]> {
    const one = (s3Key: string) => this.get(s3Key, options, call).catch((error: ConsigneError) => ({ s3Key, error }));
    return Promise.all(s3Keys.map(one));
  }

  /** Forgets the tickets of a file, because it was deleted or they no longer work. */
  drop(s3Key: string): void {
    for (const name of this.#kept.keys()) if (name.startsWith(`${s3Key}\n`)) this.#kept.delete(name);
  }

  #keep(name: string, kept: { ticket: Promise<Ticket>; staleFrom: number }): void {
    this.#kept.set(name, kept);
    if (this.#kept.size > KEPT) this.#kept.delete(this.#kept.keys().next().value as string);
    kept.ticket.then(
      ({ until }) => {
        kept.staleFrom = until - Math.min(60_000, (until - Date.now()) / 10);
      },
      // Nothing is kept of a failure. A newer request may have taken its place.
      () => this.#kept.get(name) === kept && this.#kept.delete(name),
    );
  }

  #ask(s3Key: string, how: string, options: TicketOptions): Promise<Ticket> {
    return new Promise((resolve, reject) => {
      let group = this.#groups.get(how);
      if (!group) {
        group = { options, waiting: [] };
        this.#groups.set(how, group);
        setTimeout(() => void this.#flush(how), GATHER);
      }
      group.waiting.push({ s3Key, resolve, reject });
      if (group.waiting.length === BATCH) void this.#flush(how);
    });
  }

  async #flush(how: string): Promise<void> {
    const group = this.#groups.get(how);
    // A full group was sent before its time.
    if (!group) return;
    this.#groups.delete(how);
    const { options, waiting } = group;
    const asked = Date.now();
    const [first] = waiting;
    try {
      if (waiting.length === 1 && first) {
        const body = { s3Key: first.s3Key, ...options };
        const { url, expiresAt } = (await this.#call("POST /api/files/presigned-url", { body })) as OneTicket;
        first.resolve({ s3Key: first.s3Key, url, until: asked + lifeOf(url, expiresAt, asked) });
        return;
      }
      const body = { s3Keys: waiting.map(({ s3Key }) => s3Key), ...options };
      const { urls } = (await this.#call("POST /api/files/presigned-url", { body })) as TicketBatch;
      waiting.forEach(({ s3Key, resolve, reject }, index) => {
        const answer = urls[index];
        if (answer && "url" in answer) resolve({ s3Key, url: answer.url, until: asked + lifeOf(answer.url, answer.expiresAt, asked) });
        else reject(refusal(answer?.error));
      });
    } catch (error) {
      for (const { reject } of waiting) reject(error);
    }
  }
}

/** The HTTP statuses with which a single request answers the codes of a batch. */
const STATUS: Record<string, number> = { NOT_FOUND: 404, FILE_INFECTED: 403, UNSUPPORTED_FILE_TYPE: 415 };

function refusal(error: { code: string; message: string; details?: object } | undefined): ConsigneError {
  const { code, message, details } = error ?? { code: "NOT_FOUND", message: "the answer has no ticket for this file" };
  return new ConsigneError(code as "NOT_READY", message, { status: STATUS[code] ?? 409, ...(details && { details }) });
}

/**
 * Returns how long a signed URL lives, in milliseconds. The time at which it was signed stands in it, so this machine's
 * clock may be wrong.
 */
export function lifeOf(url: string, expiresAt: string, now: number): number {
  const signed = /[?&]X-Amz-Date=(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z/i.exec(url);
  const from = signed ? Date.parse(`${signed[1]}-${signed[2]}-${signed[3]}T${signed[4]}:${signed[5]}:${signed[6]}Z`) : now;
  return Math.max(0, Date.parse(expiresAt) - from);
}
