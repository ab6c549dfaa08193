// The components of applications that exist work with only their imports changed.

import { act, screen, waitFor } from "@testing-library/react";
import { userEvent } from "@testing-library/user-event";
import { expect, test, vi } from "vitest";

import BookGenerator from "./fixtures/BookGenerator.js";
import TestS3 from "./fixtures/TestS3.js";
import UserFiles from "./fixtures/UserFiles.js";
import { openWorld, picture } from "./render.js";

const on = openWorld();

test("TestS3 uploads with one grant and one PUT, and counts the files", async () => {
  on.world.add("old.png");
  on.show(<TestS3 />);
  await screen.findByText("Files: 1");
  await userEvent.upload(screen.getByLabelText("image"), picture());
  await screen.findByText("Files: 2");
  expect(on.world.calls("POST /api/files/uploads")).toBe(1);
  expect(on.world.calls("PUT bucket")).toBe(1);
});

test("TestS3 does nothing when the dialog is cancelled", async () => {
  on.show(<TestS3 />);
  await screen.findByText("Files: 0");
  const input = screen.getByLabelText("image");
  await act(async () => void input.dispatchEvent(new Event("change", { bubbles: true })));
  expect(on.world.calls("POST /api/files/uploads")).toBe(0);
});

test("BookGenerator shows the book once it is written", async () => {
  vi.useFakeTimers({ shouldAdvanceTime: true, advanceTimeDelta: 20 });
  const user = userEvent.setup({ advanceTimers: vi.advanceTimersByTime });
  on.show(<BookGenerator />);
  await user.type(screen.getByLabelText("topic"), "Lighthouses");
  await user.click(screen.getByRole("button", { name: "Generate" }));
  await screen.findByText("Writing...");
  expect(on.world.bodies.at(-1)).toEqual({ topic: "Lighthouses", goal: "" });
  Object.assign(on.world.jobs.get("job_1") ?? {}, {
    status: "completed",
    result: { book_title: "Of Lighthouses", chapter_count: 7, word_count: 9000, file_size: 2048, download_url: "https://bucket.example/book" },
  });
  await act(() => vi.advanceTimersByTimeAsync(3100));
  await screen.findByText("Of Lighthouses");
  expect(screen.getByText("7 chapters, 9000 words, 2 kB")).toBeTruthy();
  expect(screen.getByRole("link", { name: "Download" }).getAttribute("href")).toBe("https://bucket.example/book");
  vi.useRealTimers();
});

test("BookGenerator shows the API's words, read as from axios", async () => {
  on.show(<BookGenerator />);
  await userEvent.click(screen.getByRole("button", { name: "Generate" }));
  await waitFor(() => expect(screen.getByRole("alert").textContent).toBe("topic must have 1 to 500 characters"));
  expect(document.querySelector("small")?.textContent).toBe("topic must have 1 to 500 characters");
});

test("UserFiles lists all pages of a kind, opens a file in a tab and deletes it", async () => {
  on.world.pageSize = 2;
  for (const name of ["a.pdf", "b.pdf", "c.pdf"]) on.world.add(name, { kind: "book" });
  on.world.add("d é/ü.pdf", { kind: "book", metadata: { title: "Of Lighthouses" } });
  on.world.add("photo.png");
  const opened = vi.spyOn(window, "open").mockReturnValue(null);
  on.show(<UserFiles />);
  await screen.findByText("Of Lighthouses");
  expect(screen.getAllByRole("listitem")).toHaveLength(4);
  // StrictMode loads twice.
  await waitFor(() => expect(on.world.calls("GET /api/secure/files/list")).toBe(2 * 2));

  await userEvent.click(screen.getByRole("button", { name: "Download d é/ü.pdf" }));
  await waitFor(() => expect(opened).toHaveBeenCalledWith(expect.stringContaining("https://bucket.example/user_ann/books/"), "_blank"));

  await userEvent.click(screen.getByRole("button", { name: "Delete d é/ü.pdf" }));
  await waitFor(() => expect(screen.getAllByRole("listitem")).toHaveLength(3));
});
