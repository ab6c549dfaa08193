import type { AcceptedJob, JobInputs, JobKind, JobView, MediaView } from "@consigne/client";
import { type Query, useQuery } from "@tanstack/react-query";
import { useCallback, useEffect, useRef, useState } from "react";

import { useConsigne } from "./provider.js";

/** Milliseconds before the second status is asked for; each wait is longer than the one before. */
const FIRST_WAIT = 1_000;
const GROWTH = 1.4;
const LONGEST_WAIT = 5_000;
/** Milliseconds between two statuses while nobody looks at the page. */
const HIDDEN_WAIT = 30_000;

export interface UseJobOptions {
  /** Milliseconds between two statuses while the page is visible; 1 second that grows to 5 when absent. */
  interval?: number;
  /** Called once when the job has completed. */
  onCompleted?(job: JobView): void;
  /** Called once when the job has failed. */
  onFailed?(job: JobView): void;
}

/** A generation job, followed until it ends. */
export interface Job {
  job: JobView | undefined;
  status: JobView["status"] | undefined;
  /** 0 to 100. */
  progress: number;
  /** The API's sentence about the status, or why the job failed. */
  message: string | undefined;
  result: JobView["result"];
  /** Pictures of a completed image job, else empty. */
  images: MediaView[];
  /** Films of a completed video job, else empty. */
  videos: MediaView[];
  /** Whether the status is being followed. */
  running: boolean;
  error: Error | null;
  /** Starts a job and follows it. Rejects if it is not accepted. */
  start<Kind extends JobKind>(kind: Kind, input: JobInputs[Kind]): Promise<AcceptedJob>;
  /** Cancels the job if it is pending; its allowance is given back. */
  cancel(): Promise<void>;
}

/** Follows a job until it has ended: the one whose id is given, else the one that `start` began. */
export function useJob(jobId?: string | null, options: UseJobOptions = {}): Job {
  const { client, queries, keys, ready } = useConsigne();
  const [started, setStarted] = useState<string>();
  const id = jobId ?? started;
  const { interval, onCompleted, onFailed } = options;

  const { data: job, error } = useQuery(
    {
      queryKey: keys.job(id ?? ""),
      queryFn: ({ signal }) => client.jobs.status(id ?? "", { signal }),
      enabled: ready && id !== undefined,
      staleTime: (query: Query<JobView>) => (hasEnded(query) ? Number.POSITIVE_INFINITY : 0),
      refetchInterval: (query: Query<JobView>) => (hasEnded(query) ? false : waitOf(query, interval)),
      // A hidden page goes on at its slower pace, and asks at once when it is looked at again.
      refetchIntervalInBackground: true,
      refetchOnWindowFocus: (query: Query<JobView>) => (hasEnded(query) ? false : "always"),
    },
    queries,
  );

  // Effects run twice in StrictMode, and a job's end may be read twice.
  const told = useRef<string>(undefined);
  useEffect(() => {
    if (!job || told.current === job.job_id || (job.status !== "completed" && job.status !== "failed")) return;
    told.current = job.job_id;
    if (job.status === "failed") {
      onFailed?.(job);
      return;
    }
    void queries.invalidateQueries({ queryKey: keys.files });
    void queries.invalidateQueries({ queryKey: keys.usage });
    onCompleted?.(job);
  }, [job, queries, keys, onCompleted, onFailed]);

  const start = useCallback(
    async <Kind extends JobKind>(kind: Kind, input: JobInputs[Kind]) => {
      const accepted = await client.jobs.start(kind, input);
      setStarted(accepted.job_id);
      return accepted;
    },
    [client],
  );
  const cancel = useCallback(async () => {
    if (id === undefined) return;
    await client.jobs.cancel(id);
    await queries.invalidateQueries({ queryKey: keys.job(id) });
  }, [client, queries, keys, id]);

  const result = job?.result;
  const ended = job?.status === "completed" || job?.status === "failed";
  return {
    job,
    status: job?.status,
    progress: job?.status === "completed" ? 100 : (job?.progress ?? 0),
    message: job?.message,
    result,
    images: result && "images" in result ? result.images : [],
    videos: result && "videos" in result ? result.videos : [],
    running: id !== undefined && !ended && !isFinal(error),
    error,
    start,
    cancel,
  };
}

function hasEnded({ state }: Query<JobView>): boolean {
  return state.data?.status === "completed" || state.data?.status === "failed" || isFinal(state.error);
}

/** Whether asking again would get the same error. */
function isFinal(error: Error | null): boolean {
  const { status } = (error ?? {}) as { status?: number };
  return status !== undefined && status >= 400 && status < 500 && status !== 429;
}

/** Milliseconds until the next status is asked for. */
function waitOf({ state }: Query<JobView>, interval: number | undefined): number | false {
  // While a server renders, nothing is waited for.
  if (typeof document === "undefined") return false;
  const { retryAfter } = (state.error ?? {}) as { retryAfter?: number };
  if (retryAfter !== undefined) return retryAfter * 1_000;
  if (document.visibilityState === "hidden") return Math.max(HIDDEN_WAIT, interval ?? 0);
  return interval ?? Math.min(LONGEST_WAIT, FIRST_WAIT * GROWTH ** Math.max(0, state.dataUpdateCount - 1));
}
