// What the first script asks for, and in what order.

import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import type { Rollup } from "vite";
import { expect, test } from "vitest";

import { closure } from "../preload.ts";
import { PAGES, pageAt } from "../src/pages.ts";
import { newRouter } from "../src/router.tsx";
import { asAnn, data, list, ORG, on, open, WALLET } from "./world.tsx";

test("the first script knows the page of every address of the router", () => {
  const paths = Object.keys(newRouter().routesByPath);
  expect(paths.length).toBe(Object.keys(PAGES).length);
  expect(new Set(paths.map((path) => pageAt(path.replace("$org", "org_1"))))).toEqual(new Set(Object.keys(PAGES)));
  expect([pageAt("/nowhere"), pageAt("/orgs/org_1"), pageAt("/constructor")]).toEqual([undefined, undefined, undefined]);
});

test("what a module imports is preloaded, once, and not what it may import later", () => {
  const chunk = (fileName: string, imports: string[]) => ({ type: "chunk", fileName, imports, dynamicImports: ["later.js"] });
  const bundle = Object.fromEntries(
    [chunk("start.js", ["a.js", "b.js"]), chunk("a.js", ["b.js"]), chunk("b.js", ["a.js"]), chunk("later.js", [])].map((one) => [one.fileName, one]),
  );
  expect([...closure(bundle as unknown as Rollup.OutputBundle, "start.js")]).toEqual(["start.js", "a.js", "b.js"]);
});

/** What the browser remembers of the last visit. */
function visited(user: string, org = "org_1", role = "owner"): void {
  localStorage.setItem("consigne.user", user);
  localStorage.setItem("consigne.org", org);
  localStorage.setItem("consigne.role", role);
}

const memory = () => ["user", "org", "role"].map((part) => localStorage.getItem(`consigne.${part}`));

test("whoever was here before has the first page read beside the session, and nothing twice", async () => {
  visited("user_ann");
  asAnn();
  const asked: string[] = [];
  const answer = (path: string, response: () => Response) =>
    on(`GET ${path}`, () => {
      asked.push(path);
      return response();
    });
  let tell = (_: Response) => {};
  const session = new Promise<Response>((told) => {
    tell = told;
  });
  on("GET /api/me", () => session);
  answer("/api/files/list", () => Response.json({ files: [], total: 0, userId: "user_ann", nextCursor: null }));
  answer("/api/orgs/org_1/wallet", () => data(WALLET));
  for (const part of ["keys", "stats", "endpoints"]) answer(`/api/orgs/org_1/${part}`, () => list([]));
  const page = await open("/");
  await waitFor(() => expect(asked.length).toBe(5));
  tell(data({ user_id: "user_ann", email: null, full_name: "Ann", first_name: "Ann", subscription: "pro", role: "user", features: [] }));
  await page.findByRole("heading", { name: "First steps" });
  expect(asked.length).toBe(5);
});

test("nothing is read of the organisation of somebody else who was here before", async () => {
  visited("user_bob", "org_9");
  asAnn("billing");
  const asked: string[] = [];
  on("GET /api/files/list", () => Response.json({ files: [], total: 0, userId: "user_ann", nextCursor: null }));
  on("GET /api/orgs/org_1/stats", () => list([]));
  on("GET /api/orgs/org_9/:part", ({ url }) => {
    asked.push(url);
    return list([]);
  });
  await open("/");
  await screen.findByRole("heading", { name: "First steps" });
  expect(asked).toEqual([]);
  expect(memory()).toEqual(["user_ann", "org_1", "billing"]);
});

test("after a switch the role in the other organisation is remembered with it", async () => {
  asAnn();
  on("GET /api/files/list", () => Response.json({ files: [], total: 0, userId: "user_ann", nextCursor: null }));
  on("GET /api/orgs", () => list([ORG, { ...ORG, id: "org_2", name: "Beta", role: "billing" }]));
  for (const org of ["org_1", "org_2"]) {
    on(`GET /api/orgs/${org}/wallet`, () => data(WALLET));
    on(`GET /api/orgs/${org}/payments`, () => list([]));
  }
  await open("/orgs/org_1/wallet");
  await screen.findByTestId("balance");
  expect(memory()).toEqual(["user_ann", "org_1", "owner"]);
  const [choice] = screen.getAllByRole("combobox", { name: "Organisation" });
  await userEvent.selectOptions(choice as HTMLElement, "Beta");
  await waitFor(() => expect(location.pathname).toBe("/orgs/org_2/wallet"));
  expect(memory()).toEqual(["user_ann", "org_2", "billing"]);
  // The palette leads back.
  await userEvent.keyboard("{Control>}k{/Control}");
  const search = await screen.findByRole("combobox", { name: "Page, organisation or file" });
  await userEvent.type(search, "Acme{Enter}");
  await waitFor(() => expect(memory()).toEqual(["user_ann", "org_1", "owner"]));
});
