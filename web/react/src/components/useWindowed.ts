import { type RefObject, type UIEvent, useCallback, useEffect, useRef, useState } from "react";

/** Rows that are rendered above and below the visible ones. */
const OVERSCAN = 6;
/** Most rows in the document, whatever the height of the list. */
const MOST = 58;
/** Height of a list that has not been measured, in pixels. */
const UNMEASURED = 480;

/** The rows of a long list that are rendered. */
export interface Windowed {
  /** Goes to the element that scrolls. */
  scroller: RefObject<HTMLDivElement | null>;
  onScroll(event: UIEvent<HTMLDivElement>): void;
  /** The first rendered row, and the one behind the last. */
  first: number;
  end: number;
  /** How many rows are visible at once. */
  visible: number;
  /** Scrolls as little as is needed to show a row. */
  reveal(row: number): void;
}

/** Renders those rows of a list that can be seen. `rowHeight` is in pixels, the same for all rows. */
export function useWindowed(count: number, rowHeight: number): Windowed {
  const scroller = useRef<HTMLDivElement | null>(null);
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(UNMEASURED);

  useEffect(() => {
    const element = scroller.current;
    if (!element) return;
    const measure = () => setHeight(element.clientHeight || UNMEASURED);
    measure();
    if (typeof ResizeObserver === "undefined") return;
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  const visible = Math.max(1, Math.ceil(height / rowHeight));
  // A list that has become shorter may still be scrolled to where it has no rows any more.
  const firstVisible = Math.max(0, Math.min(Math.floor(top / rowHeight), count - visible));
  const first = Math.max(0, firstVisible - OVERSCAN);
  const end = Math.min(count, firstVisible + visible + OVERSCAN, first + MOST);

  const reveal = useCallback(
    (row: number) => {
      const element = scroller.current;
      if (!element) return;
      const start = row * rowHeight;
      const shown = element.clientHeight || UNMEASURED;
      if (start < element.scrollTop) element.scrollTop = start;
      else if (start + rowHeight > element.scrollTop + shown) element.scrollTop = start + rowHeight - shown;
      setTop(element.scrollTop);
    },
    [rowHeight],
  );
  const onScroll = useCallback((event: UIEvent<HTMLDivElement>) => setTop(event.currentTarget.scrollTop), []);
  return { scroller, onScroll, first, end, visible, reveal };
}
