import type { MessageId } from "../words.ts";

/** What the kinds of files are called. */
export const KIND_WORDS: Record<string, MessageId> = {
  image: "kind.image",
  video: "kind.video",
  book: "kind.book",
  blog: "kind.blog",
  document: "kind.document",
  audio: "kind.audio",
};
