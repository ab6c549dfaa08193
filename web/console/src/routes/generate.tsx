import type { JobKind, JobView } from "@consigne/client";
import { useConsigne, useJob } from "@consigne/react";
import { ImageResults, VideoResults } from "@consigne/react/components";
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useCallback, useState } from "react";

import { JOB_KINDS } from "../router.tsx";
import { useSession } from "../session.tsx";
import { Button } from "../ui/Button.tsx";
import { Choice, Field, TextArea, TextInput } from "../ui/Field.tsx";
import { KIND_WORDS } from "../ui/kinds.ts";
import { Meter } from "../ui/Meter.tsx";
import { Empty, Failure, Head, Loading, State, Time } from "../ui/states.tsx";
import { useWork } from "../ui/useWork.ts";
import { type MessageId, useWords } from "../words.ts";

/** Has books, articles, images and videos made, and shows what came of it. */
export function Generate() {
  const { client, queries, keys } = useConsigne();
  const { say } = useWords();
  const { job: open } = useSearch({ from: "/generate" });
  const navigate = useNavigate({ from: "/generate" });
  const listKey = [...keys.all, "jobs"];
  const list = useQuery({ queryKey: listKey, queryFn: async ({ signal }) => (await client.jobs.list({}, { signal })).items }, queries);
  const again = useCallback(() => void queries.invalidateQueries({ queryKey: [...keys.all, "jobs"] }), [queries, keys]);
  return (
    <>
      <Head title={say("nav.generate")} text={say("generate.text")} />
      <div className="grid gap-8 lg:grid-cols-2">
        <NewJob
          onStarted={(id) => {
            again();
            void navigate({ search: (before) => ({ ...before, job: id }) });
          }}
        />
        <section aria-label={say("generate.result")} className="grid content-start gap-3">
          {open ? <Progress key={open} id={open} onEnded={again} /> : <p className="text-muted">{say("generate.none")}</p>}
        </section>
      </div>
      <section className="grid gap-3">
        <h2 className="text-base font-semibold">{say("generate.jobs")}</h2>
        {list.error && <Failure what={say("generate.jobs.failed")} error={list.error} retry={() => void list.refetch()} />}
        {list.isPending && <Loading rows={3} />}
        {list.data?.length === 0 && <Empty text={say("generate.jobs.empty")} />}
        {list.data && list.data.length > 0 && (
          <Jobs jobs={list.data} onOpen={(id) => void navigate({ search: (before) => ({ ...before, job: id }) })} />
        )}
      </section>
    </>
  );
}

function NewJob({ onStarted }: { onStarted(id: string): void }) {
  const { client, queries, keys } = useConsigne();
  const { me } = useSession();
  const { say, number } = useWords();
  const { kind = "book" } = useSearch({ from: "/generate" });
  const navigate = useNavigate({ from: "/generate" });
  const [about, setAbout] = useState("");
  const [goal, setGoal] = useState("");
  const [count, setCount] = useState("1");
  const [seconds, setSeconds] = useState("8");
  const writes = kind === "book" || kind === "blog";
  const { busy, failure, run } = useWork(async () => {
    const text = { topic: about, goal: goal || null };
    const inputs = {
      book: text,
      blog: text,
      image: { prompt: about, count: Number(count) },
      video: { prompt: about, duration_seconds: Number(seconds) },
    };
    const { job_id } = await client.jobs.start(kind, inputs[kind]);
    setAbout("");
    setGoal("");
    onStarted(job_id);
    await queries.invalidateQueries({ queryKey: [...keys.all, "me"] });
  });
  const allowance = me.limits.generations[kind];
  const left = allowance && Math.max(0, allowance.limit - allowance.used);
  return (
    <form className="grid content-start gap-4" onSubmit={run}>
      <Field label={say("generate.kind")}>
        <Choice
          value={kind}
          options={JOB_KINDS.map((one) => [one, say(`generate.kind.${one}`)])}
          onChange={(value) => void navigate({ search: (before) => ({ ...before, kind: value as JobKind }), replace: true })}
        />
      </Field>
      <Field label={say(writes ? "generate.topic" : "generate.prompt")}>
        <TextInput required maxLength={writes ? 500 : 4_000} value={about} onChange={setAbout} />
      </Field>
      {writes && (
        <Field label={say("generate.goal")} hint={say("generate.goal.hint")}>
          <TextArea value={goal} onChange={setGoal} />
        </Field>
      )}
      {kind === "image" && (
        <Field label={say("generate.count")}>
          <Choice value={count} options={["1", "2", "3", "4"].map((one) => [one, one])} onChange={setCount} />
        </Field>
      )}
      {kind === "video" && (
        <Field label={say("generate.seconds")}>
          <TextInput type="number" required min={1} max={60} value={seconds} onChange={setSeconds} />
        </Field>
      )}
      {failure !== undefined && <Failure what={say("generate.failed")} error={failure} />}
      <div className="flex flex-wrap items-center gap-3">
        <Button primary type="submit" busy={busy} disabled={left === 0}>
          {say("generate.start")}
        </Button>
        {allowance && <span className="text-muted">{say("generate.left", { left: number(left ?? 0), limit: number(allowance.limit) })}</span>}
      </div>
    </form>
  );
}

/** A job from its start to its result. */
function Progress({ id, onEnded }: { id: string; onEnded(): void }) {
  const { say, number, bytes } = useWords();
  const { job, images, videos, progress, running, error, cancel } = useJob(id, { onCompleted: onEnded, onFailed: onEnded });
  const stop = useWork(() => cancel().then(onEnded));
  if (error) return <Failure what={say("generate.job.failed")} error={error} />;
  if (!job) return <Loading rows={2} />;
  const text = job.result && "download_url" in job.result ? job.result : undefined;
  return (
    <>
      <h2 className="text-base font-semibold">{job.title}</h2>
      <p role="status" className="flex flex-wrap gap-x-3">
        <JobState job={job} />
        <span>{job.error?.message ?? job.message}</span>
      </p>
      {running && <Meter label={say("generate.progress")} percent={progress} />}
      {job.allowance_returned && <p className="text-muted">{say("generate.returned")}</p>}
      {job.status === "pending" && (
        <div>
          <Button onClick={() => void stop.run()} busy={stop.busy}>
            {say("generate.cancel")}
          </Button>
        </div>
      )}
      {stop.failure !== undefined && <Failure what={say("generate.cancel.failed")} error={stop.failure} />}
      {text && (
        <div className="grid gap-2">
          <p className="font-medium">{text.book_title}</p>
          <p className="text-muted">
            {bytes(text.file_size)}
            {text.word_count !== null && `, ${say("generate.words", { count: text.word_count, shown: number(text.word_count) })}`}
          </p>
          <a className="w-fit text-accent underline underline-offset-2" href={text.download_url} target="_blank" rel="noopener noreferrer">
            {say("generate.download")}
          </a>
        </div>
      )}
      {images.length > 0 && <ImageResults images={images} />}
      {videos.length > 0 && <VideoResults videos={videos} />}
    </>
  );
}

const JOB_WORDS: Record<JobView["status"], ["good" | "plain" | "bad", MessageId]> = {
  pending: ["plain", "generate.pending"],
  processing: ["plain", "generate.processing"],
  completed: ["good", "generate.completed"],
  failed: ["bad", "generate.failed.state"],
};

function JobState({ job }: { job: Pick<JobView, "status"> }) {
  const { say } = useWords();
  const [tone, word] = JOB_WORDS[job.status];
  return <State tone={tone}>{say(word)}</State>;
}

function Jobs({ jobs, onOpen }: { jobs: Pick<JobView, "job_id" | "title" | "kind" | "status" | "created_at">[]; onOpen(id: string): void }) {
  const { say } = useWords();
  return (
    <table className="grid-table">
      <thead>
        <tr>
          <th scope="col">{say("generate.title")}</th>
          <th scope="col" className="hidden sm:table-cell">
            {say("generate.kind")}
          </th>
          <th scope="col" className="hidden sm:table-cell">
            {say("generate.when")}
          </th>
          <th scope="col">{say("keys.status")}</th>
        </tr>
      </thead>
      <tbody>
        {jobs.map((job) => (
          <tr key={job.job_id}>
            <td>
              <button type="button" className="text-start font-medium underline-offset-2 hover:underline" onClick={() => onOpen(job.job_id)}>
                {job.title}
              </button>
            </td>
            <td className="hidden sm:table-cell">{say(KIND_WORDS[job.kind] ?? "kind.other")}</td>
            <td className="hidden sm:table-cell">
              <Time at={job.created_at} />
            </td>
            <td>
              <JobState job={job} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
