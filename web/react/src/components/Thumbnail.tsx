import type { FileView } from "@consigne/client";

import { useTicket } from "../useTicket.js";
import { thumbnailKey } from "./thumbnails.js";

/** Width of a thumbnail in device pixels, on a screen of double density. */
const PIXELS = 64;

/** A file's smallest picture, or the ending of its name if it has none. It says nothing that the name does not. */
export function Thumbnail({ file }: { file: FileView }) {
  const { url, renew } = useTicket(thumbnailKey(file, PIXELS));
  return url ? (
    <img className="csg-thumbnail" src={url} alt="" width={32} height={32} loading="lazy" decoding="async" onError={renew} />
  ) : (
    <span className="csg-thumbnail csg-sign" data-kind={file.kind} aria-hidden="true">
      {/\.(\w{1,4})$/.exec(file.filename)?.[1]}
    </span>
  );
}
