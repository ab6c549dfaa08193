/** A picture or a film to show: one of a job's results, or a file of a list. */
export interface MediaItem {
  /** Key in the bucket; `key` in lists of files. One of the two is needed. */
  s3_key?: string;
  key?: string;
  filename: string;
  /** In pixels, so that the page does not move when it arrives. */
  width?: number | null;
  height?: number | null;
  metadata?: { [name: string]: unknown };
  thumbnails?: { [name: string]: unknown };
}

/** Returns the key of an item. Throws an error if it has none. */
export function mediaKey(item: MediaItem): string {
  const key = item.s3_key ?? item.key;
  if (key === undefined) throw new Error("an image or video needs s3_key or key");
  return key;
}

/** Returns what an item shows, in words: its title where it has one, else its name. */
export function mediaName(item: MediaItem): string {
  const title = item.metadata?.title;
  return typeof title === "string" && title !== "" ? title : item.filename;
}
