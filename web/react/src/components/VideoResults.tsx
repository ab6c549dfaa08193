import type { Locale, MessageOverrides, Words } from "../locales/words.js";
import { useWords } from "../useWords.js";
import { ErrorNote } from "./ErrorNote.js";
import { Placeholder } from "./ImageResults.js";
import { type MediaItem, mediaKey, mediaName } from "./media.js";
import { useVideo } from "./useVideo.js";

export interface VideoResultsProps {
  /** `result.videos` of a job, or files of `useS3Files`. */
  videos: MediaItem[];
  className?: string;
  locale?: Locale;
  messages?: MessageOverrides;
}

/** Shows films. One that was paused for longer than its ticket lasts goes on where it was. */
export function VideoResults({ videos, className, locale, messages }: VideoResultsProps) {
  const words = useWords(locale, messages);
  if (videos.length === 0) return <p className="csg csg-none">{words.say("noVideos")}</p>;
  return (
    <ul className={`csg csg-gallery ${className ?? ""}`} aria-label={words.say("videos")} lang={words.locale}>
      {videos.map((video) => (
        <li key={mediaKey(video)} className="csg-item">
          <Video video={video} words={words} />
        </li>
      ))}
    </ul>
  );
}

function Video({ video, words }: { video: MediaItem; words: Words }) {
  const { url, error, retry, handlers } = useVideo(mediaKey(video));
  const name = mediaName(video);
  const size = video.width && video.height ? { width: video.width, height: video.height } : {};
  if (error) {
    return (
      <ErrorNote text={words.say("videoFailed", { name })} error={error} words={words}>
        <button type="button" className="csg-button" onClick={retry}>
          {words.say("retry")}
        </button>
      </ErrorNote>
    );
  }
  if (url === undefined) return <Placeholder {...size} />;
  return (
    <figure className="csg-figure">
      <video className="csg-video" src={url} aria-label={name} controls playsInline preload="metadata" {...size} {...handlers} />
      <figcaption className="csg-caption">{name}</figcaption>
    </figure>
  );
}
