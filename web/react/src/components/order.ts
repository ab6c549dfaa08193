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

// Folding 10,000 names takes longer than comparing them, so each file's is kept.
const names = new WeakMap<FileView, string>();

function foldedName(file: FileView): string {
  let name = names.get(file);
  if (name === undefined) {
    name = folded(file.filename);
    names.set(file, name);
  }
  return name;
}

/** Returns those files whose name or title contains the filter. Case and accents do not matter. */
export function filterFiles(files: FileView[], filter: string): FileView[] {
  const wanted = folded(filter.trim());
  if (wanted === "") return files;
  return files.filter((file) => foldedName(file).includes(wanted) || folded(file.metadata?.title ?? "").includes(wanted));
}

/** Returns the files in an order. Names count numbers in them: `page 2` comes before `page 10`. */
export function sortFiles(files: FileView[], { column, descending }: Order): FileView[] {
  const sign = descending ? -1 : 1;
  if (column === "size") return [...files].sort((a, b) => sign * (a.size - b.size));
  if (column === "lastModified") return [...files].sort((a, b) => sign * compared(a.lastModified, b.lastModified));
  // Not with Intl.Collator, which takes ten times as long: with 10,000 files the page would stand still.
  const keyed = files.map((file) => ({ file, name: foldedName(file).replace(/\d+/g, (digits) => digits.padStart(12, "0")) }));
  const byName = (a: (typeof keyed)[0], b: (typeof keyed)[0]) => compared(a.name, b.name);
  keyed.sort(column === "kind" ? (a, b) => sign * compared(a.file.kind, b.file.kind) || byName(a, b) : (a, b) => sign * byName(a, b));
  return keyed.map(({ file }) => file);
}

function compared(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
