import type { FileView } from "@consigne/client";

/** Returns the key of the smallest of a file's thumbnails that is at least `pixels` wide, else that of the largest. */
export function thumbnailKey(file: FileView, pixels: number): string | undefined {
  const sized = Object.entries(file.thumbnails ?? {})
    .map(([name, value]) => ({ width: widthOf(name, value), key: keyOf(value) }))
    .filter((one): one is { width: number; key: string } => one.key !== undefined)
    .sort((a, b) => a.width - b.width);
  return (sized.find(({ width }) => width >= pixels) ?? sized.at(-1))?.key;
}

/** A thumbnail is a key, or an object that has one. */
function keyOf(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (typeof value !== "object" || value === null) return undefined;
  const { key, s3Key } = value as { key?: unknown; s3Key?: unknown };
  return [key, s3Key].find((one): one is string => typeof one === "string");
}

/** The width in pixels, which the thumbnail or its name says; 0 if neither does. */
function widthOf(name: string, value: unknown): number {
  const width = (value as { width?: unknown } | null)?.width;
  return typeof width === "number" ? width : Number.parseInt(name.replace(/^\D+/, ""), 10) || 0;
}
