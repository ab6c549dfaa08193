import { type AuthAdapter, Listeners } from "./adapter.ts";

/** Whom the issuer of the laptop makes tokens for. Nothing of it is secret. */
export interface Person {
  user: string;
  plan: string;
  role: string;
}

export const PLANS = ["free", "basic", "pro", "premium", "enterprise"];
export const ROLES = ["user", "expert", "admin"];
export const USER = /^user_[A-Za-z0-9]{1,64}$/;

const KEPT = "consigne.person";
/** Milliseconds before its end at which a token is no longer used. */
const MARGIN = 5_000;

/** Signs in as people of the laptop, with tokens of a minute. */
export class LaptopAuth implements AuthAdapter {
  #person: Person | null = kept();
  #token: { text: string; until: number } | null = null;
  /** The token that is being asked for, and for whom. */
  #asked: { person: Person; token: Promise<string> } | null = null;
  readonly #listeners = new Listeners(this.#person?.user ?? null);

  async getToken({ fresh = false }: { fresh?: boolean } = {}): Promise<string | null> {
    const person = this.#person;
    if (!person) return null;
    if (!fresh && this.#token && Date.now() < this.#token.until) return this.#token.text;
    if (!fresh && this.#asked?.person === person) return this.#asked.token;
    const asked = { person, token: this.#ask(person) };
    this.#asked = asked;
    try {
      return await asked.token;
    } finally {
      if (this.#asked === asked) this.#asked = null;
    }
  }

  /** Asks the laptop for a token. */
  async #ask(person: Person): Promise<string> {
    const answer = await fetch("/_laptop/token", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(person),
    });
    if (!answer.ok) throw new Error(await answer.text());
    const { token, expires_at } = (await answer.json()) as { token: string; expires_at: number };
    // Somebody else may have signed in meanwhile.
    if (person === this.#person) this.#token = { text: token, until: expires_at * 1000 - MARGIN };
    return token;
  }

  subscribe(listener: Parameters<AuthAdapter["subscribe"]>[0]): () => void {
    return this.#listeners.add(listener);
  }

  /** Signs in as a person, unless another one is chosen meanwhile. Rejects if the laptop makes no token for them. */
  async signIn(person: Person): Promise<void> {
    this.#token = null;
    this.#person = person;
    try {
      await this.getToken();
    } catch (error) {
      // If another person was chosen meanwhile, that choice stays.
      if (this.#person === person) this.#person = null;
      throw error;
    }
    if (this.#person !== person) return;
    localStorage.setItem(KEPT, JSON.stringify(person));
    this.#listeners.tell(person.user);
  }

  async signOut(): Promise<void> {
    this.#person = null;
    this.#token = null;
    localStorage.removeItem(KEPT);
    this.#listeners.tell(null);
  }
}

/** Returns the person who was signed in last in this browser. */
function kept(): Person | null {
  try {
    const { user, plan, role } = JSON.parse(localStorage.getItem(KEPT) ?? "{}") as Partial<Person>;
    return user && USER.test(user) && plan && role ? { user, plan, role } : null;
  } catch {
    return null;
  }
}
