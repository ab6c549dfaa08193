import { act, fireEvent, screen, waitFor, within } from "@testing-library/react";
import { userEvent } from "@testing-library/user-event";
import { afterEach, expect, test, vi } from "vitest";

import { FileManager, type FilesView } from "../src/components.js";
import { expectAccessible, openWorld, picture } from "./render.js";
import { fault } from "./world.js";

const on = openWorld();
const rows = () => screen.getAllByRole("row").slice(1);
const names = () => rows().map((row) => row.getAttribute("aria-label"));
const upload = () => document.querySelector("input[type=file]") as HTMLInputElement;
const said = () => [...screen.getAllByRole("status")].at(-1)?.textContent;

afterEach(() => {
  Object.defineProperty(navigator, "onLine", { configurable: true, value: true });
  window.dispatchEvent(new Event("online"));
});

test("without files it says so, and what to do", async () => {
  const { container } = on.show(<FileManager />);
  await screen.findByText("No files yet.");
  expect(screen.queryByRole("grid")).toBeNull();
  await expectAccessible(container);
});

test("a list that fails says what failed, with the request's id, and can be tried again", async () => {
  on.world.add("photo.png");
  on.world.next.set("GET /api/files/list", () => fault(403, "INSUFFICIENT_SCOPE", "the token may not read files"));
  const { container } = on.show(<FileManager />);
  const alert = await screen.findByRole("alert");
  expect(alert.textContent).toContain("The files could not be loaded. Nothing was changed. the token may not read files");
  expect(alert.textContent).toContain("Request req-1");
  await expectAccessible(container);
  await userEvent.click(within(alert).getByRole("button", { name: "Try again" }));
  await screen.findByRole("row", { name: "photo.png" });
  expect(screen.queryByRole("alert")).toBeNull();
});

test("while nobody is signed in it waits, and says that it loads", async () => {
  const { container } = on.show(<FileManager />, { ready: false });
  expect(screen.getByText("Loading files")).toBeTruthy();
  await waitFor(() => expect(container.querySelector(".csg-skeleton")).toBeTruthy());
  expect(on.world.requests).toEqual([]);
});

test("lists the files, newest first, as an accessible grid", async () => {
  on.world.add("old.png");
  on.world.add("new.png", { size: 1_572_864, metadata: { title: "A lighthouse" } });
  const { container } = on.show(<FileManager />);
  await screen.findByRole("row", { name: "new.png" });
  expect(names()).toEqual(["new.png", "old.png"]);
  expect(rows()[0]?.textContent).toContain("A lighthouse");
  expect(rows()[0]?.textContent).toContain("1.5 MB");
  expect(screen.getByRole("grid").getAttribute("aria-rowcount")).toBe("3");
  await expectAccessible(container);
});

test("is in French", async () => {
  on.world.add("photo.png");
  const { container } = on.show(<FileManager />, { locale: "fr" });
  await screen.findByText("1 fichier");
  expect(screen.getByRole("button", { name: "Supprimer photo.png" })).toBeTruthy();
  expect(container.querySelector("section")?.lang).toBe("fr");
  await expectAccessible(container);
});

test("uploads, shows the new file on top, and tells it once", async () => {
  on.world.add("old.png");
  const uploaded = vi.fn();
  on.show(<FileManager onUploaded={uploaded} />);
  await screen.findByRole("row", { name: "old.png" });
  await userEvent.upload(upload(), picture());
  await screen.findByRole("row", { name: "photo.png" });
  expect(names()).toEqual(["photo.png", "old.png"]);
  expect(uploaded).toHaveBeenCalledTimes(1);
  expect(uploaded.mock.calls[0]?.[0]).toMatchObject({ name: "photo.png", status: "ready", progress: 100 });
  expect(on.world.calls("POST /api/files/uploads")).toBe(1);
  expect(on.world.calls("PUT bucket")).toBe(1);
  // The list was changed in place.
  expect(on.world.calls("GET /api/files/list")).toBeLessThanOrEqual(2);
  expect(said()).toBe("photo.png uploaded");
});

test("a file that the check rejects fails with the reason, and can be removed from the uploads", async () => {
  on.world.verdict = "rejected";
  const uploaded = vi.fn();
  const { container } = on.show(<FileManager onUploaded={uploaded} />);
  await screen.findByText("No files yet.");
  await userEvent.upload(upload(), picture());
  await screen.findByText(/declared image\/png, found text/, { selector: ".csg-upload-status" });
  expect(uploaded).not.toHaveBeenCalled();
  expect(said()).toMatch(/^photo.png was not uploaded: /);
  await expectAccessible(container);
  await userEvent.click(screen.getByRole("button", { name: "Remove photo.png from this list" }));
  expect(screen.queryByRole("region", { name: "Uploads" })).toBeNull();
});

test("takes dropped files and leaves dropped text to the page", async () => {
  on.show(<FileManager />);
  await screen.findByText("No files yet.");
  const region = screen.getByRole("region", { name: "Files" });
  fireEvent.drop(region, { dataTransfer: { types: ["text/plain"], files: [], items: [] } });
  expect(on.world.calls("POST /api/files/uploads")).toBe(0);
  const dataTransfer = { types: ["Files"], files: [picture("dropped.png")], items: [], dropEffect: "" };
  fireEvent.dragEnter(region, { dataTransfer });
  expect(screen.getByText("Drop the files to upload them")).toBeTruthy();
  fireEvent.drop(region, { dataTransfer });
  await screen.findByRole("row", { name: "dropped.png" });
});

test("renames by F2, and gives the focus back to the row", async () => {
  on.world.add("photo.png");
  on.show(<FileManager />);
  const row = await screen.findByRole("row", { name: "photo.png" });
  act(() => row.focus());
  await userEvent.keyboard("{F2}");
  const input = screen.getByRole("textbox", { name: "New name of photo.png" }) as HTMLInputElement;
  expect([input.selectionStart, input.selectionEnd]).toEqual([0, 5]);
  await userEvent.keyboard("été{Enter}");
  await screen.findByRole("row", { name: "été.png" });
  expect(on.world.bodies.at(-1)).toMatchObject({ filename: "été.png" });
  expect(said()).toBe("Renamed to été.png");
  expect(document.activeElement?.getAttribute("aria-label")).toBe("été.png");
});

test("Escape keeps the old name", async () => {
  on.world.add("photo.png");
  on.show(<FileManager />);
  await userEvent.click(await screen.findByRole("button", { name: "Rename photo.png" }));
  await userEvent.keyboard("other{Escape}");
  expect(screen.getByRole("row", { name: "photo.png" })).toBeTruthy();
  expect(on.world.calls("PATCH /api/files/metadata")).toBe(0);
});

test("a name that the API refuses is said, and the old one stays", async () => {
  on.world.add("photo.png");
  on.show(<FileManager />);
  await userEvent.click(await screen.findByRole("button", { name: "Rename photo.png" }));
  on.world.next.set("PATCH /api/files/metadata", () => fault(415, "UNSUPPORTED_FILE_TYPE", "extension exe is not accepted"));
  await userEvent.keyboard("photo.exe{Enter}");
  expect((await screen.findByRole("alert")).textContent).toContain("photo.png was not renamed. extension exe is not accepted");
  expect(screen.getByRole("row", { name: "photo.png" })).toBeTruthy();
});

test("deletes after a question, and the focus goes to the next file", async () => {
  on.world.add("third.png");
  on.world.add("second.png");
  on.world.add("first.png");
  const { container } = on.show(<FileManager />);
  const row = await screen.findByRole("row", { name: "second.png" });
  act(() => row.focus());
  await userEvent.keyboard("{Delete}");
  const dialog = screen.getByRole("dialog", { name: "Delete second.png?" });
  await expectAccessible(container);
  await userEvent.click(within(dialog).getByRole("button", { name: "Cancel" }));
  expect(screen.queryByRole("dialog")).toBeNull();
  expect(document.activeElement).toBe(row);
  expect(on.world.calls("DELETE /api/files/delete")).toBe(0);

  await userEvent.keyboard("{Delete}");
  await userEvent.click(screen.getByRole("button", { name: "Delete file" }));
  await waitFor(() => expect(names()).toEqual(["first.png", "third.png"]));
  expect(said()).toBe("second.png deleted");
  await waitFor(() => expect(document.activeElement?.getAttribute("aria-label")).toBe("third.png"));
});

test("a file that cannot be deleted stays, and the reason is said", async () => {
  on.world.add("photo.png");
  on.show(<FileManager />);
  await userEvent.click(await screen.findByRole("button", { name: "Delete photo.png" }));
  on.world.next.set("DELETE /api/files/delete", () => fault(403, "INSUFFICIENT_SCOPE", "the token may not delete"));
  await userEvent.click(screen.getByRole("button", { name: "Delete file" }));
  expect((await screen.findByRole("alert")).textContent).toContain("photo.png was not deleted. the token may not delete");
  expect(names()).toEqual(["photo.png"]);
});

test("filters without regard to case and accents, and sorts names with their numbers", async () => {
  for (const name of ["page 10.png", "Été.png", "page 2.png", "page 1.png"]) on.world.add(name);
  on.show(<FileManager />);
  await screen.findByRole("row", { name: "Été.png" });
  await userEvent.click(screen.getByRole("button", { name: "Name" }));
  expect(names()).toEqual(["Été.png", "page 1.png", "page 2.png", "page 10.png"]);
  await userEvent.click(screen.getByRole("button", { name: "Name" }));
  expect(names()).toEqual(["page 10.png", "page 2.png", "page 1.png", "Été.png"]);
  expect(screen.getByRole("columnheader", { name: "Name" }).getAttribute("aria-sort")).toBe("descending");

  await userEvent.type(screen.getByRole("searchbox"), "ETE");
  await waitFor(() => expect(names()).toEqual(["Été.png"]));
  expect(screen.getByText("1 file matches")).toBeTruthy();
  await userEvent.clear(screen.getByRole("searchbox"));
  await userEvent.type(screen.getByRole("searchbox"), "zebra");
  await userEvent.click(await screen.findByRole("button", { name: "Clear the filter" }));
  await waitFor(() => expect(names()).toHaveLength(4));
});

test("one row is reached by Tab; arrows, Home and End move, and Enter opens", async () => {
  for (const name of ["c.png", "b.png", "a.png"]) on.world.add(name);
  const opened = vi.fn();
  on.show(<FileManager onOpen={opened} />);
  await screen.findByRole("row", { name: "a.png" });
  expect(rows().map((row) => row.tabIndex)).toEqual([0, -1, -1]);
  act(() => rows()[0]?.focus());
  const focused = () => document.activeElement?.getAttribute("aria-label");
  await userEvent.keyboard("{ArrowDown}");
  expect(focused()).toBe("b.png");
  await userEvent.keyboard("{End}");
  expect(focused()).toBe("c.png");
  await userEvent.keyboard("{Home}{ArrowRight}");
  expect(focused()).toBe("Open a.png");
  await userEvent.keyboard("{ArrowRight}");
  expect(focused()).toBe("Rename a.png");
  await userEvent.keyboard("{ArrowLeft}{ArrowLeft}{Enter}");
  expect(opened.mock.calls[0]?.[0]).toMatchObject({ filename: "a.png" });
});

test("of 10,000 files at most 60 rows are in the document, and the active one stays", async () => {
  on.world.pageSize = 10_000;
  for (let number = 9_999; number >= 0; number -= 1) on.world.add(`photo ${number}.png`);
  const { container } = on.show(<FileManager />);
  await screen.findByRole("row", { name: "photo 0.png" });
  expect(rows().length).toBeLessThanOrEqual(60);
  act(() => rows()[0]?.focus());
  const body = container.querySelector(".csg-body") as HTMLElement;
  fireEvent.scroll(body, { target: { scrollTop: 5_000 * 44 } });
  expect(screen.getByRole("row", { name: "photo 5005.png" })).toBeTruthy();
  expect(document.activeElement?.getAttribute("aria-label")).toBe("photo 0.png");
  expect(rows().length).toBeLessThanOrEqual(60);
  await userEvent.keyboard("{End}");
  expect(document.activeElement?.getAttribute("aria-label")).toBe("photo 9999.png");
  expect(document.activeElement?.getAttribute("aria-rowindex")).toBe("10001");
});

test("loads the next page at the end of the list, or when asked", async () => {
  on.world.pageSize = 100;
  for (let number = 0; number < 250; number += 1) on.world.add(`photo ${number}.png`);
  on.show(<FileManager />);
  await screen.findByText("100 of 250 files");
  expect(screen.getByRole("grid").getAttribute("aria-rowcount")).toBe("251");
  act(() => rows()[0]?.focus());
  await userEvent.keyboard("{End}");
  await screen.findByText("200 of 250 files");
  await userEvent.click(screen.getByRole("button", { name: "Load more" }));
  await screen.findByText("250 files");
  expect(screen.queryByRole("button", { name: "Load more" })).toBeNull();
});

test("a filter says how much of the list it looked through", async () => {
  on.world.pageSize = 100;
  for (let number = 0; number < 250; number += 1) on.world.add(`photo ${number}.png`);
  on.show(<FileManager />);
  await screen.findByText("100 of 250 files");
  await userEvent.type(screen.getByRole("searchbox"), "photo 249");
  await screen.findByText("1 file matches The filter looks through the 100 files that are loaded, of 250.");
  expect(on.world.calls("GET /api/files/list")).toBeLessThanOrEqual(2);
});

test("shows a thumbnail where the file has one, and asks for all of them at once", async () => {
  on.world.add("plain.png");
  for (const number of [1, 2, 3]) {
    const thumbnails = { "1024": `derived/large${number}.webp`, "256": `derived/small${number}.webp` };
    on.world.add(`photo ${number}.png`, { thumbnails });
    on.world.add(`small${number}`, { key: `derived/small${number}.webp`, status: "pending" });
  }
  const { container } = on.show(<FileManager />);
  await waitFor(() => expect(container.querySelectorAll("img")).toHaveLength(3));
  expect(container.querySelector("img")?.getAttribute("src")).toContain("derived/small3.webp?signature=");
  expect(on.world.calls("POST /api/files/presigned-url")).toBe(1);
});

test("says that the browser is offline", async () => {
  on.show(<FileManager />);
  await screen.findByText("No files yet.");
  Object.defineProperty(navigator, "onLine", { configurable: true, value: false });
  fireEvent(window, new Event("offline"));
  expect(screen.getByText(/You are offline/)).toBeTruthy();
});

test("another person sees nothing of the one before", async () => {
  on.world.add("of ann.png");
  const { rerender } = on.show(<FileManager />);
  await screen.findByRole("row", { name: "of ann.png" });
  on.world.files = [];
  rerender(on.wrap(<FileManager />, { userId: "user_bob" }));
  expect(screen.queryByRole("row", { name: "of ann.png" })).toBeNull();
  await screen.findByText("No files yet.");
});

test("filter and order can be kept outside, such as in the address of the page", async () => {
  for (const name of ["b.png", "a.png", "ab.png"]) on.world.add(name);
  const seen: FilesView[] = [];
  on.show(<FileManager view={{ filter: "b", order: { column: "filename", descending: false } }} onView={(next) => seen.push(next)} />);
  await waitFor(() => expect(names()).toEqual(["ab.png", "b.png"]));
  const box = screen.getByRole<HTMLInputElement>("searchbox");
  await userEvent.clear(box);
  await userEvent.type(box, "ab");
  expect(seen.map(({ filter }) => filter)).toEqual(["", "a", "ab"]);
  await userEvent.click(screen.getByRole("button", { name: "Size" }));
  expect(seen.at(-1)).toEqual({ filter: "ab", order: { column: "size", descending: false } });
});

test("a batch says how much of it is ready, and all that failed is tried again at once", async () => {
  on.world.verdict = "rejected";
  on.show(<FileManager />);
  await screen.findByText("No files yet.");
  await userEvent.upload(upload(), [picture("a.png"), picture("b.png")]);
  await screen.findByText("0 of 2 ready, 2 failed");
  on.world.verdict = "ready";
  await userEvent.click(screen.getByRole("button", { name: "Retry all" }));
  await waitFor(() => expect(screen.queryByText(/failed/)).toBeNull());
  await waitFor(() => expect(names().sort()).toEqual(["a.png", "b.png"]));
});
