// Decodes HEIC in a thread of its own. libheif is under the LGPL: both of its files are served as npm has them, so that they
// can be replaced, and this worker loads them only when a picture needs them.

import glue from "libheif-js/libheif-wasm/libheif.js?url";
import wasm from "libheif-js/libheif-wasm/libheif.wasm?url";

import type { Asked } from "./decode.ts";

/** Most pixels of a picture: a camera's largest today. Four bytes each are held. */
const PIXELS_MAX = 100_000_000;

interface Picture {
  get_width(): number;
  get_height(): number;
  is_primary(): boolean;
  display(into: ImageData, done: (shown: ImageData | null) => void): void;
  free(): void;
}

interface Library {
  HeifDecoder: new () => { decode(bytes: ArrayBuffer): Picture[] };
}

declare function importScripts(url: string): void;
declare const libheif: (given: { wasmBinary: ArrayBuffer }) => Library;

let library: Promise<Library> | undefined;

async function load(): Promise<Library> {
  importScripts(glue);
  const answer = await fetch(wasm);
  if (!answer.ok) throw new Error(`the decoder could not be loaded: HTTP ${answer.status}`);
  return libheif({ wasmBinary: await answer.arrayBuffer() });
}

async function decode(bytes: ArrayBuffer): Promise<Blob> {
  library ??= load();
  const { HeifDecoder } = await library;
  const pictures = new HeifDecoder().decode(bytes);
  try {
    const picture = pictures.find((one) => one.is_primary()) ?? pictures[0];
    if (!picture) throw new Error("the file has no picture that can be decoded");
    const width = picture.get_width();
    const height = picture.get_height();
    if (width * height > PIXELS_MAX) throw new Error(`the picture has too many pixels: ${width} x ${height}`);
    const shown = await new Promise<ImageData | null>((done) => picture.display(new ImageData(width, height), done));
    if (!shown) throw new Error("the picture is damaged");
    const canvas = new OffscreenCanvas(width, height);
    canvas.getContext("2d")?.putImageData(shown, 0, 0);
    return await canvas.convertToBlob({ type: "image/jpeg", quality: 0.92 });
  } finally {
    for (const one of pictures) one.free();
  }
}

addEventListener("message", async ({ data: { id, bytes } }: MessageEvent<Asked>) => {
  try {
    postMessage({ id, picture: await decode(bytes) });
  } catch (error) {
    postMessage({ id, failed: String((error as Error).message ?? error) });
  }
});
