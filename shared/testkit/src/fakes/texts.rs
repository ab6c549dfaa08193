//! Fakes for drafts and for the language model.

use std::collections::{BTreeMap, VecDeque};

use consigne_core::files::File;
use consigne_core::idempotency::CommitOutcome;
use consigne_core::ports::{AskModel, ForgetDraft, GetDraft, PutObject, ReadChapters, StoreDraft};
use consigne_core::texts::{Chapter, Draft, Prompt, Reply, Trouble, read_reply};
use consigne_core::{Fault, JobId};
use consigne_runtime::clock;

use super::{Version, World};
use crate::model::{self, ModelFault};

/// Drafts, their chapters, and the calls to the model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Texts {
    /// Drafts by job.
    pub drafts: BTreeMap<JobId, Draft>,
    /// Chapters by job and index.
    pub chapters: BTreeMap<(JobId, usize), String>,
    /// Tasks of the calls to the model, in order: `outline`, `chapter 1` and so on.
    pub asked: Vec<String>,
    /// Faults of the next calls. `None` is no fault.
    pub faults: VecDeque<Option<ModelFault>>,
    /// Fault of all later calls.
    pub always: Option<ModelFault>,
}

impl AskModel for World {
    async fn ask_model(&self, prompt: &Prompt) -> Result<Result<Reply, Trouble>, Fault> {
        self.effect(|state| {
            let texts = &mut state.texts;
            texts.asked.push(model::named(prompt));
            let fault = texts.faults.pop_front().unwrap_or(texts.always);
            let outcome = fault.map_or_else(|| model::answer(prompt), |fault| fault.outcome(prompt));
            read_reply(outcome, clock::now())
        })
    }
}

impl GetDraft for World {
    async fn get_draft(&self, job: &JobId) -> Result<Option<Draft>, Fault> {
        self.effect(|state| state.texts.drafts.get(job).cloned())
    }
}

impl StoreDraft for World {
    async fn store_draft(&self, draft: &Draft, chapter: Option<&Chapter>) -> Result<CommitOutcome, Fault> {
        self.effect(|state| {
            let texts = &mut state.texts;
            let stands = texts.drafts.get(&draft.job).map_or(0, |known| known.revision);
            if stands != draft.revision.saturating_sub(1) {
                return CommitOutcome::Conflict;
            }
            texts.drafts.insert(draft.job.clone(), draft.clone());
            if let Some(Chapter { at, text }) = chapter {
                texts.chapters.insert((draft.job.clone(), *at), text.clone());
            }
            CommitOutcome::Committed
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

impl ForgetDraft for World {
    async fn forget_draft(&self, job: &JobId) -> Result<(), Fault> {
        self.effect(|state| {
            state.texts.drafts.remove(job);
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
                versions.push(Version { id: "v1".to_owned(), bytes: bytes.to_vec(), zeros: 0 });
            }
            is_free
        })
    }
}
