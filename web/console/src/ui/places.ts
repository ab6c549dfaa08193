import { useParams } from "@tanstack/react-router";

import { may, type Right, seesOrders } from "../roles.ts";
import { lastOrg, useSession } from "../session.tsx";
import type { MessageId } from "../words.ts";

/** A page that the navigation leads to. */
export interface Place {
  to:
    | "/files"
    | "/pricing"
    | "/generate"
    | "/playground"
    | "/"
    | "/account"
    | "/orders"
    | "/orgs/$org/keys"
    | "/orgs/$org/usage"
    | "/orgs/$org/wallet"
    | "/orgs/$org/webhooks"
    | "/orgs/$org/members";
  label: MessageId;
  sign: string;
  right?: Right;
  /** Whether it is for experts alone. */
  expert?: true;
}

/** The pages in the order of the rail. The first five are in the bar of a phone. */
const PLACES: Place[] = [
  { to: "/", label: "nav.home", sign: "M3 11 12 4l9 7v9h-6v-6H9v6H3z" },
  { to: "/orders", label: "nav.orders", sign: "M4 13l3-8h10l3 8v6H4zM4 13h5l1 2h4l1-2h5", expert: true },
  { to: "/files", label: "nav.files", sign: "M4 5h6l2 2h8v12H4z" },
  { to: "/orgs/$org/keys", label: "nav.keys", sign: "M14 4a6 6 0 1 0-2 9l1 1h2v2h2v2h3v-3l-6-5a6 6 0 0 0 0-6zM8 8h.01", right: "keys.see" },
  { to: "/orgs/$org/usage", label: "nav.usage", sign: "M4 20V10M10 20V4M16 20v-7M22 20H2", right: "usage.see" },
  { to: "/orgs/$org/wallet", label: "nav.wallet", sign: "M3 7h18v12H3zM3 7l3-3h12l3 3M16 13h2", right: "wallet.see" },
  { to: "/orgs/$org/webhooks", label: "nav.webhooks", sign: "M4 12h12M11 6l6 6-6 6M20 5v14", right: "webhooks.see" },
  {
    to: "/orgs/$org/members",
    label: "nav.members",
    sign: "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2 20c1-5 13-5 14 0M16 4a3.5 3.5 0 0 1 0 7M18 14c2 1 4 3 4 6",
    right: "members.see",
  },
  { to: "/generate", label: "nav.generate", sign: "M12 3v5M12 16v5M3 12h5M16 12h5M6 6l3 3M15 15l3 3M18 6l-3 3M9 15l-3 3" },
  { to: "/playground", label: "nav.playground", sign: "M5 4l14 8-14 8z" },
  { to: "/pricing", label: "nav.pricing", sign: "M4 4h8l8 8-8 8-8-8zM8 8h.01" },
  { to: "/account", label: "nav.account", sign: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4 21c1-5 15-5 16 0" },
];

/** Returns the pages that the caller may see, and the organisation to which they belong. */
export function usePlaces() {
  const { orgs, me } = useSession();
  const { org: id } = useParams({ strict: false });
  const org = orgs.find((one) => one.id === id) ?? lastOrg(orgs);
  const allowed = PLACES.filter(({ expert }) => !expert || seesOrders(me.role));
  const places = allowed.filter(({ to, right }) => !to.includes("$org") || (org && (!right || may(org.role, right))));
  return { org, places };
}
