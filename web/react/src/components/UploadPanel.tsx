import type { Words } from "../locales/words.js";
import type { UploadState, UploadsState } from "../useUpload.js";

/** The files on their way, each with its progress and what can be done about it. */
export function UploadPanel({ uploads, words }: { uploads: UploadsState; words: Words }) {
  if (uploads.items.length === 0) return null;
  const running = uploads.counts.waiting + uploads.counts.sending + uploads.counts.checking;
  const { ready, failed } = uploads.counts;
  const total = uploads.items.length;
  const again = () => {
    for (const { id, status } of uploads.items) if (status === "failed") uploads.retry(id);
  };
  return (
    <section className="csg-uploads" aria-label={words.say("uploads")}>
      <div className="csg-uploads-head">
        <strong>{running > 0 ? words.say("uploading", { count: running }) : words.say("uploads")}</strong>
        {total > 1 && <span>{words.say(failed > 0 ? "uploadsPart" : "uploadsDone", { ready, total, failed })}</span>}
        {failed > 1 && (
          <button type="button" className="csg-action" onClick={again}>
            {words.say("retryAll")}
          </button>
        )}
        {running < uploads.items.length && (
          <button type="button" className="csg-action" onClick={uploads.clear}>
            {words.say("clearUploads")}
          </button>
        )}
      </div>
      <ul className="csg-upload-list">
        {uploads.items.map((item) => (
          <Upload key={item.id} item={item} uploads={uploads} words={words} />
        ))}
      </ul>
    </section>
  );
}

function Upload({ item, uploads, words }: { item: UploadState; uploads: UploadsState; words: Words }) {
  const name = { name: item.name };
  const failed = item.status === "failed" || item.status === "aborted";
  const over = failed || item.status === "ready";
  return (
    <li className="csg-upload" data-status={item.status}>
      <span className="csg-upload-name" title={item.name}>
        {item.name}
      </span>
      {!failed && <progress className="csg-progress" aria-label={item.name} max={100} value={item.progress} />}
      <span className="csg-upload-status">{statusOf(item, words)}</span>
      <span className="csg-upload-actions">
        {!over && (
          <button type="button" className="csg-action" aria-label={words.say("cancelUpload", name)} onClick={() => uploads.abort(item.id)}>
            {words.say("cancel")}
          </button>
        )}
        {failed && (
          <button type="button" className="csg-action" aria-label={words.say("retryUpload", name)} onClick={() => uploads.retry(item.id)}>
            {words.say("retryShort")}
          </button>
        )}
        {over && (
          <button type="button" className="csg-action" aria-label={words.say("dismissUpload", name)} onClick={() => uploads.remove(item.id)}>
            {words.say("dismissShort")}
          </button>
        )}
      </span>
    </li>
  );
}

function statusOf(item: UploadState, words: Words): string {
  switch (item.status) {
    case "waiting":
      return words.say("waiting");
    case "sending":
      return words.say("sending", { percent: words.percent(item.progress) });
    case "checking":
      return words.say("checking");
    case "ready":
      return words.say("ready");
    case "aborted":
      return words.say("aborted");
    case "failed":
      return item.error ? item.error.message : words.say("uploadFailed");
  }
}
