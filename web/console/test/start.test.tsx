// What the first script asks for, and in what order.

import { waitFor } from "@testing-library/react";
import type { Rollup } from "vite";
import { expect, test } from "vitest";

import { closure } from "../preload.ts";
import { PAGES, pageAt } from "../src/pages.ts";
import { newRouter } from "../src/router.tsx";
import { asAnn, data, list, on, open, WALLET } from "./world.tsx";

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

test("whoever was here before has the first page read beside the session, and nothing twice", async () => {
  localStorage.setItem("consigne.org", "org_1");
  localStorage.setItem("consigne.role", "owner");
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
