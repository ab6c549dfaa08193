//! Drafts: the outline of a text, the number of written chapters, the lease of the current worker, and the last
//! trouble.
//!
//! Every change is computed from a revision, and stored only if that revision is still the current one. So only one of
//! several workers continues. A worker with the lease works on a queue message, which is delivered again if the worker
//! crashes. So a message that finds the lease of another message is superfluous and is dropped.

use std::fmt;
use std::time::Duration;

use super::markdown::{chapter, words};
use super::{Form, Outline, Prompt, Reply, Sort, Tokens, Trouble, trouble};
use crate::jobs::{Failure, Job};
use crate::{FileId, JobId, Timestamp};

/// How long a worker's lease of a step lasts. It is longer than the function's timeout, so that no two workers call the
/// model for a step at the same time.
pub const LEASE: Duration = Duration::from_secs(130);
/// How long a draft is kept after its job's deadline.
const KEPT: Duration = Duration::from_hours(24);
/// How much of the end of a chapter the next prompt repeats, in characters.
const BEFORE: usize = 1_500;

/// The lease of a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Id of the queue message on which the worker works.
    pub holder: String,
    /// When the lease ends.
    pub until: Timestamp,
}

/// A text that is being written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// The job it is for.
    pub job: JobId,
    /// Its outline, once it exists.
    pub outline: Option<Outline>,
    /// Number of chapters that are written.
    pub written: usize,
    /// Number of words in them.
    pub words: u64,
    /// The end of the last chapter, for the next prompt.
    pub before: String,
    /// Id of the file to deliver, once all chapters are written.
    pub file: Option<FileId>,
    /// Tries of the next step so far, including those whose worker crashed.
    pub tries: u32,
    /// The kind of trouble with which the last try ended, if it failed.
    pub trouble: Option<Sort>,
    /// The earliest time for the next try.
    pub not_before: Timestamp,
    /// The lease of the current worker, if one is at work.
    pub lease: Option<Lease>,
    /// Tokens of all calls together.
    pub tokens: Tokens,
    /// When the table may delete it.
    pub expires: Timestamp,
    /// Number of writes; 0 if it was never stored. Each write is conditional on the revision from which it was
    /// computed.
    pub revision: u64,
}

/// A written chapter, stored beside the draft.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chapter {
    /// Its index, from 0.
    pub at: usize,
    /// Its text, in Markdown.
    pub text: String,
}

/// The next step of a draft.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Ask for the outline.
    Outline,
    /// Ask for this chapter, counted from 0.
    Chapter(usize),
    /// Deliver the file with all chapters.
    Delivery,
}

impl fmt::Display for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outline => f.write_str("outline"),
            Self::Chapter(at) => write!(f, "chapter {}", at + 1),
            Self::Delivery => f.write_str("delivery"),
        }
    }
}

/// What the worker that has received a message may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Take the next step. The worker must store this draft first, which has its lease.
    Taken(Box<Draft>),
    /// Drop the message: the worker of another message has the lease.
    Others,
    /// Retry later: a worker that received the same message before may still be at work.
    Underway,
    /// Retry after this wait.
    Early(Duration),
    /// Fail the job: the step has no tries left.
    Spent(Failure),
}

impl Draft {
    /// Starts a draft, which is not stored yet.
    pub fn begun(job: &Job) -> Self {
        Self {
            job: job.id.clone(),
            outline: None,
            written: 0,
            words: 0,
            before: String::new(),
            file: None,
            tries: 0,
            trouble: None,
            not_before: job.created_at,
            lease: None,
            tokens: Tokens::default(),
            // The table expires items by the second.
            expires: job.deadline.plus(KEPT).floor(Duration::from_secs(1)),
            revision: 0,
        }
    }

    /// Returns the next step.
    pub fn next(&self) -> Next {
        match &self.outline {
            None => Next::Outline,
            Some(outline) if self.written < outline.chapters.len() => Next::Chapter(self.written),
            Some(_) => Next::Delivery,
        }
    }

    /// Returns how many chapters are written, and how many there will be, if known.
    pub fn progress(&self) -> (usize, Option<usize>) {
        (self.written, self.outline.as_ref().map(|outline| outline.chapters.len()))
    }

    /// Returns what the worker that has received a message may do now.
    pub fn turn(&self, message: &str, now: Timestamp) -> Turn {
        if let Some(lease) = self.lease.as_ref().filter(|lease| now < lease.until) {
            return if lease.holder == message { Turn::Underway } else { Turn::Others };
        }
        if let Some(failure) = trouble::spent(self.tries, self.trouble) {
            return Turn::Spent(failure);
        }
        if now < self.not_before {
            return Turn::Early(self.not_before.since(now));
        }
        let lease = Some(Lease { holder: message.to_owned(), until: now.plus(LEASE) });
        Turn::Taken(Box::new(Self { lease, tries: self.tries + 1, ..self.changed() }))
    }

    /// Returns the next prompt for the model, or `None` if the next step needs none.
    pub fn prompt(&self, job: &Job, form: Form) -> Option<Prompt> {
        match (self.next(), &self.outline) {
            (Next::Outline, _) => Some(Prompt::outline(&job.ask, form)),
            (Next::Chapter(at), Some(plan)) => {
                Some(Prompt::chapter(&job.ask, form, plan, at, &self.before, self.trouble))
            }
            _ => None,
        }
    }

    /// Adds the model's answer. Returns the draft after it, and the chapter, if the answer was one.
    ///
    /// # Errors
    /// `Unusable` if the answer is not the outline or chapter that was asked for.
    pub fn take(
        &self,
        reply: &Reply,
        form: Form,
        requested_title: Option<&str>,
        now: Timestamp,
    ) -> Result<(Self, Option<Chapter>), Trouble> {
        let unusable = |why: &str| Trouble { tokens: reply.tokens, ..Trouble::new(Sort::Unusable, why) };
        let done =
            Self { lease: None, tries: 0, trouble: None, tokens: self.tokens.plus(reply.tokens), ..self.changed() };
        let Some(plan) = &self.outline else {
            let outline = Some(Outline::parse(&reply.text, form, requested_title).map_err(unusable)?);
            return Ok((Self { outline, ..done }, None));
        };
        let text = chapter(&reply.text).map_err(unusable)?;
        let (written, words) = (self.written + 1, self.words + words(&text) as u64);
        let skipped = text.chars().count().saturating_sub(BEFORE);
        let before = text.chars().skip(skipped).collect();
        let file = (written >= plan.chapters.len()).then(|| FileId::mint(now));
        Ok((Self { written, words, before, file, ..done }, Some(Chapter { at: self.written, text })))
    }

    /// Records a trouble. Returns the draft after it, and either the wait before the next try or, if no try is left
    /// before the deadline, the failure of the job.
    pub fn troubled(
        &self,
        trouble: &Trouble,
        deadline: Timestamp,
        now: Timestamp,
    ) -> (Self, Result<Duration, Failure>) {
        let wait = trouble.wait(self.tries);
        let late = (now.plus(wait) >= deadline).then(|| trouble.failure());
        let over = trouble::spent(self.tries, Some(trouble.sort)).or(late);
        let after = Self {
            lease: None,
            trouble: Some(trouble.sort),
            not_before: now.plus(wait),
            tokens: self.tokens.plus(trouble.tokens),
            ..self.changed()
        };
        (after, over.map_or(Ok(wait), Err))
    }

    /// Postpones a step that was not tried, for a reason other than the model.
    #[must_use]
    pub fn put_off(&self, wait: Duration, now: Timestamp) -> Self {
        Self { lease: None, tries: self.tries.saturating_sub(1), not_before: now.plus(wait), ..self.changed() }
    }

    /// Gives the draft a new file id, because the old file can no longer be delivered.
    #[must_use]
    pub fn with_another_file(&self, now: Timestamp) -> Self {
        Self { file: Some(FileId::mint(now)), ..self.changed() }
    }

    fn changed(&self) -> Self {
        Self { revision: self.revision + 1, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::Kind;
    use crate::jobs::Ask;
    use crate::{Plan, UserId};

    const NOW: Timestamp = Timestamp::from_secs(1_795_257_000);

    fn job() -> Job {
        let ask = Ask::text("Le phare", None, None).unwrap();
        Job::accept(&UserId::parse("user_ann1").unwrap(), Plan::Pro, Kind::Blog, ask, NOW)
    }

    fn taken(draft: &Draft, message: &str, now: Timestamp) -> Draft {
        match draft.turn(message, now) {
            Turn::Taken(taken) => *taken,
            other => panic!("{message} may not: {other:?}"),
        }
    }

    fn replied(draft: &Draft, text: &str) -> Result<(Draft, Option<Chapter>), Trouble> {
        let reply = Reply { text: text.to_owned(), tokens: Tokens { prompt: 10, completion: 20 } };
        draft.take(&reply, Form::of(Kind::Blog).unwrap(), None, NOW)
    }

    #[test]
    fn a_text_is_planned_written_and_delivered() {
        let fresh = Draft::begun(&job());
        assert_eq!((fresh.next(), fresh.progress()), (Next::Outline, (0, None)));
        let plan = r#"{"title": "Le phare", "chapters": ["La lampe", "Le gardien"]}"#;
        let (planned, none) = replied(&taken(&fresh, "m1", NOW), plan).unwrap();
        assert_eq!((planned.next(), planned.progress(), none), (Next::Chapter(0), (0, Some(2)), None));
        let long = format!("{} fin.", "mot ".repeat(2_000));
        let (first, chapter) = replied(&taken(&planned, "m2", NOW), &long).unwrap();
        assert_eq!((first.next(), first.words, first.file), (Next::Chapter(1), 2_001, None));
        assert_eq!((chapter.unwrap().at, first.before.chars().count()), (0, 1_500));
        assert!(first.before.ends_with("fin."));
        let (second, chapter) = replied(&taken(&first, "m3", NOW), &long).unwrap();
        assert_eq!((second.next(), chapter.unwrap().at, second.revision), (Next::Delivery, 1, 6));
        assert_eq!([planned.next(), second.next()].map(|next| next.to_string()), ["chapter 1", "delivery"]);
        assert!(second.file.is_some());
        assert_eq!((second.tokens, second.tries, second.lease), (Tokens { prompt: 30, completion: 60 }, 0, None));
    }

    #[test]
    fn during_a_lease_other_messages_are_dropped_and_the_same_one_retries_later() {
        let busy = taken(&Draft::begun(&job()), "m1", NOW);
        assert_eq!((busy.turn("m2", NOW), busy.turn("m1", NOW)), (Turn::Others, Turn::Underway));
        let later = NOW.plus(LEASE);
        assert_eq!(taken(&busy, "m2", later).tries, 2);
        assert_eq!(taken(&busy, "m1", later).tries, 2);
    }

    #[test]
    fn a_step_that_crashes_its_workers_fails_the_job() {
        let (mut draft, mut now) = (Draft::begun(&job()), NOW);
        for tries in 1..=4 {
            draft = taken(&draft, "m1", now);
            assert_eq!(draft.tries, tries);
            now = now.plus(LEASE);
        }
        assert!(matches!(draft.turn("m1", now), Turn::Spent(failure) if failure.code == "WRITING_BROKE_OFF"));
    }

    #[test]
    fn trouble_is_retried_a_limited_number_of_times_and_never_after_the_deadline() {
        let trouble = Trouble::new(Sort::Busy, "429");
        let busy = taken(&Draft::begun(&job()), "m1", NOW);
        let (after, wait) = busy.troubled(&trouble, job().deadline, NOW);
        assert_eq!(wait, Ok(Duration::from_secs(15)));
        assert_eq!(after.turn("m2", NOW.plus(Duration::from_secs(5))), Turn::Early(Duration::from_secs(10)));
        assert_eq!(taken(&after, "m2", NOW.plus(Duration::from_secs(15))).tries, 2);
        let late = job().deadline.minus(Duration::from_secs(15));
        assert_eq!(busy.troubled(&trouble, job().deadline, late).1.unwrap_err().code, "MODEL_UNAVAILABLE");
        let last = Draft { tries: 6, ..busy };
        let (after, failure) = last.troubled(&trouble, job().deadline, NOW);
        assert_eq!(after.turn("m2", NOW), Turn::Spent(failure.unwrap_err()));
    }

    #[test]
    fn an_unusable_answer_is_trouble_whose_tokens_count() {
        let busy = taken(&Draft::begun(&job()), "m1", NOW);
        let trouble = replied(&busy, "I cannot plan this.").unwrap_err();
        assert_eq!((trouble.sort, trouble.tokens.completion), (Sort::Unusable, 20));
        assert_eq!(busy.troubled(&trouble, job().deadline, NOW).0.tokens.prompt, 10);
    }
}
