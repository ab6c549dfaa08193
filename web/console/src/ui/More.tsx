import { useEffect, useRef } from "react";

import { useWords } from "../words.ts";
import { Button } from "./Button.tsx";

interface Props {
  list: { hasMore: boolean; loadingMore: boolean; more(): void };
  /** Whether the next page comes by itself once the button is in sight. */
  auto?: boolean;
}

/** The button under a list that has more. */
export function More({ list, auto = false }: Props) {
  const { say } = useWords();
  const place = useRef<HTMLDivElement>(null);
  const { hasMore, loadingMore, more } = list;
  useEffect(() => {
    if (!auto || !hasMore || !place.current || typeof IntersectionObserver === "undefined") return;
    const observer = new IntersectionObserver(([entry]) => entry?.isIntersecting && more());
    observer.observe(place.current);
    return () => observer.disconnect();
  }, [auto, hasMore, more]);
  if (!hasMore) return null;
  return (
    <div ref={place}>
      <Button busy={loadingMore} onClick={more}>
        {say("more")}
      </Button>
    </div>
  );
}
