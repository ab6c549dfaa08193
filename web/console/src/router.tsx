import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from "@tanstack/react-router";

import { Frame, NotFound } from "./ui/Frame.tsx";
import { Loading } from "./ui/states.tsx";

/** Reads a value of the address that is one of a few. Anything else counts as absent. */
function oneOf<T extends string | number>(value: unknown, known: readonly T[]): T | undefined {
  return known.find((one) => one === value);
}

const text = (value: unknown): string | undefined => (typeof value === "string" && value !== "" ? value : undefined);

export const KEY_STATES = ["active", "revoked", "expired"] as const;
export const RANGES = [1, 7, 30, 92] as const;

export const JOB_KINDS = ["book", "blog", "image", "video"] as const;

export interface GenerateSearch {
  /** What is to be made; a book when absent. */
  kind?: (typeof JOB_KINDS)[number] | undefined;
  /** Id of the job that is open. */
  job?: string | undefined;
}

export interface KeysSearch {
  /** State of the keys that are listed; all when absent. */
  status?: (typeof KEY_STATES)[number] | undefined;
  /** Id of the key that is open. */
  key?: string | undefined;
  /** Whether the form for a new key is open. */
  create?: true | undefined;
}

export interface WalletSearch {
  /** Where Stripe sent the buyer back from. */
  checkout?: "paid" | "cancelled" | undefined;
}

export interface WebhooksSearch {
  /** Id of the endpoint whose deliveries are open. */
  endpoint?: string | undefined;
  /** Whether the form for a new endpoint is open. */
  create?: true | undefined;
}

export interface UsageSearch {
  /** Days that are shown; 30 when absent. */
  days?: (typeof RANGES)[number] | undefined;
}

export const ORDER_STATES = ["submitted", "awaiting_files", "paid", "expired"] as const;

export interface OrdersSearch {
  /** Status of the orders that are listed; `submitted` when absent. */
  status?: (typeof ORDER_STATES)[number] | undefined;
  /** Id of the order that is open. */
  order?: string | undefined;
}

const root = createRootRoute({ component: Frame, notFoundComponent: NotFound });

const home = createRoute({ getParentRoute: () => root, path: "/", component: lazyRouteComponent(() => import("./routes/home.tsx"), "Home") });
const files = createRoute({ getParentRoute: () => root, path: "/files", component: lazyRouteComponent(() => import("./routes/files.tsx"), "Files") });
const keys = createRoute({
  getParentRoute: () => root,
  path: "/orgs/$org/keys",
  validateSearch: (given: Record<string, unknown>): KeysSearch => ({
    status: oneOf(given.status, KEY_STATES),
    key: text(given.key),
    create: given.create === true ? true : undefined,
  }),
  component: lazyRouteComponent(() => import("./routes/keys.tsx"), "Keys"),
});
const wallet = createRoute({
  getParentRoute: () => root,
  path: "/orgs/$org/wallet",
  validateSearch: (given: Record<string, unknown>): WalletSearch => ({ checkout: oneOf(given.checkout, ["paid", "cancelled"] as const) }),
  component: lazyRouteComponent(() => import("./routes/wallet.tsx"), "Wallet"),
});
const usage = createRoute({
  getParentRoute: () => root,
  path: "/orgs/$org/usage",
  validateSearch: (given: Record<string, unknown>): UsageSearch => ({ days: oneOf(given.days, RANGES) }),
  component: lazyRouteComponent(() => import("./routes/usage.tsx"), "Usage"),
});
const webhooks = createRoute({
  getParentRoute: () => root,
  path: "/orgs/$org/webhooks",
  validateSearch: (given: Record<string, unknown>): WebhooksSearch => ({
    endpoint: text(given.endpoint),
    create: given.create === true ? true : undefined,
  }),
  component: lazyRouteComponent(() => import("./routes/webhooks.tsx"), "Webhooks"),
});
const members = createRoute({
  getParentRoute: () => root,
  path: "/orgs/$org/members",
  component: lazyRouteComponent(() => import("./routes/members.tsx"), "Members"),
});
const pricing = createRoute({
  getParentRoute: () => root,
  path: "/pricing",
  component: lazyRouteComponent(() => import("./routes/pricing.tsx"), "Pricing"),
});
const playground = createRoute({
  getParentRoute: () => root,
  path: "/playground",
  component: lazyRouteComponent(() => import("./routes/playground.tsx"), "Playground"),
});
const generate = createRoute({
  getParentRoute: () => root,
  path: "/generate",
  validateSearch: (given: Record<string, unknown>): GenerateSearch => ({ kind: oneOf(given.kind, JOB_KINDS), job: text(given.job) }),
  component: lazyRouteComponent(() => import("./routes/generate.tsx"), "Generate"),
});
const orders = createRoute({
  getParentRoute: () => root,
  path: "/orders",
  validateSearch: (given: Record<string, unknown>): OrdersSearch => ({ status: oneOf(given.status, ORDER_STATES), order: text(given.order) }),
  component: lazyRouteComponent(() => import("./routes/orders.tsx"), "Orders"),
});
const accept = createRoute({
  getParentRoute: () => root,
  path: "/invitations/accept",
  validateSearch: (given: Record<string, unknown>): { token?: string | undefined } => ({ token: text(given.token) }),
  component: lazyRouteComponent(() => import("./routes/accept.tsx"), "Accept"),
});
const account = createRoute({
  getParentRoute: () => root,
  path: "/account",
  component: lazyRouteComponent(() => import("./routes/account.tsx"), "Account"),
});

/** Makes the router, whose addresses carry filters and what is open. */
export function newRouter() {
  return createRouter({
    routeTree: root.addChildren([home, files, keys, wallet, usage, webhooks, members, generate, playground, orders, accept, pricing, account]),
    defaultPreload: "intent",
    defaultPendingComponent: () => <Loading />,
    defaultPendingMs: 150,
    scrollRestoration: true,
  });
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof newRouter>;
  }
}
