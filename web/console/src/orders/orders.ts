import type { ConsigneClient, Page } from "@consigne/client";

/** A photo of an order. */
export interface OrderPhoto {
  type: "face_photo" | "palm_photo";
  name: string;
  key: string;
  content_type: string;
  size: number;
  status: "pending" | "processing" | "ready" | "rejected" | "infected" | "gone";
  /** Why its last upload was refused. */
  reason: string | null;
  uploaded_at: string | null;
  /** Signed, for five minutes, and leads to a clean copy. Null until there is one. */
  url: string | null;
}

/** An order in the list. */
export interface OrderEntry {
  order_id: string;
  status: "paid" | "awaiting_files" | "submitted" | "expired";
  email: string | null;
  paid_at: string;
  submitted_at: string | null;
}

/** What a customer has sent before, and replaced since. */
export interface Earlier {
  number: number;
  asked_at: string;
  answers: Record<string, unknown>;
  files: OrderPhoto[];
}

/** An order with all that an expert looks at. */
export interface Order extends OrderEntry {
  files: OrderPhoto[];
  answers: Record<string, unknown>;
  earlier: Earlier[];
}

/** Lists orders of a status, newest first. */
export function listOrders(client: ConsigneClient, status: string, cursor: string | undefined, signal: AbortSignal): Promise<Page<OrderEntry>> {
  return client.call("GET /api/orders" as never, { query: { status, cursor } } as never, { signal } as never) as Promise<Page<OrderEntry>>;
}

export function readOrder(client: ConsigneClient, id: string, signal?: AbortSignal): Promise<Order> {
  return client.call("GET /api/orders/{id}" as never, { path: { id } } as never, { signal } as never) as Promise<Order>;
}

/** Milliseconds for which the links of an order are used: a minute less than they live. */
export const LINKS_LIVE = 240_000;

/** The time that an order is listed by. */
export const timeOf = (order: OrderEntry): string => order.submitted_at ?? order.paid_at;

/** Whether a photo has arrived whose copy is still to be made. */
export const isOnItsWay = ({ status, url }: OrderPhoto): boolean => status === "processing" || (status === "ready" && url === null);

/** Returns the face before the palm. */
export const photosOf = (files: readonly OrderPhoto[]): OrderPhoto[] => [...files].sort((a, b) => a.type.localeCompare(b.type));

/** Writes answers as lines of a name and a text, nested ones below the name of their group. */
export function linesOf(answers: unknown, path: string[] = []): [name: string, text: string][] {
  if (answers === null || answers === undefined || answers === "") return path.length === 0 ? [] : [[path.join(", "), "–"]];
  if (Array.isArray(answers) && answers.every((one) => typeof one !== "object" || one === null)) return [[path.join(", "), answers.join(", ")]];
  if (typeof answers !== "object") return [[path.join(", "), String(answers)]];
  return Object.entries(answers).flatMap(([name, value]) => linesOf(value, [...path, readable(name)]));
}

/** Writes a field's name for people: `birth_date` and `birthDate` as `birth date`. */
function readable(name: string): string {
  return name
    .replace(/([a-z])([A-Z])/g, "$1 $2")
    .replaceAll(/[_-]+/g, " ")
    .toLowerCase();
}

const SEEN = "consigne.orders.seen";
/** Most ids that are kept: some weeks of orders. */
const SEEN_MAX = 500;

/** Returns the ids of orders that were opened in this browser. */
export function seenOrders(): Set<string> {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(SEEN) ?? "[]");
    return new Set(Array.isArray(kept) ? kept.map(String) : []);
  } catch {
    return new Set();
  }
}

/** Keeps that an order was opened, so that the list shows which ones are left. */
export function markSeen(id: string): Set<string> {
  const seen = seenOrders();
  seen.delete(id);
  seen.add(id);
  localStorage.setItem(SEEN, JSON.stringify([...seen].slice(-SEEN_MAX)));
  return seen;
}
