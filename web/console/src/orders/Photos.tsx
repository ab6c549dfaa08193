import { useEffect, useState } from "react";

import { useWords } from "../words.ts";
import { type OrderPhoto, photosOf } from "./orders.ts";
import { Photo } from "./Photo.tsx";
import { keyed, type View, WHOLE } from "./view.ts";

interface Props {
  files: OrderPhoto[];
  /** Asks for a new link to the photo with a key. */
  renew(key: string): Promise<string | undefined>;
  /** Whether the keys +, - and 0 enlarge these photos wherever the focus is on the page. */
  keys?: boolean;
}

/** The photos of a submission, side by side. Unless somebody parts them, they are enlarged and moved together. */
export function Photos({ files, renew, keys = false }: Props) {
  const { say } = useWords();
  const [together, setTogether] = useState(true);
  const [views, setViews] = useState<Record<string, View>>({});
  const photos = photosOf(files);
  const several = photos.filter(({ url }) => url !== null).length > 1;
  const of = (now: Record<string, View>, key: string) => now[together ? "" : key] ?? now[""] ?? WHOLE;
  const onView = (key: string) => (change: (view: View) => View) =>
    setViews((now) => {
      const before = of(now, key);
      const after = change(before);
      return after === before ? now : { ...now, [together ? "" : key]: after };
    });
  const press = (event: { key: string; preventDefault(): void }, only?: string) => {
    if (!keyed(WHOLE, event.key)) return;
    event.preventDefault();
    // Without a frame that has the focus, a key is for all of them.
    for (const { key } of only === undefined && !together ? photos : photos.filter(({ key }) => key === (only ?? photos[0]?.key))) {
      onView(key)((view) => keyed(view, event.key) ?? view);
    }
  };
  useEffect(() => {
    if (!keys) return;
    const listen = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
      if ((event.target as Element).closest("input, select, textarea, dialog")) return;
      press(event);
    };
    addEventListener("keydown", listen);
    return () => removeEventListener("keydown", listen);
  });
  const part = (apart: boolean) => {
    setTogether(!apart);
    // Whoever parts them begins where both are; joined again, both are whole.
    setViews((now) => (apart ? { "": now[""] ?? WHOLE } : {}));
  };
  return (
    <div className="grid gap-2">
      {several && (
        <label className="flex w-fit items-center gap-2">
          <input type="checkbox" className="size-4 accent-accent" checked={together} onChange={(event) => part(!event.target.checked)} />
          {say("orders.together")}
        </label>
      )}
      <div className="grid gap-4 sm:grid-cols-2">
        {photos.map((file) => (
          // biome-ignore lint/a11y/noStaticElementInteractions: the frame inside takes the focus and these keys.
          <div
            key={file.key}
            className="min-w-0"
            onKeyDown={(event) => {
              if (!event.ctrlKey && !event.metaKey && !event.altKey) press(event, file.key);
            }}
          >
            <Photo file={file} view={of(views, file.key)} onView={onView(file.key)} renew={() => renew(file.key)} />
          </div>
        ))}
      </div>
    </div>
  );
}
