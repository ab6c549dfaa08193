import type { FileView } from "@consigne/client";

/**
 * Returns the key of the smallest of a file's thumbnails that is at least `pixels` long, else that of the largest. Their
 * names are their lengths; what has another name, such as `display`, is no thumbnail.
 */
export function thumbnailKey(file: FileView, pixels: number): string | undefined {
  const sizes = Object.keys(file.thumbnails ?? {})
    .filter(Number)
    .sort((a, b) => Number(a) - Number(b));
  return file.thumbnails?.[sizes.find((size) => Number(size) >= pixels) ?? sizes.at(-1) ?? ""];
}
