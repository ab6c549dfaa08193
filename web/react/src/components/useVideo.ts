import type { Ticket } from "@consigne/client";
import { type SyntheticEvent, useEffect, useRef, useState } from "react";

import { useConsigne } from "../provider.js";

type MediaEvent = SyntheticEvent<HTMLVideoElement>;

/** A film's URL, and what its element has to tell. */
export interface VideoSource {
  url: string | undefined;
  error: Error | undefined;
  /** Asks for a URL again after an error. */
  retry(): void;
  handlers: Record<"onPlay" | "onPause" | "onSeeking" | "onLoadedMetadata" | "onError", (event: MediaEvent) => void>;
}

/**
 * Returns the URL of a film, and replaces it when it has ended: at the next play or seek, or when the browser fails to
 * read on. The film then goes on at the same time, and plays if it played.
 */
export function useVideo(s3Key: string): VideoSource {
  const { tickets, ready } = useConsigne();
  const [ticket, setTicket] = useState<Ticket | undefined>(() => tickets.peek(s3Key));
  const [error, setError] = useState<Error>();
  const [round, setRound] = useState(0);
  const playing = useRef(false);
  // Whether the current URL has worked.
  const loaded = useRef(false);
  const renewing = useRef(false);
  const resume = useRef<{ time: number; play: boolean }>(undefined);

  // biome-ignore lint/correctness/useExhaustiveDependencies: a new round asks again.
  useEffect(() => {
    if (!ready) return;
    let gone = false;
    renewing.current = true;
    tickets
      .get(s3Key)
      .then(
        (next) => !gone && setTicket((now) => (now?.url === next.url ? now : next)),
        (failure: Error) => !gone && setError(failure),
      )
      .finally(() => {
        if (!gone) renewing.current = false;
      });
    return () => {
      gone = true;
    };
  }, [tickets, s3Key, ready, round]);

  const renew = (video: HTMLVideoElement) => {
    if (renewing.current) return;
    renewing.current = true;
    loaded.current = false;
    resume.current = { time: video.currentTime, play: playing.current };
    tickets.drop(s3Key);
    setRound((last) => last + 1);
  };
  const renewIfOver = (video: HTMLVideoElement) => {
    if (ticket && ticket.until <= Date.now() && loaded.current) renew(video);
  };

  return {
    url: ticket?.url,
    error,
    retry() {
      tickets.drop(s3Key);
      setError(undefined);
      setTicket(undefined);
      setRound((last) => last + 1);
    },
    handlers: {
      onPlay({ currentTarget }) {
        playing.current = true;
        renewIfOver(currentTarget);
      },
      onPause() {
        // A new URL stops the film, too; it goes on by itself.
        if (!renewing.current) playing.current = false;
      },
      onSeeking: ({ currentTarget }) => renewIfOver(currentTarget),
      onLoadedMetadata({ currentTarget }) {
        loaded.current = true;
        const before = resume.current;
        if (!before) return;
        resume.current = undefined;
        currentTarget.currentTime = before.time;
        // The browser may refuse to play by itself; then the film waits at its place.
        if (before.play) currentTarget.play().catch(() => {});
      },
      onError({ currentTarget }) {
        // A URL that has worked has ended. One that never did would fail again.
        if (loaded.current) renew(currentTarget);
        else if (!renewing.current) setError(new Error(currentTarget.error?.message ?? ""));
      },
    },
  };
}
