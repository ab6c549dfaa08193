// Renders components in StrictMode with a provider, on a small Consigne of their own.

import { type RenderResult, render } from "@testing-library/react";
import type { ReactNode } from "react";
import { StrictMode } from "react";
import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest";

import { ConsigneProvider, type ConsigneProviderProps } from "../src/index.js";
import { API, serverOf, World } from "./world.js";

type Options = Partial<Pick<ConsigneProviderProps, "ready" | "userId" | "locale" | "ticketSeconds">>;

/** Returns what the tests of a file share: the world, new for each test, and `show`. */
export function openWorld(): {
  readonly world: World;
  show(node: ReactNode, options?: Options): RenderResult;
  wrap(node: ReactNode, options?: Options): ReactNode;
} {
  let world = new World();
  const server = serverOf(() => world);
  beforeAll(() => server.listen({ onUnhandledFrame: "error" }));
  beforeEach(() => {
    world = new World();
  });
  afterEach(() => server.resetHandlers());
  afterAll(() => server.close());

  const wrap = (node: ReactNode, options: Options = {}) => (
    <StrictMode>
      <ConsigneProvider baseUrl={API} getToken={async () => "token-of-ann"} userId="user_ann" {...options}>
        {node}
      </ConsigneProvider>
    </StrictMode>
  );
  return {
    get world() {
      return world;
    },
    wrap,
    show: (node, options) => render(wrap(node, options)),
  };
}

/** Fails if axe finds anything. Colours need a browser: web/e2e looks at them. */
export async function expectAccessible(container: Element): Promise<void> {
  const { default: axe } = await import("axe-core");
  const { violations } = await axe.run(container, { rules: { "color-contrast": { enabled: false }, region: { enabled: false } } });
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`)).toEqual([]);
}

/** A PNG of one red pixel. */
export function picture(name = "photo.png"): File {
  const bytes = Uint8Array.from(atob("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="), (letter) =>
    letter.charCodeAt(0),
  );
  return new File([bytes], name, { type: "image/png" });
}
