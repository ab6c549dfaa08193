/** Loads the script of each page. A script is loaded once, however often it is asked for. */
export const PAGES = {
  home: () => import("./routes/home.tsx"),
  files: () => import("./routes/files.tsx"),
  keys: () => import("./routes/keys.tsx"),
  wallet: () => import("./routes/wallet.tsx"),
  usage: () => import("./routes/usage.tsx"),
  webhooks: () => import("./routes/webhooks.tsx"),
  members: () => import("./routes/members.tsx"),
  audit: () => import("./routes/audit.tsx"),
  pricing: () => import("./routes/pricing.tsx"),
  playground: () => import("./routes/playground.tsx"),
  generate: () => import("./routes/generate.tsx"),
  orders: () => import("./routes/orders.tsx"),
  invitations: () => import("./routes/accept.tsx"),
  account: () => import("./routes/account.tsx"),
};

export type PageName = keyof typeof PAGES;

/** Returns the page to which a path leads, as the router will find it; undefined if there is none. */
export function pageAt(path: string): PageName | undefined {
  const [first = "", , third = ""] = path.split("/").slice(1);
  const name = first === "" ? "home" : first === "orgs" ? third : first;
  return Object.hasOwn(PAGES, name) ? (name as PageName) : undefined;
}
