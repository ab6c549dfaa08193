import { useCallback, useEffect, useRef, useState } from "react";

import type { OrderPhoto } from "./orders.ts";

/** A photo that has a link. */
export type Linked = OrderPhoto & { url: string };

/** A photo as the page shows it. */
export interface Picture {
  /** What an image element shows; undefined while it is on its way, or if it cannot be shown. */
  url: string | undefined;
  /** Why it cannot be shown. */
  failed: string | undefined;
  /** Whether the page has decoded it because the browser cannot. */
  decoded: boolean;
  /** The image element could not load the URL. */
  onError(): void;
}

const isHeic = ({ content_type, name }: OrderPhoto) => /^image\/hei[cf]/.test(content_type) || /\.hei[cf]$/i.test(name);

/** Returns the bytes behind a link, with a new link if this one is over. */
async function bytesOf(url: string, renew: () => Promise<string | undefined>, signal: AbortSignal): Promise<Blob> {
  const first = await fetch(url, { signal }).catch(() => undefined);
  if (first?.ok) return first.blob();
  signal.throwIfAborted();
  const newer = await renew();
  const second = newer ? await fetch(newer, { signal }) : first;
  if (!second?.ok) throw new Error(second ? `HTTP ${second.status}` : "");
  return second.blob();
}

/**
 * Shows a photo, whatever becomes of its link: what is on the page stays, and a link that is over is replaced by `renew`,
 * once. HEIC is decoded in the page if the browser cannot.
 */
export function usePicture(file: Linked, renew: () => Promise<string | undefined>): Picture {
  const [state, setState] = useState<{ url?: string; failed?: string; decoded?: boolean }>({});
  const latest = useRef({ file, renew });
  const renewed = useRef(false);
  useEffect(() => {
    latest.current = { file, renew };
  });
  // Another key is another photo; another URL is the same one.
  useEffect(() => {
    renewed.current = false;
    const { file } = latest.current;
    if (!isHeic(file)) {
      setState({ url: file.url });
      return;
    }
    setState({});
    const gone = new AbortController();
    let own: string | undefined;
    const show = (picture: Blob, decoded: boolean) => {
      if (gone.signal.aborted) return;
      own = URL.createObjectURL(picture);
      setState({ url: own, decoded });
    };
    const load = async () => {
      const bytes = await bytesOf(file.url, () => latest.current.renew(), gone.signal);
      try {
        (await createImageBitmap(bytes)).close();
        show(bytes, false);
      } catch {
        const { decode } = await import("../heic/decode.ts");
        show(await decode(bytes), true);
      }
    };
    load().catch((error: Error) => {
      if (!gone.signal.aborted) setState({ failed: error.message });
    });
    return () => {
      gone.abort();
      if (own) URL.revokeObjectURL(own);
    };
  }, [file.key]);

  const onError = useCallback(() => {
    if (renewed.current) return setState({ failed: "" });
    renewed.current = true;
    latest.current
      .renew()
      .then((url) => setState(url ? { url } : { failed: "" }))
      .catch((error: Error) => setState({ failed: error.message }));
  }, []);
  return { url: state.url, failed: state.failed, decoded: state.decoded ?? false, onError };
}
