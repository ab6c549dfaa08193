import { type KeyboardEvent, useState } from "react";

import { useWords } from "../words.ts";
import { type OrderPhoto, photosOf } from "./orders.ts";
import { Photo } from "./Photo.tsx";
import { keyed, type View, WHOLE } from "./view.ts";

interface Props {
  files: OrderPhoto[];
  /** Asks for a new link to the photo with a key. */
  renew(key: string): Promise<string | undefined>;
}

/** The photos of a submission, side by side. Unless somebody parts them, they are enlarged and moved together. */
export function Photos({ files, renew }: Props) {
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
  // Only where the focus is on a photo: elsewhere on the page a single character may be somebody's speech or a slip.
  const press = (event: KeyboardEvent, only: string) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !keyed(WHOLE, event.key)) return;
    event.preventDefault();
    onView(only)((view) => keyed(view, event.key) ?? view);
  };
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
          <div key={file.key} className="min-w-0" onKeyDown={(event) => press(event, file.key)}>
            <Photo file={file} view={of(views, file.key)} onView={onView(file.key)} renew={() => renew(file.key)} />
          </div>
        ))}
      </div>
      {photos.some(({ url }) => url !== null) && <p className="hidden text-xs text-muted sm:block">{say("orders.photo.keys")}</p>}
    </div>
  );
}
