import { act, cleanup, fireEvent, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, expect, test, vi } from "vitest";

import { isOnItsWay, linesOf, markSeen, type Order, type OrderPhoto, photosOf, seenOrders } from "../src/orders/orders.ts";
import { keyed, MOST, scrolled, scrollOf, stepped, WHOLE, zoomed } from "../src/orders/view.ts";
import { asAnn, data, on, open, refused } from "./world.tsx";

const PHOTO = {
  ...{ name: "face.jpg", content_type: "image/jpeg", size: 512_000, uploaded_at: "2026-11-28T09:00:00Z" },
  ...{ status: "ready" as const, reason: null },
};

function order(number: number, more: Partial<Order> = {}): Order {
  return {
    order_id: `ord_${number}`,
    status: "submitted",
    email: `customer${number}@people.example`,
    paid_at: "2026-11-28T08:00:00Z",
    submitted_at: "2026-11-28T09:00:00Z",
    earlier: [],
    answers: { birth_date: "1990-02-03", topics: ["love", "work"] },
    files: [
      { ...PHOTO, type: "palm_photo", key: `orders/${number}/palm`, url: `http://files.example/${number}/palm` },
      { ...PHOTO, type: "face_photo", key: `orders/${number}/face`, url: `http://files.example/${number}/face` },
    ],
    ...more,
  };
}

let reads: string[] = [];

/** Answers as an API with some orders, of which a page has three. */
function withOrders(count: number): void {
  const all = Array.from({ length: count }, (_, index) => order(index + 1));
  reads = [];
  on("GET /api/orders", (request) => {
    const url = new URL(request.url);
    if (url.searchParams.get("status") !== "submitted") return page([], null);
    const from = Number(url.searchParams.get("cursor") ?? 0);
    return page(
      all.slice(from, from + 3).map(({ files: _, answers: __, ...entry }) => entry),
      from + 3 < count ? String(from + 3) : null,
    );
  });
  on("GET /api/orders/:id", (request) => {
    const id = request.url.split("/").at(-1) ?? "";
    reads.push(id);
    const found = all.find(({ order_id }) => order_id === id);
    const signed = (url: string | null) => url && `${url}?signature=${reads.filter((one) => one === id).length}`;
    return found ? data({ ...found, files: found.files.map((file) => ({ ...file, url: signed(file.url) })) }) : refused(404, "NOT_FOUND", "no order");
  });
}

const page = (items: unknown[], cursor: string | null) =>
  Response.json({ success: true, message: "", data: items, metadata: { next_cursor: cursor, total: null }, timestamp: "2026-11-28T10:00:00Z" });

function asExpert(): void {
  asAnn();
  on("GET /api/me", () =>
    data({ user_id: "user_eve", email: null, full_name: "Eve", first_name: "Eve", subscription: "pro", role: "expert", features: [] }),
  );
}

const OF = (name: string) => screen.findByRole<HTMLImageElement>("img", { name });

beforeEach(() => {
  // The list has a height, as in a browser.
  vi.spyOn(HTMLElement.prototype, "clientHeight", "get").mockReturnValue(480);
});

test("nobody but experts finds the orders, and their address says who does", async () => {
  asAnn();
  await open("/orders");
  await screen.findByText("You may not see this page.");
  screen.getByText(/Your role is user\. Orders are for the roles expert and admin/);
  expect(screen.queryByRole("link", { name: "Orders" })).toBeNull();
});

test("an expert sees face and palm side by side, and what was answered", async () => {
  asExpert();
  withOrders(2);
  await open("/orders");
  await userEvent.click(await screen.findByRole("link", { name: /ord_1/ }));
  await OF("Face");
  const photos = screen.getAllByRole<HTMLImageElement>("img").map(({ alt }) => alt);
  expect(photos).toEqual(["Face", "Palm"]);
  screen.getByText("birth date");
  screen.getByText("love, work");
  screen.getByText("1 of 2");
  expect(location.search).toContain("order=ord_1");
  expect(location.href).not.toContain("signature");
});

test("arrow keys lead from one order to the next, across pages, with the next one read ahead", async () => {
  asExpert();
  withOrders(7);
  await open("/orders?order=ord_1");
  await OF("Face");
  // Each reading is in the audit: nothing is read ahead before somebody goes through the list.
  expect(reads).toEqual(["ord_1"]);
  for (let at = 2; at <= 7; at += 1) {
    await userEvent.keyboard("{ArrowRight}");
    await screen.findByRole("heading", { name: `customer${at}@people.example` });
    expect(document.activeElement?.textContent).toBe(`customer${at}@people.example`);
    if (at === 2) await waitFor(() => expect(reads).toContain("ord_3"));
  }
  expect(screen.getByRole<HTMLButtonElement>("button", { name: "Next" }).disabled).toBe(true);
  await userEvent.keyboard("{ArrowLeft}");
  await screen.findByRole("heading", { name: "customer6@people.example" });
  // Each was read once: nothing was read again on the way back.
  expect(reads.length).toBe(new Set(reads).size);
  expect([...seenOrders()].length).toBe(7);
});

test("in the list the arrows go up and down and keep the focus", async () => {
  asExpert();
  withOrders(3);
  await open("/orders?order=ord_1");
  const first = await screen.findByRole("link", { name: /ord_1/ });
  act(() => first.focus());
  await userEvent.keyboard("{ArrowDown}");
  await screen.findByRole("heading", { name: "customer2@people.example" });
  await waitFor(() => expect(document.activeElement?.textContent).toContain("ord_2"));
  expect(document.activeElement?.getAttribute("aria-current")).toBe("page");
  const filters = screen.getByRole("navigation", { name: "State of the orders" });
  expect(within(filters).getByRole("link", { current: "page" }).textContent).toBe("Submitted");
  await userEvent.click(within(filters).getByRole("link", { name: "Waiting for photos" }));
  await screen.findByText("There are no orders in this state.");
  expect(within(filters).getByRole("link", { current: "page" }).textContent).toBe("Waiting for photos");
});

test("a link that is over is replaced unseen, and a photo that is shown keeps its own", async () => {
  asExpert();
  withOrders(1);
  await open("/orders?order=ord_1");
  const face = await OF("Face");
  expect(face.src).toBe("http://files.example/1/face?signature=1");
  fireEvent.error(face);
  await waitFor(() => expect(face.src).toBe("http://files.example/1/face?signature=2"));
  expect((await OF("Palm")).src).toBe("http://files.example/1/palm?signature=1");
  // A second failure is no matter of time.
  fireEvent.error(face);
  await screen.findByText("The photo cannot be shown.");
  expect(reads).toEqual(["ord_1", "ord_1"]);
});

test("a photo can be enlarged and turned, and is whole again in the next order", async () => {
  asExpert();
  withOrders(2);
  await open("/orders?order=ord_1");
  const face = await OF("Face");
  const frame = screen.getByRole("region", { name: /^Face/ });
  await userEvent.click(screen.getByRole("button", { name: "Enlarge Face" }));
  within(frame.parentElement as HTMLElement).getByText("150%");
  expect(face.style.width).toBe("150%");
  await userEvent.click(screen.getByRole("button", { name: "Turn Face" }));
  expect(face.style.rotate).toBe("90deg");
  await userEvent.click(screen.getByRole("button", { name: "Next" }));
  await waitFor(async () => expect((await OF("Face")).style.width).toBe("100%"));
});

test("a list without orders and a list that fails say so", async () => {
  asExpert();
  on("GET /api/orders", () => page([], null));
  await open("/orders");
  await screen.findByText("No order waits for you.");
  cleanup();
  on("GET /api/orders", () => refused(500, "INTERNAL", "something failed"));
  await open("/orders");
  within(await screen.findByRole("alert")).getByText("The orders could not be read.");
});

test("answers of any shape become lines", () => {
  expect(linesOf(null)).toEqual([]);
  expect(linesOf({ birthDate: "1990", partner: { name: "Bob", age: null }, tags: [1, 2], deep: [{ a: 1 }] })).toEqual([
    ["birth date", "1990"],
    ["partner, name", "Bob"],
    ["partner, age", "–"],
    ["tags", "1, 2"],
    ["deep, 0, a", "1"],
  ]);
});

test("a photo that cannot be seen says why, and an earlier submission is loaded when it is opened", async () => {
  asExpert();
  const [palm, face] = order(1).files as [OrderPhoto, OrderPhoto];
  const shown = order(1, {
    files: [
      { ...palm, status: "rejected", reason: "the file is no picture", url: null },
      { ...face, status: "pending", url: null },
    ],
    earlier: [
      {
        number: 1,
        asked_at: "2026-11-27T09:00:00Z",
        answers: { birth_date: "1991" },
        files: [{ ...face, key: "old", url: "http://files.example/old" }],
      },
    ],
  });
  on("GET /api/orders", () => page([shown], null));
  on("GET /api/orders/:id", () => data(shown));
  await open("/orders?order=ord_1");
  await screen.findByText("Not arrived yet.");
  screen.getByText("the file is no picture");
  expect(screen.queryByRole("img")).toBeNull();
  const details = screen.getByText(/^Submission 1/).closest("details") as HTMLDetailsElement;
  act(() => {
    details.open = true;
    fireEvent(details, new Event("toggle"));
  });
  expect((await OF("Face")).src).toBe("http://files.example/old");
  screen.getByText("1991");
});

test("the face comes before the palm, and a copy that is still to be made is waited for", () => {
  const files = order(1).files;
  expect(photosOf(files).map(({ type }) => type)).toEqual(["face_photo", "palm_photo"]);
  const [photo] = files as [OrderPhoto];
  expect([photo, { ...photo, url: null }, { ...photo, url: null, status: "rejected" as const }].map(isOnItsWay)).toEqual([false, true, false]);
});

test("the ids of opened orders are kept, and not without end", () => {
  for (let number = 0; number < 510; number += 1) markSeen(`ord_${number}`);
  expect(seenOrders().size).toBe(500);
  expect(seenOrders().has("ord_509")).toBe(true);
  localStorage.setItem("consigne.orders.seen", "{");
  expect(seenOrders().size).toBe(0);
});

test("what is at a point stays there when a photo is enlarged, and the middle stays inside", () => {
  const close = zoomed(WHOLE, 2, { x: 0.25, y: 0.5 });
  expect(close).toEqual({ zoom: 2, x: 0.375, y: 0.5 });
  // The point a quarter into the frame showed a quarter of the photo before, and still does.
  expect(close.x + (0.25 - 0.5) / close.zoom).toBe(0.25);
  expect(zoomed(close, 0.1)).toEqual(WHOLE);
  expect(zoomed(WHOLE, 99).zoom).toBe(MOST);
  expect(zoomed(WHOLE, 2, { x: 0, y: 1 })).toEqual({ zoom: 2, x: 0.25, y: 0.75 });
  expect(stepped({ ...WHOLE, zoom: 2.2 }, true).zoom).toBe(3);
  expect(stepped({ ...WHOLE, zoom: 2.2 }, false).zoom).toBe(2);
  expect([keyed(close, "0"), keyed(close, "+")?.zoom, keyed(close, "-")?.zoom, keyed(close, "a")]).toEqual([WHOLE, 3, 1.5, undefined]);
});

test("a frame that was scrolled shows another part, and less than a pixel is no move", () => {
  const frame = { scrollLeft: 100, scrollTop: 0, clientWidth: 100, clientHeight: 200 };
  expect(scrollOf({ zoom: 2, x: 0.75, y: 0.25 }, 100, 200)).toEqual({ left: 100, top: 0 });
  const moved = scrolled({ zoom: 2, x: 0.5, y: 0.25 }, frame);
  expect(moved).toEqual({ zoom: 2, x: 0.75, y: 0.25 });
  expect(scrolled(moved, { ...frame, scrollLeft: 99.5 })).toBe(moved);
  expect(scrolled(WHOLE, { scrollLeft: 0, scrollTop: 0, clientWidth: 0, clientHeight: 0 })).toEqual(WHOLE);
});

test("both photos are enlarged and moved together, until somebody parts them", async () => {
  asExpert();
  withOrders(2);
  vi.spyOn(HTMLElement.prototype, "clientWidth", "get").mockReturnValue(480);
  await open("/orders?order=ord_1");
  const [face, palm] = [await OF("Face"), await OF("Palm")];
  const [first, second] = [screen.getByRole("region", { name: /^Face/ }), screen.getByRole("region", { name: /^Palm/ })];
  const zoom = () => [face.style.width, palm.style.width];
  expect(face.getAttribute("loading")).toBe("lazy");
  await userEvent.click(screen.getByRole("button", { name: "Enlarge Palm" }));
  expect(zoom()).toEqual(["150%", "150%"]);
  // A key acts where the focus is on a photo, and nowhere else on the page.
  act(() => screen.getByRole("link", { name: /ord_1/ }).focus());
  await userEvent.keyboard("+-0");
  expect(zoom()).toEqual(["150%", "150%"]);
  screen.getByText(/While the focus is on a photo, the keys \+ and -/);
  act(() => first.focus());
  await userEvent.keyboard("+");
  expect(zoom()).toEqual(["200%", "200%"]);
  first.scrollTop = 480;
  fireEvent.scroll(first);
  expect(second.scrollTop).toBe(480);
  fireEvent.wheel(second, { ctrlKey: true, deltaY: -100 });
  expect(zoom()).toEqual(["300%", "300%"]);
  fireEvent.wheel(second, { deltaY: -100 });
  expect(zoom()).toEqual(["300%", "300%"]);
  const fingers = (apart: number) => ({ touches: [0, apart].map((x) => ({ clientX: x, clientY: 0 })) });
  fireEvent.touchStart(first, fingers(100));
  fireEvent.touchMove(first, fingers(50));
  expect(zoom()).toEqual(["150%", "150%"]);
  await userEvent.keyboard("0");
  expect(zoom()).toEqual(["100%", "100%"]);
  await userEvent.dblClick(first);
  expect(zoom()).toEqual(["300%", "300%"]);
  await userEvent.dblClick(second);
  expect(zoom()).toEqual(["100%", "100%"]);

  await userEvent.click(screen.getByRole("checkbox", { name: /both photos together/ }));
  act(() => second.focus());
  await userEvent.keyboard("+");
  expect(zoom()).toEqual(["100%", "150%"]);
  await userEvent.click(screen.getByRole("checkbox", { name: /both photos together/ }));
  expect(zoom()).toEqual(["100%", "100%"]);
});
