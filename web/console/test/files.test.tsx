import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { HttpResponse } from "msw";
import { beforeEach, expect, test } from "vitest";

import { lookOf } from "../src/files/Preview.tsx";
import { searchOf, viewOf } from "../src/routes/files.tsx";
import { asAnn, on, open, refused } from "./world.tsx";

const FILE = {
  ...{ fileId: "f1", key: "user_ann/blog/f1.txt", filename: "notes.txt", size: 5, contentType: "text/plain", kind: "blog", status: "ready" },
  ...{ width: null, height: null, dimensions: null, lastModified: "2026-11-28T10:00:00Z", metadata: { title: "Notes" } },
  ...{ durationSeconds: null, derivative: null, thumbnails: {} },
};
const PANEL = `/files?file=${encodeURIComponent(FILE.key)}`;

beforeEach(() => {
  asAnn();
  on("GET /api/files/usage", () =>
    Response.json({
      ...{ userId: "user_ann", plan: "pro", totalFiles: 1, totalSize: 500, reservedSize: 0, limit: 1000, percent: 50 },
      byKind: { blog: { files: 1, size: 500 } },
    }),
  );
  on("GET /api/files/list", () => Response.json({ files: [FILE], total: 1, userId: "user_ann", nextCursor: null }));
  on("POST /api/files/presigned-url", () =>
    Response.json({ url: "http://localhost:4580/bucket/f1", expiresIn: 600, expiresAt: new Date(Date.now() + 600_000).toISOString() }),
  );
  on("GET /bucket/f1", () => new Response("hello"));
});

/** Answers with the file under a name, and the revision of its record. */
const named = (filename: string, revision: string) => HttpResponse.json({ ...FILE, filename }, { headers: { etag: revision } }) as Response;

test("the address of a file opens it, with its text and what is known of it", async () => {
  on("GET /api/files/metadata", () => named("notes.txt", '"1"'));
  await open(PANEL);
  const panel = await screen.findByRole("dialog", { name: "notes.txt" });
  within(panel).getByText("text/plain");
  await within(panel).findByText("hello");
  within(panel).getByText("Notes");
  expect(within(panel).queryByText("Permanent address")).toBeNull();
  await userEvent.click(within(panel).getByRole("button", { name: "Close" }));
  await waitFor(() => expect(location.search).toBe(""));
});

test("a file that somebody renamed meanwhile is not renamed over that, and the person is told", async () => {
  let now = ["notes.txt", '"1"'] as [string, string];
  const sent: (string | null)[] = [];
  on("GET /api/files/metadata", () => named(...now));
  on("PATCH /api/files/metadata", async (request) => {
    sent.push(request.headers.get("if-match"));
    if (request.headers.get("if-match") !== now[1]) return refused(412, "PRECONDITION_FAILED", "the file was changed");
    now = [((await request.json()) as { filename: string }).filename, '"3"'];
    return named(...now);
  });
  await open(PANEL);
  const panel = await screen.findByRole("dialog");
  const name = await within(panel).findByLabelText("Name");
  now = ["minutes.txt", '"2"'];
  await userEvent.clear(name);
  await userEvent.type(name, "plan.txt");
  await userEvent.click(within(panel).getByRole("button", { name: "Rename" }));
  await within(panel).findByText(/Its name is now minutes\.txt/);
  await userEvent.click(within(panel).getByRole("button", { name: "Rename" }));
  await screen.findByRole("dialog", { name: "plan.txt" });
  expect(sent).toEqual(['"1"', '"2"']);
  expect(within(panel).queryByRole("alert")).toBeNull();
});

test("where there is an edge a file is published at an address to copy, and unpublished", async () => {
  let published = false;
  on("GET /api/files/metadata", () => named("notes.txt", '"1"'));
  on("POST /api/files/publish", async (request) => {
    published = ((await request.json()) as { s3Key: string }).s3Key === FILE.key;
    return Response.json({ url: "https://cdn.example/p/f1/notes.txt" });
  });
  on("DELETE /api/files/publish", () => {
    published = false;
    return Response.json({ success: true });
  });
  await open(PANEL, "en", true);
  const panel = await screen.findByRole("dialog");
  await userEvent.click(await within(panel).findByRole("button", { name: "Publish" }));
  await within(panel).findByText("https://cdn.example/p/f1/notes.txt");
  expect(published).toBe(true);
  await userEvent.click(within(panel).getByRole("button", { name: "Unpublish" }));
  await userEvent.click(within(await screen.findByRole("dialog", { name: "Take the address away?" })).getByRole("button", { name: "Unpublish" }));
  await screen.findByText(/private again/);
  expect(published).toBe(false);
});

test("an installation that publishes nothing says so", async () => {
  on("GET /api/files/metadata", () => named("notes.txt", '"1"'));
  on("POST /api/files/publish", () => refused(404, "NOT_FOUND", "there is no such route"));
  await open(PANEL, "en", true);
  await userEvent.click(await screen.findByRole("button", { name: "Publish" }));
  await screen.findByText("This installation publishes no files.");
});

test("a file that is gone says so, and one that was rejected says why", async () => {
  on("GET /api/files/metadata", () => refused(404, "NOT_FOUND", "no such file"));
  const { unmount } = await open(PANEL);
  await screen.findByText(/There is no such file/);
  unmount();
  on("GET /api/files/metadata", () => Response.json({ ...FILE, status: "rejected", rejectedReason: "declared image/png, found text" }));
  await open(PANEL);
  await screen.findByText("declared image/png, found text");
  expect(screen.getByRole("button", { name: "Download" })).toHaveProperty("disabled", true);
});

test("filter, order and kind are in the address, both ways", async () => {
  let asked = "";
  on("GET /api/files/list", (request) => {
    asked = new URL(request.url).search;
    return Response.json({ files: [FILE], total: 1, userId: "user_ann", nextCursor: null });
  });
  await open("/files?q=not&sort=size&kind=blog");
  expect((await screen.findByRole<HTMLInputElement>("searchbox")).value).toBe("not");
  await screen.findByRole("columnheader", { name: /Size/, description: "" });
  expect(asked).toContain("contentType=blog");
  await userEvent.type(screen.getByRole("searchbox"), "es");
  await waitFor(() => expect(location.search).toContain("q=notes"));
  await userEvent.click(screen.getByRole("button", { name: /^Name/ }));
  await waitFor(() => expect(location.search).toContain("sort=filename"));
  expect(screen.getByRole<HTMLInputElement>("searchbox").value).toBe("notes");
  await userEvent.click(screen.getByRole("link", { name: "Images" }));
  await waitFor(() => expect(asked).toContain("contentType=image"));
  await userEvent.click(screen.getAllByRole("link", { name: "Files" })[0] as Element);
  await waitFor(() => expect(screen.getByRole<HTMLInputElement>("searchbox").value).toBe(""));
  expect(searchOf(viewOf({}))).toEqual({ q: undefined, sort: undefined, up: undefined });
  expect(searchOf(viewOf({ q: "a", sort: "size", up: true }))).toEqual({ q: "a", sort: "size", up: true });
});

test("a file of a type that could run a script is not shown", () => {
  const looks = [
    "image/png",
    "image/svg+xml",
    "text/html",
    "text/plain; charset=utf-8",
    "application/pdf",
    "video/mp4",
    "audio/mpeg",
    "application/zip",
  ];
  expect(looks.map(lookOf)).toEqual(["image", null, null, "text", "pdf", "video", "audio", null]);
});
