import { expect, test } from "vitest";

import { clientOf, envelope, useWorld } from "./world.js";

const context = useWorld();

function pages(): void {
  const { world } = context;
  world.next("GET /api/orgs/org_1/keys", () => envelope([{ id: "key_1" }, { id: "key_2" }], { next_cursor: "two", total: null }));
  world.next("GET /api/orgs/org_1/keys", () => envelope([{ id: "key_3" }], { next_cursor: null, total: null }));
}

test("a list is read page by page, as far as it is needed", async () => {
  pages();
  const keys = clientOf().keys.list("org_1");
  expect(context.world.requests).toEqual([]);
  const seen: string[] = [];
  for await (const { id } of keys) {
    seen.push(id);
    if (seen.length === 2) break;
  }
  expect(seen).toEqual(["key_1", "key_2"]);
  expect(context.world.requests).toHaveLength(1);
});

test("a list is read to its end", async () => {
  pages();
  const keys = await clientOf().keys.list("org_1").all();
  expect(keys.map(({ id }) => id)).toEqual(["key_1", "key_2", "key_3"]);
});

test("files come with total and owner, books and articles as lists, too", async () => {
  const { world } = context;
  const client = clientOf();
  world.next("GET /api/files/list", () => ({ status: 200, body: { files: [{ key: "a" }], total: 2, userId: "user_1", nextCursor: "n" } }));
  expect(await client.files.list()).toEqual({ items: [{ key: "a" }], total: 2, userId: "user_1", nextCursor: "n" });
  world.next("GET /api/books", () => ({ status: 200, body: { books: [{ title: "One" }], nextCursor: "n" } }));
  world.next("GET /api/books", () => ({ status: 200, body: { books: [{ title: "Two" }], nextCursor: null } }));
  expect((await client.books().all()).map(({ title }) => title)).toEqual(["One", "Two"]);
  world.next("GET /api/blog", () => ({ status: 200, body: { articles: [{ title: "Three" }], nextCursor: null } }));
  expect((await client.articles({ limit: 1 }).all()).map(({ title }) => title)).toEqual(["Three"]);
  expect(world.requests).toHaveLength(4);
});

test("a list whose page fails rejects with its error", async () => {
  context.world.next("GET /api/orgs/org_1/keys", () => ({ status: 403, body: { error: { code: "ROLE_REQUIRED", message: "no" } } }));
  await expect(clientOf().keys.list("org_1").all()).rejects.toMatchObject({ code: "ROLE_REQUIRED" });
});
