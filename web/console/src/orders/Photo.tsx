import { type PointerEvent, useEffect, useRef, useState } from "react";

import { Button } from "../ui/Button.tsx";
import { Time } from "../ui/states.tsx";
import { type MessageId, useWords } from "../words.ts";
import { isOnItsWay, type OrderPhoto } from "./orders.ts";
import { pointOf, useFrame } from "./useFrame.ts";
import { type Linked, usePicture } from "./usePicture.ts";
import { CLOSE, MOST, stepped, type View, WHOLE, zoomed } from "./view.ts";

const TYPES: Record<OrderPhoto["type"], MessageId> = { face_photo: "orders.face", palm_photo: "orders.palm" };
const STATES: Record<OrderPhoto["status"], MessageId> = {
  pending: "orders.photo.pending",
  processing: "orders.photo.processing",
  ready: "orders.photo.processing",
  rejected: "orders.photo.rejected",
  infected: "orders.photo.infected",
  gone: "orders.photo.gone",
};

interface Props {
  file: OrderPhoto;
  view: View;
  /** Changes what is looked at. */
  onView(change: (view: View) => View): void;
  /** Asks for a new link. */
  renew(): Promise<string | undefined>;
}

/** A photo of an order, or why there is none to see. */
export function Photo({ file, ...rest }: Props) {
  const { say } = useWords();
  const { url } = file;
  if (url !== null) return <Shown file={{ ...file, url }} {...rest} />;
  return (
    <figure className="grid min-w-0 content-start gap-2">
      <figcaption className="flex min-h-9 items-center font-medium">{say(TYPES[file.type])}</figcaption>
      <p
        role={isOnItsWay(file) ? "status" : undefined}
        className="grid min-h-40 place-content-center gap-1 rounded-md border border-line p-4 text-center text-muted"
      >
        <span>{say(STATES[file.status])}</span>
        {file.reason && <span>{file.reason}</span>}
      </p>
    </figure>
  );
}

/** A photo in a frame in which it can be enlarged, moved and turned. */
function Shown({ file, view, onView, renew }: Props & { file: Linked }) {
  const { say, bytes, number } = useWords();
  const { url, failed, decoded, onError } = usePicture(file, renew);
  const { zoom } = view;
  const [turn, setTurn] = useState(0);
  const frame = useRef<HTMLDivElement>(null);
  const title = say(TYPES[file.type]);
  const onScroll = useFrame(frame, view, onView);
  const toggle = (event: { clientX: number; clientY: number }) => {
    const at = pointOf(frame.current, event);
    onView((now) => (now.zoom === 1 ? zoomed(now, CLOSE, at) : WHOLE));
  };
  const drag = (event: PointerEvent<HTMLDivElement>) => {
    // A finger scrolls by itself.
    if (event.pointerType !== "mouse" || !(event.buttons & 1)) return;
    event.currentTarget.scrollLeft -= event.movementX;
    event.currentTarget.scrollTop -= event.movementY;
  };
  return (
    <figure className="grid min-w-0 content-start gap-2">
      <figcaption className="flex flex-wrap items-center justify-between gap-x-3 gap-y-1">
        <span className="font-medium">{title}</span>
        <span className="flex items-center">
          <Button
            quiet
            aria-label={say("orders.zoom.out", { photo: title })}
            disabled={zoom === 1}
            onClick={() => onView((now) => stepped(now, false))}
          >
            −
          </Button>
          <output className="min-w-12 text-center text-muted">{number(zoom, { style: "percent" })}</output>
          <Button
            quiet
            aria-label={say("orders.zoom.in", { photo: title })}
            disabled={zoom === MOST}
            onClick={() => onView((now) => stepped(now, true))}
          >
            +
          </Button>
          <Button quiet aria-label={say("orders.turn", { photo: title })} onClick={() => setTurn((now) => (now + 90) % 360)}>
            ↻
          </Button>
        </span>
      </figcaption>
      <section
        ref={frame}
        data-photo={file.type}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: the arrow keys move the photo, as in everything that scrolls.
        tabIndex={0}
        aria-label={say("orders.frame", { photo: title })}
        aria-keyshortcuts="Plus - 0"
        className={`relative h-[min(60dvh,560px)] touch-pan-x touch-pan-y overflow-auto rounded-md border border-line bg-hover ${zoom > 1 ? "cursor-grab active:cursor-grabbing" : "cursor-zoom-in"}`}
        onDoubleClick={toggle}
        onPointerMove={drag}
        onScroll={onScroll}
      >
        {url && failed === undefined && (
          <img
            // Before the address, or it comes too late.
            loading="lazy"
            src={url}
            alt={title}
            draggable={false}
            decoding="async"
            className="block max-w-none select-none object-contain"
            style={{ width: `${zoom * 100}%`, height: `${zoom * 100}%`, rotate: `${turn}deg` }}
            onError={onError}
          />
        )}
        {!url && failed === undefined && <p className="grid h-full place-content-center p-4 text-muted">{say("loading")}</p>}
        {failed !== undefined && (
          <p role="alert" className="grid h-full place-content-center gap-1 p-4 text-center">
            <span>{say("orders.photo.failed")}</span>
            {failed && <span className="text-muted">{failed}</span>}
          </p>
        )}
      </section>
      <p className="flex flex-wrap gap-x-3 text-xs text-muted">
        <span className="min-w-0 truncate" title={file.name}>
          {file.name}
        </span>
        <span>{bytes(file.size)}</span>
        {file.uploaded_at && <Time at={file.uploaded_at} />}
        {decoded && <Decoder />}
      </p>
    </figure>
  );
}

/** Names the library that has decoded a photo, as its licence asks for. */
function Decoder() {
  const { say } = useWords();
  const [licence, setLicence] = useState<string>();
  useEffect(() => {
    void import("../heic/decode.ts").then(({ LICENCE }) => setLicence(LICENCE));
  }, []);
  return (
    <a href={licence} target="_blank" rel="noreferrer" className="underline underline-offset-2">
      {say("orders.decoded")}
    </a>
  );
}
