import type { ReactNode } from "react";

import type { Config } from "../config.ts";

/** Who is signed in: an id, null for nobody, undefined while that is not known yet. */
export type SignedIn = string | null | undefined;

/** What the console needs from whatever signs people in. */
export interface AuthAdapter {
  /** Returns a session token, or null if nobody is signed in. With `fresh` a new one, not one that was kept. */
  getToken(options?: { fresh?: boolean }): Promise<string | null>;
  /** Calls back now and whenever another person is signed in. Returns a function that ends this. */
  subscribe(listener: (user: SignedIn) => void): () => void;
  signOut(): Promise<void>;
}

/** Props of the component that each way of signing in exports as `Auth`. */
export interface AuthProps {
  config: Config;
  /** Shown once somebody is signed in. */
  children(adapter: AuthAdapter): ReactNode;
}

/** What a way of signing in exports. */
export interface AuthModule {
  Auth(props: AuthProps): ReactNode;
}

/** Remembers who is signed in, and tells those who subscribed. */
export class Listeners {
  readonly #all = new Set<(user: SignedIn) => void>();
  #user: SignedIn;

  constructor(user: SignedIn) {
    this.#user = user;
  }

  tell(user: SignedIn): void {
    if (user === this.#user) return;
    this.#user = user;
    for (const listener of this.#all) listener(user);
  }

  add(listener: (user: SignedIn) => void): () => void {
    this.#all.add(listener);
    listener(this.#user);
    return () => void this.#all.delete(listener);
  }
}
