import type { FileView } from "@consigne/client";

/** A column by which files are sorted. */
export type SortColumn = "filename" | "kind" | "size" | "lastModified";

/** How files are sorted. */
export interface Order {
  column: SortColumn;
  descending: boolean;
}

/** Newest first, as the API lists files. */
export const NEWEST_FIRST: Order = { column: "lastModified", descending: true };

/** Returns a text without case and accents, for comparisons. */
export function folded(text: string): string {
  return text
    .normalize("NFD")
    .replace(/\p{Mn}/gu, "")
    .toLowerCase();
}

/** Returns those files whose name or title contains the filter. Case and accents do not matter. */
export function filterFiles(files: FileView[], filter: string): FileView[] {
  const wanted = folded(filter.trim());
  if (wanted === "") return files;
  return files.filter((file) => folded(file.filename).includes(wanted) || folded(file.metadata?.title ?? "").includes(wanted));
}

/** Returns the files in an order. Names count numbers in them: `page 2` comes before `page 10`. */
export function sortFiles(files: FileView[], { column, descending }: Order, locale: string): FileView[] {
  const sign = descending ? -1 : 1;
  if (column === "size") return [...files].sort((a, b) => sign * (a.size - b.size));
  if (column === "lastModified") return [...files].sort((a, b) => sign * compared(a.lastModified, b.lastModified));
  const names = new Intl.Collator(locale, { numeric: true, sensitivity: "base" });
  const byName = (a: FileView, b: FileView) => names.compare(a.filename, b.filename);
  if (column === "filename") return [...files].sort((a, b) => sign * byName(a, b));
  return [...files].sort((a, b) => sign * compared(a.kind, b.kind) || byName(a, b));
}

function compared(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
