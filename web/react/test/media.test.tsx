import { act, fireEvent, screen, waitFor } from "@testing-library/react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { ImageResults, VideoResults } from "../src/components.js";
import { expectAccessible, openWorld } from "./render.js";

const on = openWorld();
const SIGN = "POST /api/files/presigned-url";
const images = () => screen.getAllByRole("img") as HTMLImageElement[];
const pass = (milliseconds: number) => act(() => vi.advanceTimersByTimeAsync(milliseconds));

beforeEach(() => {
  vi.useFakeTimers({ shouldAdvanceTime: true, advanceTimeDelta: 20 });
});

afterEach(() => {
  vi.useRealTimers();
});

/** Pictures as a job's result has them. */
function results(count: number) {
  return Array.from({ length: count }, (_, index) => {
    const { key, filename } = on.world.add(`photo ${index}.png`);
    return { s3_key: key, filename, width: 640, height: 480, file_size: 1000 };
  });
}

test("pictures are signed by one request, and keep their places", async () => {
  const { container } = on.show(<ImageResults images={results(3)} />);
  await waitFor(() => expect(images()).toHaveLength(3));
  expect(images()[0]?.alt).toBe("photo 0.png");
  expect([images()[0]?.width, images()[0]?.height]).toEqual([640, 480]);
  expect(on.world.calls(SIGN)).toBe(1);
  await expectAccessible(container);
});

test("a gallery that is shown again within the tickets' life asks for no second URL", async () => {
  const shown = results(3);
  const { rerender } = on.show(<ImageResults images={shown} />);
  await waitFor(() => expect(images()).toHaveLength(3));
  const urls = images().map((image) => image.src);
  rerender(on.wrap(<p>elsewhere</p>));
  await pass(3_500_000);
  rerender(on.wrap(<ImageResults images={shown} />));
  // At once: the URLs need not be waited for.
  expect(images().map((image) => image.src)).toEqual(urls);
  expect(on.world.calls(SIGN)).toBe(1);

  rerender(on.wrap(<p>elsewhere</p>));
  await pass(100_000);
  rerender(on.wrap(<ImageResults images={shown} />));
  await waitFor(() => expect(images()).toHaveLength(3));
  expect(on.world.calls(SIGN)).toBe(2);
});

test("a picture whose URL fails gets one new URL, and then says that it cannot be shown", async () => {
  on.show(<ImageResults images={results(1)} />);
  await waitFor(() => expect(images()).toHaveLength(1));
  const first = images()[0] as HTMLImageElement;
  const { src } = first;
  fireEvent.error(first);
  await waitFor(() => expect(images()[0]?.src).not.toBe(src));
  fireEvent.error(images()[0] as HTMLImageElement);
  expect(screen.getByRole("alert").textContent).toContain("photo 0.png cannot be shown.");
  expect(on.world.calls(SIGN)).toBe(2);
});

test("a picture that is gone says so, and the others are shown", async () => {
  const shown = [...results(1), { s3_key: "gone.png", filename: "gone.png", width: 1, height: 1 }];
  on.show(<ImageResults images={shown} />);
  await waitFor(() => expect(images()).toHaveLength(1));
  expect(screen.getByRole("alert").textContent).toContain("gone.png cannot be shown. File not found");
});

test("without pictures or films it says so", () => {
  on.show(
    <>
      <ImageResults images={[]} locale="fr" />
      <VideoResults videos={[]} />
    </>,
  );
  expect(screen.getByText("Aucune image.")).toBeTruthy();
  expect(screen.getByText("No videos.")).toBeTruthy();
});

/** Shows a film, lets it load and play to a second. */
async function playTo(second: number) {
  const { key, filename } = on.world.add("film.mp4", { kind: "video" });
  const shown = on.show(<VideoResults videos={[{ s3_key: key, filename, width: 640, height: 480 }]} />);
  await waitFor(() => expect(shown.container.querySelector("video")).toBeTruthy());
  const video = shown.container.querySelector("video") as HTMLVideoElement;
  const play = vi.fn(async () => void fireEvent.play(video));
  Object.assign(video, { play });
  fireEvent.loadedMetadata(video);
  fireEvent.play(video);
  video.currentTime = second;
  return { video, play, container: shown.container };
}

test("a film that was paused beyond its ticket goes on at the same second", async () => {
  const { video, play, container } = await playTo(42);
  await expectAccessible(container);
  const { src } = video;
  fireEvent.pause(video);
  await pass(3_700_000);
  expect(video.src).toBe(src);
  // The ticket has ended. Play asks for a new one, loads it, seeks and plays on.
  fireEvent.play(video);
  await waitFor(() => expect(video.src).not.toBe(src));
  video.currentTime = 0;
  fireEvent.loadedMetadata(video);
  expect(video.currentTime).toBe(42);
  expect(play).toHaveBeenCalledTimes(1);
  expect(on.world.calls(SIGN)).toBe(2);
});

test("a film whose URL ends while it plays goes on by itself", async () => {
  const { video, play } = await playTo(7);
  const { src } = video;
  fireEvent.error(video);
  await waitFor(() => expect(video.src).not.toBe(src));
  video.currentTime = 0;
  fireEvent.loadedMetadata(video);
  expect(video.currentTime).toBe(7);
  expect(play).toHaveBeenCalledTimes(1);
});

test("a film that is paused when it is renewed stays paused", async () => {
  const { video, play } = await playTo(7);
  fireEvent.pause(video);
  await pass(3_700_000);
  const { src } = video;
  fireEvent.seeking(video);
  await waitFor(() => expect(video.src).not.toBe(src));
  fireEvent.loadedMetadata(video);
  expect(play).not.toHaveBeenCalled();
});

test("a film that never loads says so, and can be tried again", async () => {
  const { key, filename } = on.world.add("film.mp4", { kind: "video" });
  const { container } = on.show(<VideoResults videos={[{ key, filename }]} />);
  await waitFor(() => expect(container.querySelector("video")).toBeTruthy());
  fireEvent.error(container.querySelector("video") as HTMLVideoElement);
  expect(screen.getByRole("alert").textContent).toContain("film.mp4 cannot be played.");
  fireEvent.click(screen.getByRole("button", { name: "Try again" }));
  await waitFor(() => expect(container.querySelector("video")).toBeTruthy());
});
