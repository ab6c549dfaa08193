//! Fakes for drafts and for the language model.

use std::collections::{BTreeMap, VecDeque};

use consigne_core::files::File;
use consigne_core::ports::{AskModel, ForgetManuscript, GetManuscript, KeepManuscript, PutObject, ReadChapters};
use consigne_core::texts::{Chapter, Manuscript, Prompt, Reply, Trouble, read_reply};
use consigne_core::{Fault, JobId};
use consigne_runtime::clock;

use super::{Version, World};
use crate::model::{self, Mischief};

/// Drafts, their chapters, and the calls to the model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Texts {
    /// Drafts by job.
    pub manuscripts: BTreeMap<JobId, Manuscript>,
    /// Chapters by job and index.
    pub chapters: BTreeMap<(JobId, usize), String>,
    /// Tasks of the calls to the model, in order: `outline`, `chapter 1` and so on.
    pub asked: Vec<String>,
    /// Faults of the next calls. `None` is no fault.
    pub mischief: VecDeque<Option<Mischief>>,
    /// Fault of all later calls.
    pub always: Option<Mischief>,
}

impl AskModel for World {
    async fn ask_model(&self, prompt: &Prompt) -> Result<Result<Reply, Trouble>, Fault> {
        self.effect(|state| {
            let texts = &mut state.texts;
            texts.asked.push(model::named(prompt));
            let mischief = texts.mischief.pop_front().unwrap_or(texts.always);
            let outcome = mischief.map_or_else(|| model::answer(prompt), |mischief| mischief.outcome(prompt));
            read_reply(outcome, clock::now())
        })
    }
}

impl GetManuscript for World {
    async fn get_manuscript(&self, job: &JobId) -> Result<Option<Manuscript>, Fault> {
        self.effect(|state| state.texts.manuscripts.get(job).cloned())
    }
}

impl KeepManuscript for World {
    async fn keep_manuscript(&self, manuscript: &Manuscript, chapter: Option<&Chapter>) -> Result<bool, Fault> {
        self.effect(|state| {
            let texts = &mut state.texts;
            let stands = texts.manuscripts.get(&manuscript.job).map_or(0, |known| known.revision);
            if stands != manuscript.revision.saturating_sub(1) {
                return false;
            }
            texts.manuscripts.insert(manuscript.job.clone(), manuscript.clone());
            if let Some(Chapter { at, text }) = chapter {
                texts.chapters.insert((manuscript.job.clone(), *at), text.clone());
            }
            true
        })
    }
}

impl ReadChapters for World {
    async fn read_chapters(&self, job: &JobId) -> Result<Vec<String>, Fault> {
        self.effect(|state| {
            let theirs = state.texts.chapters.iter().filter(|((of, _), _)| of == job);
            theirs.map(|(_, text)| text.clone()).collect()
        })
    }
}

impl ForgetManuscript for World {
    async fn forget_manuscript(&self, job: &JobId) -> Result<(), Fault> {
        self.effect(|state| {
            state.texts.manuscripts.remove(job);
            state.texts.chapters.retain(|(of, _), _| of != job);
        })
    }
}

impl PutObject for World {
    async fn put_object(&self, file: &File, bytes: &[u8]) -> Result<bool, Fault> {
        self.effect(|state| {
            let versions = state.objects.entry(file.key.to_string()).or_default();
            let is_free = versions.is_empty();
            if is_free {
                versions.push(Version { id: "v1".to_owned(), bytes: bytes.to_vec() });
            }
            is_free
        })
    }
}
