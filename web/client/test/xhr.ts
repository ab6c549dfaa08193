// An XMLHttpRequest that sends to a world of memory, in steps. Tests can cut, hang and abort it.

import { vi } from "vitest";

import type { World } from "./world.js";

export interface Network {
  /** Progress events of one request. */
  steps: number;
  /** Milliseconds between two of them. */
  pace: number;
  /** Requests on their way. */
  open: Set<FakeXhr>;
  /** Most requests that were on their way at once. */
  most: number;
  /** Called at each step. What it returns happens instead of the next one. */
  onStep: (xhr: FakeXhr, step: number) => "cut" | "hang" | "leave" | undefined;
  /** Sizes of the bodies that were begun. */
  begun: number[];
}

/** Puts XMLHttpRequest in front of a world for one test. */
export function useXhr(world: () => World): Network {
  const network: Network = { steps: 4, pace: 1, open: new Set(), most: 0, onStep: () => undefined, begun: [] };
  vi.stubGlobal(
    "XMLHttpRequest",
    class extends FakeXhr {
      constructor() {
        super(world(), network);
      }
    },
  );
  return network;
}

export class FakeXhr {
  readonly upload: { onprogress?: (event: { loaded: number }) => void } = {};
  status = 0;
  responseText = "";
  onload?: () => void;
  onerror?: () => void;
  onabort?: () => void;
  url = "";
  #headers = new Headers();
  #answer = new Headers();
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #world: World;
  readonly #network: Network;

  constructor(world: World, network: Network) {
    this.#world = world;
    this.#network = network;
  }

  open(_method: string, url: string): void {
    this.url = url;
  }

  setRequestHeader(name: string, value: string): void {
    this.#headers.set(name, value);
  }

  getResponseHeader(name: string): string | null {
    return this.#answer.get(name);
  }

  send(body: Blob): void {
    const { open, begun } = this.#network;
    open.add(this);
    this.#network.most = Math.max(this.#network.most, open.size);
    begun.push(body.size);
    this.#step(1, body.size);
  }

  /** As the page, or the browser, ends it. */
  abort(): void {
    if (this.#over()) this.onabort?.();
  }

  #over(): boolean {
    clearTimeout(this.#timer);
    return this.#network.open.delete(this);
  }

  #step(step: number, size: number): void {
    const { steps, pace, onStep } = this.#network;
    this.#timer = setTimeout(async () => {
      const instead = onStep(this, step);
      if (instead === "hang") return;
      if (instead === "cut") return void (this.#over() && this.onerror?.());
      if (instead === "leave") return this.abort();
      this.upload.onprogress?.({ loaded: Math.floor((size * step) / steps) });
      if (step < steps) return this.#step(step + 1, size);
      const reply = await this.#world.s3(this.url, "PUT", this.#headers, size);
      if (!this.#over()) return;
      if (reply === "network") return this.onerror?.();
      this.status = reply.status;
      this.responseText = String(reply.body ?? "");
      this.#answer = new Headers(reply.headers);
      this.onload?.();
    }, pace);
  }
}
