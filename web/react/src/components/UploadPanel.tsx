import type { Words } from "../locales/words.js";
import { isRunning } from "../uploads.js";
import type { UploadState, UploadsState } from "../useUpload.js";

/** The files on their way, each with its progress and what can be done about it. */
export function UploadPanel({ uploads, words }: { uploads: UploadsState; words: Words }) {
  const { items, counts, retry } = uploads;
  const total = items.length;
  if (total === 0) return null;
  const running = items.filter(isRunning).length;
  const { ready, failed } = counts;
  const again = () => {
    for (const { id, status } of items) if (status === "failed") retry(id);
  };
  return (
    <section className="csg-uploads" aria-label={words.say("uploads")}>
      <div className="csg-uploads-head">
        <strong>{running > 0 ? words.say("uploading", { count: running }) : words.say("uploads")}</strong>
        {failed > 0 && total > 1 && <span>{words.say("uploadsPart", { ready, total, failed })}</span>}
        {failed > 1 && (
          <button type="button" className="csg-action" onClick={again}>
            {words.say("retryAll")}
          </button>
        )}
        {running < total && (
          <button type="button" className="csg-action" onClick={uploads.clear}>
            {words.say("clearUploads")}
          </button>
        )}
      </div>
      <ul className="csg-upload-list">
        {items.map((item) => (
          <Upload key={item.id} item={item} uploads={uploads} words={words} />
        ))}
      </ul>
    </section>
  );
}

function Upload({ item, uploads, words }: { item: UploadState; uploads: UploadsState; words: Words }) {
  const { id, name, status } = item;
  const failed = status === "failed" || status === "aborted";
  const over = !isRunning(item);
  return (
    <li className="csg-upload" data-status={status}>
      <span className="csg-upload-name" title={name}>
        {name}
      </span>
      {!failed && <progress className="csg-progress" aria-label={name} max={100} value={item.progress} />}
      <span className="csg-upload-status">{statusOf(item, words)}</span>
      <span className="csg-upload-actions">
        {!over && (
          <button type="button" className="csg-action" aria-label={words.say("cancelUpload", { name })} onClick={() => uploads.abort(id)}>
            {words.say("cancel")}
          </button>
        )}
        {failed && (
          <button type="button" className="csg-action" aria-label={words.say("retryUpload", { name })} onClick={() => uploads.retry(id)}>
            {words.say("retryShort")}
          </button>
        )}
        {over && (
          <button type="button" className="csg-action" aria-label={words.say("dismissUpload", { name })} onClick={() => uploads.remove(id)}>
            {words.say("dismissShort")}
          </button>
        )}
      </span>
    </li>
  );
}

function statusOf(item: UploadState, words: Words): string {
  if (item.status === "sending") return words.say("sending", { percent: words.percent(item.progress) });
  if (item.status === "failed") return item.error?.message ?? words.say("uploadFailed");
  return words.say(item.status);
}
