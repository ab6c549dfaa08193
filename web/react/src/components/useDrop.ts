import { type DragEvent, useRef, useState } from "react";

/** What an element needs to take files that are dropped on it. */
export interface DropTarget {
  /** Whether files are held above it. */
  over: boolean;
  handlers: Record<"onDragEnter" | "onDragOver" | "onDragLeave" | "onDrop", (event: DragEvent<HTMLElement>) => void>;
}

/** Takes dropped files. Whatever else is dragged, such as text, is left to the page. */
export function useDrop(onFiles: (files: File[]) => void): DropTarget {
  // Entering a child leaves its parent, so enters and leaves are counted.
  const depth = useRef(0);
  const [over, setOver] = useState(false);
  const forFiles = (handle: (event: DragEvent<HTMLElement>) => void) => (event: DragEvent<HTMLElement>) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    handle(event);
  };
  return {
    over,
    handlers: {
      onDragEnter: forFiles(() => {
        depth.current += 1;
        setOver(true);
      }),
      onDragOver: forFiles((event) => {
        event.dataTransfer.dropEffect = "copy";
      }),
      onDragLeave: forFiles(() => {
        depth.current = Math.max(0, depth.current - 1);
        if (depth.current === 0) setOver(false);
      }),
      onDrop: forFiles((event) => {
        depth.current = 0;
        setOver(false);
        onFiles(droppedFiles(event.dataTransfer));
      }),
    },
  };
}

/** Returns the files of a drop without its folders, which a browser lists as files that cannot be read. */
function droppedFiles({ items, files }: DataTransfer): File[] {
  const entries = Array.from(items ?? []).filter(({ kind }) => kind === "file");
  if (entries.length === 0) return Array.from(files);
  return entries
    .filter((item) => !item.webkitGetAsEntry?.()?.isDirectory)
    .map((item) => item.getAsFile())
    .filter((file) => file !== null);
}
