// A small API for the tests of pages: each test says what its routes answer.

import { type RenderResult, render } from "@testing-library/react";
import { HttpResponse, http } from "msw";
import { setupServer } from "msw/node";
import { afterAll, afterEach, beforeAll } from "vitest";

import { App } from "../src/App.tsx";
import type { AuthAdapter } from "../src/auth/adapter.ts";
import { type Locale, load, WordsProvider } from "../src/words.ts";

export const API = "http://localhost:4580";

export const server = setupServer();
beforeAll(() => server.listen({ onUnhandledFrame: "error" }));
afterEach(() => server.resetHandlers());
afterAll(() => server.close());

export const data = (value: unknown) => HttpResponse.json({ success: true, message: "", data: value, timestamp: "2026-11-28T10:00:00Z" });
export const list = (items: unknown[]) =>
  HttpResponse.json({
    success: true,
    message: "",
    data: items,
    metadata: { next_cursor: null, total: items.length },
    timestamp: "2026-11-28T10:00:00Z",
  });
export const refused = (status: number, code: string, message: string) =>
  HttpResponse.json({ success: false, error: { code, message }, timestamp: "2026-11-28T10:00:00Z", requestId: "req-7" }, { status });

type Answer = (request: Request) => Response | Promise<Response>;

/** Says what a route answers, such as `GET /api/me`. */
export function on(route: string, answer: Answer): void {
  const [method = "get", path = ""] = route.split(" ");
  const verb = method.toLowerCase() as "get" | "post";
  server.use(http[verb](`${API}${path}`, async ({ request }) => (await answer(request)) as HttpResponse<string>));
}

export const ORG = { id: "org_1", name: "Acme", slug: "acme", role: "owner", created_at: "2026-11-01T10:00:00Z" };

export const WALLET = {
  ...{ balance: 5, held: 0, total_purchased: 10, total_granted: 0, total_used: 5, total_expired: 0, total_clawed_back: 0 },
  ...{ currency: "EUR", is_open: true, test: { balance: 100, resets_at: null }, buckets: [] },
};

/** Answers as to Ann, who has one role in one organisation. */
export function asAnn(role = "owner"): void {
  const limits = {
    storage_bytes: 1e9,
    file_bytes: {},
    generations: { book: { limit: 5, used: 1, resets_at: "2026-12-01T00:00:00Z" } },
    reads_per_minute: 60,
    writes_per_minute: 30,
  };
  on("GET /api/me", () =>
    data({ user_id: "user_ann", email: null, full_name: "Ann", first_name: "Ann", subscription: "pro", role: "user", features: [], limits }),
  );
  on("GET /api/orgs", () => list([{ ...ORG, role }]));
  on("GET /api/orgs/org_1/wallet", () => data(WALLET));
  on("GET /api/catalogue", () =>
    data({ plans: [], packs: [{ name: "starter", credits: 1000, amount: 1000, currency: "EUR" }], services: [], scopes: ["pdf:read", "ai:read"] }),
  );
}

const auth: AuthAdapter = {
  getToken: async () => "token-of-ann",
  subscribe(listener) {
    listener("user_ann");
    return () => {};
  },
  signOut: async () => {},
};

/** Shows the console at an address. */
export async function open(address: string, locale: Locale = "en", edge = false): Promise<RenderResult> {
  history.replaceState(null, "", address);
  const words = await load(locale);
  return render(
    <WordsProvider first={words}>
      <App config={{ apiUrl: API, clerkPublishableKey: null, edge }} auth={auth} />
    </WordsProvider>,
  );
}
