import type { OrgRole } from "@consigne/client";

const EVERYBODY: OrgRole[] = ["owner", "admin", "developer", "billing"];
const BUILDERS: OrgRole[] = ["owner", "admin", "developer"];

/** Who may do what in an organisation, as the API decides it. Here it decides what is shown. */
export const MAY = {
  "keys.see": BUILDERS,
  "keys.change": BUILDERS,
  "keys.delete": ["owner", "admin"],
  "wallet.see": EVERYBODY,
  "wallet.buy": ["owner", "billing"],
  "payments.see": ["owner", "billing"],
  "usage.see": EVERYBODY,
  "webhooks.see": BUILDERS,
  "members.see": EVERYBODY,
  "members.change": ["owner", "admin"],
  "audit.see": ["owner", "admin"],
  "org.rename": ["owner", "admin"],
  "org.delete": ["owner"],
} satisfies Record<string, OrgRole[]>;

export type Right = keyof typeof MAY;

/** Whether a role has a right. */
export const may = (role: OrgRole, right: Right): boolean => (MAY[right] as OrgRole[]).includes(role);

/** Whether a role of the whole installation sees the orders of customers. */
export const seesOrders = (role: string): boolean => role === "expert" || role === "admin";
