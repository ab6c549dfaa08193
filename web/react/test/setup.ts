// What jsdom lacks and every browser has.

import { cleanup, configure } from "@testing-library/react";
import { afterEach } from "vitest";

Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true });

if (typeof HTMLDialogElement !== "undefined" && !HTMLDialogElement.prototype.showModal) {
  const opener = new WeakMap<HTMLDialogElement, Element | null>();
  HTMLDialogElement.prototype.showModal = function () {
    opener.set(this, document.activeElement);
    this.open = true;
    this.querySelector<HTMLElement>("button, input")?.focus();
  };
  HTMLDialogElement.prototype.close = function () {
    if (!this.open) return;
    this.open = false;
    (opener.get(this) as HTMLElement | null)?.focus();
  };
}

// A failure shows its message, and not the whole page.
configure({ getElementError: (message) => new Error(message ?? "") });

afterEach(cleanup);
