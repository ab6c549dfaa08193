import licence from "libheif-js/libheif-wasm/LICENSE?url";

/** Address of the licence of the decoder, the LGPL. */
export const LICENCE: string = licence;

/** What the worker is asked for. */
export interface Asked {
  id: number;
  bytes: ArrayBuffer;
}

interface Answered {
  id: number;
  picture?: Blob;
  failed?: string;
}

let worker: Worker | undefined;
let asked = 0;

/** Decodes a HEIC picture into a JPEG. Rejects with an error that says why it cannot be decoded. */
export async function decode(file: Blob): Promise<Blob> {
  const bytes = await file.arrayBuffer();
  worker ??= new Worker(new URL("./worker.ts", import.meta.url));
  const at = worker;
  const id = ++asked;
  return new Promise<Blob>((done, fail) => {
    const end = () => {
      at.removeEventListener("message", onMessage);
      at.removeEventListener("error", onError);
    };
    const onMessage = ({ data }: MessageEvent<Answered>) => {
      if (data.id !== id) return;
      end();
      if (data.picture) done(data.picture);
      else fail(new Error(data.failed));
    };
    const onError = ({ message }: ErrorEvent) => {
      end();
      // It may have run out of memory. The next picture gets a new one.
      if (worker === at) worker = undefined;
      at.terminate();
      fail(new Error(message || "the decoder has stopped"));
    };
    at.addEventListener("message", onMessage);
    at.addEventListener("error", onError);
    at.postMessage({ id, bytes } satisfies Asked, [bytes]);
  });
}
