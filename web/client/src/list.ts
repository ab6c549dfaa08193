import type { Page } from "./call.js";

/**
 * A list of the API. `for await` reads all of its entries, page by page; `await` reads the first page alone.
 */
export class List<Item, Of extends Page<Item> = Page<Item>> implements AsyncIterable<Item>, PromiseLike<Of> {
  readonly #read: (cursor: string | undefined) => Promise<Of>;

  constructor(read: (cursor: string | undefined) => Promise<Of>) {
    this.#read = read;
  }

  /** Reads the first page. */
  // biome-ignore lint/suspicious/noThenProperty: awaiting a list reads its first page.
  then<Value = Of, Other = never>(
    onPage?: ((page: Of) => Value | PromiseLike<Value>) | null,
    onError?: ((reason: unknown) => Other | PromiseLike<Other>) | null,
  ): Promise<Value | Other> {
    return this.#read(undefined).then(onPage, onError);
  }

  /** Reads page by page. */
  async *pages(): AsyncGenerator<Of, void, undefined> {
    let cursor: string | undefined;
    do {
      const page = await this.#read(cursor);
      yield page;
      cursor = page.nextCursor ?? undefined;
    } while (cursor);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Item, void, undefined> {
    for await (const page of this.pages()) yield* page.items;
  }

  /** Reads all entries into an array. */
  async all(): Promise<Item[]> {
    const items: Item[] = [];
    for await (const item of this) items.push(item);
    return items;
  }
}
