import { useState } from "react";

import type { Locale, MessageOverrides, Words } from "../locales/words.js";
import { useTicket } from "../useTicket.js";
import { useWords } from "../useWords.js";
import { ErrorNote } from "./ErrorNote.js";
import { type MediaItem, mediaKey, mediaName } from "./media.js";

export interface ImageResultsProps {
  /** `result.images` of a job, or files of `useS3Files`. */
  images: MediaItem[];
  className?: string;
  locale?: Locale;
  messages?: MessageOverrides;
  /** Called when a picture is chosen, with its URL. Without it the picture opens in a new tab. */
  onOpen?(image: MediaItem, url: string): void;
}

/** Shows pictures. Shown again within the life of their tickets, they ask for no second URL. */
export function ImageResults({ images, className, locale, messages, onOpen }: ImageResultsProps) {
  const words = useWords(locale, messages);
  if (images.length === 0) return <p className="csg csg-none">{words.say("noImages")}</p>;
  return (
    <ul className={`csg csg-gallery ${className ?? ""}`} aria-label={words.say("images")} lang={words.locale}>
      {images.map((image) => (
        <li key={mediaKey(image)} className="csg-item">
          <Image image={image} words={words} {...(onOpen && { onOpen })} />
        </li>
      ))}
    </ul>
  );
}

function Image({ image, words, onOpen }: { image: MediaItem; words: Words; onOpen?: ImageResultsProps["onOpen"] }) {
  const { url, error, renew } = useTicket(mediaKey(image));
  const [broken, setBroken] = useState<string>();
  const name = mediaName(image);
  const size = image.width && image.height ? { width: image.width, height: image.height } : {};
  if (error || (url !== undefined && broken === url)) {
    return <ErrorNote text={words.say("imageFailed", { name })} error={error} words={words} />;
  }
  if (url === undefined) return <Placeholder {...size} />;

  const picture = (
    <img
      className="csg-image"
      src={url}
      alt={name}
      {...size}
      loading="lazy"
      decoding="async"
      onError={() => {
        if (!renew()) setBroken(url);
      }}
    />
  );
  return (
    <figure className="csg-figure">
      {onOpen ? (
        <button type="button" className="csg-open" aria-label={words.say("open", { name })} onClick={() => onOpen(image, url)}>
          {picture}
        </button>
      ) : (
        <a className="csg-open" href={url} target="_blank" rel="noreferrer" aria-label={words.say("open", { name })}>
          {picture}
        </a>
      )}
      <figcaption className="csg-caption">{name}</figcaption>
    </figure>
  );
}

/** Keeps the place of a picture or film whose URL is not there yet. */
export function Placeholder({ width = 4, height = 3 }: { width?: number; height?: number }) {
  return <div className="csg-placeholder" aria-hidden="true" style={{ aspectRatio: `${width} / ${height}` }} />;
}
