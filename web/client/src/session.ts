/** Returns a session token, or null if nobody is signed in. With `fresh` a new one, not one that was kept. */
export type GetToken = (options: { fresh: boolean }) => string | null | undefined | Promise<string | null | undefined>;

/** Asks for tokens, so that many calls at a time share one question. */
export class Session {
  readonly #getToken: GetToken;
  #asked: Promise<string | undefined> | undefined;
  #renewal: Promise<string | undefined> | undefined;
  /** What `getToken` returned last without `fresh`. */
  #kept: string | undefined;
  /** The token that took the place of `#expired`. */
  #renewed: string | undefined;
  #expired: string | undefined;

  constructor(getToken: GetToken = () => null) {
    this.#getToken = getToken;
  }

  /** Returns the current token. */
  async token(): Promise<string | undefined> {
    this.#asked ??= this.#ask(false).finally(() => {
      this.#asked = undefined;
    });
    this.#kept = await this.#asked;
    return this.#current();
  }

  /** Returns a token in place of one that was refused. The first of many callers asks for it, and all get it. */
  async renew(refused: string): Promise<string | undefined> {
    const current = this.#current();
    if (current !== refused) return current;
    this.#renewal ??= this.#ask(true).finally(() => {
      this.#renewal = undefined;
    });
    const renewed = await this.#renewal;
    this.#expired = this.#kept;
    this.#renewed = renewed;
    return renewed;
  }

  /** A source that ignores `fresh` for a while goes on returning the expired token; then the renewed one counts. */
  #current(): string | undefined {
    return this.#kept !== undefined && this.#kept === this.#expired ? this.#renewed : this.#kept;
  }

  async #ask(fresh: boolean): Promise<string | undefined> {
    return (await this.#getToken({ fresh })) ?? undefined;
  }
}
