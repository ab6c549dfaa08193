import { type RefObject, useEffect, useLayoutEffect, useRef } from "react";

import { type Point, scrolled, scrollOf, stepped, type View, zoomed } from "./view.ts";

/** Returns where in a frame something happened. */
export function pointOf(frame: Element | null, { clientX, clientY }: { clientX: number; clientY: number }): Point {
  const { left = 0, top = 0, width = 0, height = 0 } = frame?.getBoundingClientRect() ?? {};
  return { x: width === 0 ? 0.5 : (clientX - left) / width, y: height === 0 ? 0.5 : (clientY - top) / height };
}

/** Two fingers: how far they are apart, and the point between them. */
function pinchOf([one, other]: [Touch, Touch]) {
  const apart = Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
  return { apart, clientX: (one.clientX + other.clientX) / 2, clientY: (one.clientY + other.clientY) / 2 };
}

/**
 * Scrolls a frame to a view, and enlarges by Ctrl and the wheel, which a touchpad sends for a pinch, and by two fingers. Returns
 * what the frame calls once it was scrolled.
 */
export function useFrame(ref: RefObject<HTMLElement | null>, view: View, onView: (change: (view: View) => View) => void): () => void {
  const change = useRef(onView);
  /** The view to which this frame was scrolled by hand. */
  const own = useRef<View>(undefined);
  useEffect(() => {
    change.current = onView;
  });
  useLayoutEffect(() => {
    const frame = ref.current;
    // A frame that a hand moves may be further by now, and is not taken back.
    if (!frame || view === own.current) return;
    const { left, top } = scrollOf(view, frame.clientWidth, frame.clientHeight);
    if (Math.abs(frame.scrollLeft - left) > 1) frame.scrollLeft = left;
    if (Math.abs(frame.scrollTop - top) > 1) frame.scrollTop = top;
  }, [ref, view]);
  useEffect(() => {
    const frame = ref.current;
    if (!frame) return;
    let apart: number | undefined;
    const wheel = (event: WheelEvent) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      const at = pointOf(frame, event);
      // A wheel moves by notches, a touchpad by little.
      if (Math.abs(event.deltaY) >= 50) change.current((now) => stepped(now, event.deltaY < 0, at));
      else change.current((now) => zoomed(now, now.zoom * Math.exp(-event.deltaY / 100), at));
    };
    const touch = (event: TouchEvent) => {
      const [one, other] = event.touches;
      if (!one || !other) {
        apart = undefined;
        return;
      }
      if (event.cancelable) event.preventDefault();
      const pinch = pinchOf([one, other]);
      const by = pinch.apart / (apart ?? pinch.apart);
      apart = pinch.apart;
      if (by !== 1) change.current((now) => zoomed(now, now.zoom * by, pointOf(frame, pinch)));
    };
    // Not by React, whose listeners are passive: the browser would enlarge the whole page as well.
    const active = { passive: false };
    frame.addEventListener("wheel", wheel, active);
    frame.addEventListener("touchstart", touch, active);
    frame.addEventListener("touchmove", touch, active);
    frame.addEventListener("touchend", touch);
    return () => {
      frame.removeEventListener("wheel", wheel);
      frame.removeEventListener("touchstart", touch);
      frame.removeEventListener("touchmove", touch);
      frame.removeEventListener("touchend", touch);
    };
  }, [ref]);
  return () => {
    const next = ref.current ? scrolled(view, ref.current) : view;
    if (next === view) return;
    own.current = next;
    onView(() => next);
  };
}
