/** What part of a photo is looked at. */
export interface View {
  /** How much it is enlarged: 1 shows all of it. */
  zoom: number;
  /** The middle of what is seen, in parts of the photo's width and height: 0 is its beginning, 1 its end. */
  x: number;
  y: number;
}

/** A point of the frame, in parts of its width and height. */
export interface Point {
  x: number;
  y: number;
}

/** A photo as a whole. */
export const WHOLE: View = { zoom: 1, x: 0.5, y: 0.5 };
/** What the buttons and keys stop at. */
const STEPS = [1, 1.5, 2, 3, 4, 6, 8];
export const MOST = STEPS.at(-1) ?? 1;
const MIDDLE: Point = { x: 0.5, y: 0.5 };
/** How much a double click enlarges. */
export const CLOSE = 3;

const between = (least: number, value: number, most: number) => Math.max(least, Math.min(most, value));

/** Keeps the middle where the photo fills its frame. */
function inside({ zoom, x, y }: View): View {
  const half = 0.5 / zoom;
  return { zoom, x: between(half, x, 1 - half), y: between(half, y, 1 - half) };
}

/** Enlarges to `zoom`. What is at a point of the frame stays there. */
export function zoomed(view: View, zoom: number, at: Point = MIDDLE): View {
  const to = between(1, zoom, MOST);
  const shift = 1 / view.zoom - 1 / to;
  return inside({ zoom: to, x: view.x + (at.x - 0.5) * shift, y: view.y + (at.y - 0.5) * shift });
}

/** Enlarges or reduces to the next step, also from between two. */
export function stepped(view: View, up: boolean, at?: Point): View {
  const next = up ? STEPS.find((step) => step > view.zoom + 0.001) : STEPS.findLast((step) => step < view.zoom - 0.001);
  return zoomed(view, next ?? view.zoom, at);
}

/** What a key does to a view; undefined for keys that do nothing. */
export function keyed(view: View, key: string): View | undefined {
  if (key === "+" || key === "=") return stepped(view, true);
  if (key === "-") return stepped(view, false);
  return key === "0" ? WHOLE : undefined;
}

/** Pixels by which a frame of a width and height is scrolled to show a view. */
export function scrollOf({ zoom, x, y }: View, width: number, height: number): { left: number; top: number } {
  return { left: (x * zoom - 0.5) * width, top: (y * zoom - 0.5) * height };
}

/** The view of a frame that was scrolled; the same one if it moved by less than a pixel. */
export function scrolled(view: View, frame: { scrollLeft: number; scrollTop: number; clientWidth: number; clientHeight: number }): View {
  const { scrollLeft, scrollTop, clientWidth: width, clientHeight: height } = frame;
  const { left, top } = scrollOf(view, width, height);
  if (Math.abs(left - scrollLeft) <= 1 && Math.abs(top - scrollTop) <= 1) return view;
  const part = (scroll: number, size: number) => (size === 0 ? 0.5 : (scroll / size + 0.5) / view.zoom);
  return inside({ zoom: view.zoom, x: part(scrollLeft, width), y: part(scrollTop, height) });
}
