// What jsdom lacks and every browser has.

import { cleanup, configure } from "@testing-library/react";
import { afterEach } from "vitest";

Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true });
window.scrollTo = () => {};
Element.prototype.scrollIntoView ??= () => {};

HTMLDialogElement.prototype.showModal ??= function (this: HTMLDialogElement) {
  this.open = true;
};
HTMLDialogElement.prototype.close ??= function (this: HTMLDialogElement) {
  if (!this.open) return;
  this.open = false;
  this.dispatchEvent(new Event("close"));
};

// A failure shows its message, and not the whole page. The first page of a file waits for its modules to be compiled.
configure({ asyncUtilTimeout: 5_000, getElementError: (message) => new Error(message ?? "") });

afterEach(() => {
  cleanup();
  localStorage.clear();
});
