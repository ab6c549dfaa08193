import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from "@tanstack/react-router";

import { PAGES } from "./pages.ts";
import { Frame, NotFound } from "./ui/Frame.tsx";
import { Loading } from "./ui/states.tsx";
import { loadRest } from "./words.ts";

/** Reads a value of the address that is one of a few. Anything else counts as absent. */
function oneOf<T extends string | number>(value: unknown, known: readonly T[]): T | undefined {
  return known.find((one) => one === value);
}

const text = (value: unknown): string | undefined => (typeof value === "string" && value !== "" ? value : undefined);

/** A page that is loaded when it is opened, with its messages. */
const page: typeof lazyRouteComponent = (importer, name) =>
  lazyRouteComponent(() => Promise.all([importer(), loadRest()]).then(([module]) => module), name);

export const KEY_STATES = ["active", "revoked", "expired"] as const;
/** By what calls are told apart. */
export const GROUPS = ["service", "key", "country"] as const;
export type Group = (typeof GROUPS)[number];
export const RANGES = [1, 7, 30, 92] as const;

export const JOB_KINDS = ["book", "blog", "image", "video"] as const;

export interface GenerateSearch {
  /** What is to be made; a book when absent. */
  kind?: (typeof JOB_KINDS)[number] | undefined;
  /** Id of the job that is open. */
  job?: string | undefined;
}

export const DELIVERY_STATES = ["pending", "delivered", "failed", "cancelled"] as const;
export const FILE_KINDS = ["image", "video", "book", "blog", "document", "audio"] as const;
export const SORTS = ["filename", "kind", "size", "lastModified"] as const;

export interface FilesSearch {
  /** Kind of the files that are listed; all when absent. */
  kind?: (typeof FILE_KINDS)[number] | undefined;
  /** What their names must contain. */
  q?: string | undefined;
  /** Column by which they are sorted; when they were changed, when absent. */
  sort?: (typeof SORTS)[number] | undefined;
  /** Whether the least comes first. */
  up?: true | undefined;
  /** Key of the file that is open. */
  file?: string | undefined;
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
  /** Id of the payment whose receipt is open. */
  payment?: string | undefined;
}

export interface WebhooksSearch {
  /** Id of the endpoint whose deliveries are open. */
  endpoint?: string | undefined;
  /** State of the deliveries that are listed; all when absent. */
  state?: (typeof DELIVERY_STATES)[number] | undefined;
  /** Id of the delivery whose timeline is open; the newest one when absent. */
  delivery?: string | undefined;
  /** Whether the form for a new endpoint is open. */
  create?: true | undefined;
}

export interface AuditSearch {
  /** Id of what the entries are about; all when absent. */
  subject?: string | undefined;
  /** Beginning of the actions that are shown, such as `key`; all when absent. */
  action?: string | undefined;
}

export interface UsageSearch {
  /** Days that are shown; 30 when absent. 1 is the last 24 hours. */
  days?: (typeof RANGES)[number] | undefined;
  /** By what the calls are told apart; by service when absent. */
  by?: Group | undefined;
  /** Whether the period before is shown, too. */
  compare?: true | undefined;
  /** The day (UTC) whose calls are listed, such as `2026-11-21`; all when absent. */
  day?: string | undefined;
  /** Id of the key whose calls are listed; all when absent. */
  key?: string | undefined;
  /** What is asked for in the panel of refused calls, which is open unless this is absent. */
  why?: string | undefined;
}

export const ORDER_STATES = ["submitted", "awaiting_files", "paid", "expired"] as const;

export interface OrdersSearch {
  /** Status of the orders that are listed; `submitted` when absent. */
  status?: (typeof ORDER_STATES)[number] | undefined;
  /** Id of the order that is open. */
  order?: string | undefined;
}

const root = createRootRoute({ component: Frame, notFoundComponent: NotFound });

const home = createRoute({ getParentRoute: () => root, path: "/", component: lazyRouteComponent(PAGES.home, "Home") });
const files = createRoute({
  getParentRoute: () => root,
  path: "/files",
  validateSearch: (given: Record<string, unknown>): FilesSearch => ({
    kind: oneOf(given.kind, FILE_KINDS),
    // A text of digits is a number in the address.
    q: given.q === undefined ? undefined : text(String(given.q)),
    sort: oneOf(given.sort, SORTS),
    up: given.up === true ? true : undefined,
    file: text(given.file),
  }),
  component: page(PAGES.files, "Files"),
});
const keys = createRoute({
  getParentRoute: () => root,
  path: "/orgs/$org/keys",
  validateSearch: (given: Record<string, unknown>): KeysSearch => ({
    status: oneOf(given.status, KEY_STATES),
    key: text(given.key),
    create: given.create === true ? true : undefined,
  }),
  component: page(PAGES.keys, "Keys"),
});
const wallet = createRoute({
  getParentRoute: () => root,
  path: "/orgs/$org/wallet",
  validateSearch: (given: Record<string, unknown>): WalletSearch => ({
    checkout: oneOf(given.checkout, ["paid", "cancelled"] as const),
    payment: text(given.payment),
  }),
  component: page(PAGES.wallet, "Wallet"),
});
const usage = createRoute({
  getParentRoute: () => root,
  path: "/orgs/$org/usage",
  validateSearch: (given: Record<string, unknown>): UsageSearch => ({
    days: oneOf(given.days, RANGES),
    by: oneOf(given.by, GROUPS),
    compare: given.compare === true ? true : undefined,
    day: /^\d{4}-\d\d-\d\d$/.test(text(given.day) ?? "") ? text(given.day) : undefined,
    key: text(given.key),
    // The end of a key may be digits, which are a number in the address.
    why: given.why === undefined ? undefined : String(given.why),
  }),
  component: page(PAGES.usage, "Usage"),
});
const webhooks = createRoute({
  getParentRoute: () => root,
  path: "/orgs/$org/webhooks",
  validateSearch: (given: Record<string, unknown>): WebhooksSearch => ({
    endpoint: text(given.endpoint),
    state: oneOf(given.state, DELIVERY_STATES),
    delivery: text(given.delivery),
    create: given.create === true ? true : undefined,
  }),
  component: page(PAGES.webhooks, "Webhooks"),
});
const members = createRoute({
  getParentRoute: () => root,
  path: "/orgs/$org/members",
  component: page(PAGES.members, "Members"),
});
const audit = createRoute({
  getParentRoute: () => root,
  path: "/orgs/$org/audit",
  validateSearch: (given: Record<string, unknown>): AuditSearch => ({ subject: text(given.subject), action: text(given.action) }),
  component: page(PAGES.audit, "Audit"),
});
const pricing = createRoute({
  getParentRoute: () => root,
  path: "/pricing",
  component: page(PAGES.pricing, "Pricing"),
});
const playground = createRoute({
  getParentRoute: () => root,
  path: "/playground",
  component: page(PAGES.playground, "Playground"),
});
const generate = createRoute({
  getParentRoute: () => root,
  path: "/generate",
  validateSearch: (given: Record<string, unknown>): GenerateSearch => ({ kind: oneOf(given.kind, JOB_KINDS), job: text(given.job) }),
  component: page(PAGES.generate, "Generate"),
});
const orders = createRoute({
  getParentRoute: () => root,
  path: "/orders",
  validateSearch: (given: Record<string, unknown>): OrdersSearch => ({ status: oneOf(given.status, ORDER_STATES), order: text(given.order) }),
  component: page(PAGES.orders, "Orders"),
});
const accept = createRoute({
  getParentRoute: () => root,
  path: "/invitations/accept",
  validateSearch: (given: Record<string, unknown>): { token?: string | undefined } => ({ token: text(given.token) }),
  component: page(PAGES.invitations, "Accept"),
});
const account = createRoute({
  getParentRoute: () => root,
  path: "/account",
  component: page(PAGES.account, "Account"),
});

/** Makes the router, whose addresses carry filters and what is open. */
export function newRouter() {
  return createRouter({
    routeTree: root.addChildren([home, files, keys, wallet, usage, webhooks, members, audit, generate, playground, orders, accept, pricing, account]),
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
