//! Fakes for exports of people's data.

use std::collections::BTreeMap;

use consigne_core::Fault;
use consigne_core::UserId;
use consigne_core::audit::AuditEntry;
use consigne_core::credits::WalletId;
use consigne_core::events::Event;
use consigne_core::exports::{EXPORTS_A_DAY, Export, ExportKey, PersonRecord, too_many_exports};
use consigne_core::idempotency::CommitOutcome;
use consigne_core::periods::Day;
use consigne_core::ports::{AdvanceExport, ForgetExport, GetExport, PutExport, RequestExport, WalkPerson};

use super::{State, Version, World};

/// Exports, and how many were asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Exports {
    /// The last export of each person.
    pub last: BTreeMap<UserId, Export>,
    /// Exports that a person has asked for in a day.
    pub asked: BTreeMap<(UserId, Day), u32>,
    /// Number of objects that were written.
    pub written: u64,
    /// Records that one query returns; 0 for as many as are asked for.
    pub records_in_a_page: usize,
}

impl RequestExport for World {
    async fn request_export(&self, export: &Export, audit: Option<&AuditEntry>) -> Result<Export, Fault> {
        let now = export.requested_at;
        self.effect_of(&export.user, |state| {
            if let Some(last) = state.exports.last.get(&export.user).filter(|last| last.answers(now)) {
                return Ok(last.clone());
            }
            if let Some(entry) = audit {
                state.accounts.audit.push(entry.clone());
            } else {
                let asked = state.exports.asked.entry((export.user.clone(), Day::of(now))).or_default();
                if *asked >= EXPORTS_A_DAY {
                    return Err(too_many_exports(now));
                }
                *asked += 1;
            }
            state.exports.last.insert(export.user.clone(), export.clone());
            state.push_event(&export.requested());
            Ok(export.clone())
        })?
    }
}

impl GetExport for World {
    async fn get_export(&self, user: &UserId) -> Result<Option<Export>, Fault> {
        self.effect(|state| state.exports.last.get(user).cloned())
    }
}

impl AdvanceExport for World {
    async fn advance_export(&self, export: &Export, event: Option<&Event>) -> Result<CommitOutcome, Fault> {
        self.effect_of(&export.user, |state| {
            let seen = state.exports.last.get(&export.user).map(|last| last.revision);
            if seen != export.revision.checked_sub(1) {
                return CommitOutcome::Conflict;
            }
            state.exports.last.insert(export.user.clone(), export.clone());
            if let Some(event) = event {
                state.push_event(event);
            }
            CommitOutcome::Committed
        })
    }
}

impl ForgetExport for World {
    async fn forget_export(&self, user: &UserId) -> Result<(), Fault> {
        self.effect(|state| drop(state.exports.last.remove(user)))
    }
}

impl State {
    /// Returns the records of a person, by the names that they have in the table.
    fn records_of(&self, user: &UserId) -> BTreeMap<String, PersonRecord> {
        let mut found = BTreeMap::new();
        let mut add = |name: String, record| drop(found.insert(name, record));
        for file in self.files.values().filter(|file| file.owner() == user) {
            add(format!("FILE#{}", file.id()), PersonRecord::File(Box::new(file.clone())));
        }
        for job in self.jobs.jobs.values().filter(|job| job.owner() == user) {
            add(format!("JOB#{}", job.id.tail()), PersonRecord::Job(Box::new(job.clone())));
        }
        for draft in self.texts.drafts.values().filter(|draft| draft.job.owner() == user) {
            add(format!("TEXT#{}", draft.job.tail()), PersonRecord::Draft(Box::new(draft.clone())));
        }
        for ((job, at), text) in self.texts.chapters.iter().filter(|((job, _), _)| job.owner() == user) {
            add(format!("TEXT#{}#{at:03}", job.tail()), PersonRecord::Chapter(job.clone(), *at, text.clone()));
        }
        for ((_, id), org) in self.hooks.pointers.iter().filter(|((whose, _), _)| whose == user) {
            add(format!("ENDPOINT#{id}"), PersonRecord::Endpoint(*org, *id));
        }
        for ((_, topic), since) in self.mail.unsubscribed.iter().filter(|((whose, _), _)| whose == user) {
            add(format!("UNSUBSCRIBED#{}", topic.name()), PersonRecord::Unsubscribed(*topic, *since));
        }
        if let Some(profile) = self.profiles.get(user) {
            add("PROFILE".to_owned(), PersonRecord::Profile(Box::new(profile.clone())));
        }
        if let Some(usage) = self.usage.get(user) {
            add("USAGE".to_owned(), PersonRecord::Storage(Box::new(usage.clone())));
        }
        if let Some(wallet) = self.accounts.wallets.get(&WalletId::Test(user.clone())) {
            add("TESTWALLET".to_owned(), PersonRecord::TestCredits(Box::new(wallet.clone())));
        }
        found
    }
}

impl WalkPerson for World {
    async fn walk_person(
        &self,
        user: &UserId,
        after: Option<&str>,
        limit: u32,
    ) -> Result<(Vec<PersonRecord>, Option<String>), Fault> {
        self.effect(|state| {
            let limit = match state.exports.records_in_a_page {
                0 => limit as usize,
                few => few.min(limit as usize),
            };
            let rest =
                state.records_of(user).into_iter().filter(|(name, _)| after.is_none_or(|after| name.as_str() > after));
            let mut rest: Vec<(String, PersonRecord)> = rest.take(limit + 1).collect();
            let more = rest.len() > limit;
            rest.truncate(limit);
            let next = rest.last().map(|(name, _)| name.clone()).filter(|_| more);
            (rest.into_iter().map(|(_, record)| record).collect(), next)
        })
    }
}

impl PutExport for World {
    async fn put_export(&self, key: &ExportKey, text: String) -> Result<String, Fault> {
        self.effect(|state| {
            state.exports.written += 1;
            let id = format!("e{}", state.exports.written);
            let versions = state.objects.entry(key.to_string()).or_default();
            versions.push(Version { id: id.clone(), bytes: text.into_bytes(), zeros: 0 });
            id
        })
    }
}
