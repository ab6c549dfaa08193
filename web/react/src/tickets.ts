import type { ConsigneClient, Ticket } from "@consigne/client";

/** A ticket is replaced when less than this, or a tenth of its life, is left, in milliseconds. */
const MARGIN = 60_000;

/**
 * The tickets that were shown. The client keeps them, too, but tells it a moment later; this one is looked at while a
 * component renders, so that a picture that is shown again is there at once, under the same URL.
 */
export class ShownTickets {
  readonly #client: ConsigneClient;
  readonly #seconds: number | undefined;
  readonly #shown = new Map<string, { ticket: Ticket; staleFrom: number }>();

  /** `seconds` is the life of tickets to ask for; the installation's own when absent. */
  constructor(client: ConsigneClient, seconds?: number) {
    this.#client = client;
    this.#seconds = seconds;
  }

  /** Returns the ticket of a file, if there is one that lasts. */
  peek(s3Key: string): Ticket | undefined {
    const shown = this.#shown.get(s3Key);
    return shown && shown.staleFrom > Date.now() ? shown.ticket : undefined;
  }

  /** Returns a ticket of a file: the one that was shown if it lasts, else a new one. */
  async get(s3Key: string): Promise<Ticket> {
    const shown = this.peek(s3Key);
    if (shown) return shown;
    const ticket = await this.#client.files.ticket(s3Key, { expiresIn: this.#seconds });
    this.#shown.set(s3Key, { ticket, staleFrom: ticket.until - Math.min(MARGIN, (ticket.until - Date.now()) / 10) });
    return ticket;
  }

  /** Forgets the ticket of a file, because it was deleted or its URL no longer works. */
  drop(s3Key: string): void {
    this.#shown.delete(s3Key);
    this.#client.files.forget(s3Key);
  }
}
