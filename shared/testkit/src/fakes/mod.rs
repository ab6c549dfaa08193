//! Fakes of every port, in memory, with planned faults.
//!
//! A fake must not accept what the service refuses, so the same contract tests run on it and on the real adapters.

mod accounts;
mod actions;
mod anomalies;
mod checkouts;
mod credits;
mod deletions;
mod deliveries;
mod derivatives;
mod director;
mod due;
mod exports;
mod files;
mod gateway;
mod holds;
mod interleaved;
mod jobs;
mod mail;
mod maintenance;
mod members;
mod migrations;
mod operators;
mod orders;
mod orgs;
mod outages;
mod people;
mod purchases;
mod queues;
mod reconcile;
mod stats;
mod texts;
mod uploads;

pub use accounts::AccountsState;
pub use deliveries::{SimClock, WebhookFakes};
pub use director::{Director, Fate};
pub use exports::Exports;
pub use gateway::Upstreams;
pub use jobs::Jobs;
pub use mail::{MailFakes, MailService, MailState};
pub use reconcile::ReconcileFakes;
pub use texts::Texts;
pub use uploads::{PartedUpload, Version};

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use consigne_core::events::{Event, OutboxEntry};
use consigne_core::files::{File, Grant, GrantOutcome, Kind, LedgerDelta, LedgerState, ObjectKey, Status, Usage};
use consigne_core::idempotency::WriteOutcome;
use consigne_core::migrations::{Migration, MigrationId};
use consigne_core::orders::Order;
use consigne_core::periods::Day;
use consigne_core::ports::{Filter, GetUsage, GrantUpload, ListFiles, ObjectHead, Page, Position, Probe, ReadHead};
use consigne_core::profiles::{Closing, Profile};
use consigne_core::rates::Windows;
use consigne_core::stats::{DayStats, StorageDay};
use consigne_core::webhooks::{Received, Source, WebhookId};
use consigne_core::{EventId, Fault, FileId, OrderId, OrgId, Plan, PublicId, UserId};

use crate::schemas;

/// The world outside of the functions, in memory: table, bucket, bus, queues, mail service, payment provider, language
/// model and other servers. It implements every port. Clones share their state.
#[derive(Clone, Debug, Default)]
pub struct World {
    state: Arc<Mutex<State>>,
    fault: Arc<Mutex<Option<PlannedFault>>>,
    interleaved: Arc<Mutex<Option<interleaved::Interleaved>>>,
    removals_refused: Arc<AtomicBool>,
    uploads_opened: Arc<AtomicU32>,
    /// Whether this clone's bucket is the replica.
    is_replica: bool,
    effects: Arc<AtomicU32>,
    /// The service of which this clone is a client.
    service: &'static str,
    outages: outages::Outages,
    director: director::Directed,
}

/// Everything that a [`World`] stores. Tests compare states.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// Records by owner and id.
    pub files: BTreeMap<(UserId, FileId), File>,
    /// Ledgers by owner.
    pub usage: BTreeMap<UserId, Usage>,
    /// Events not yet published, in order.
    pub outbox: Vec<(EventId, OutboxEntry)>,
    /// The file that each public address named last.
    pub addresses: BTreeMap<PublicId, (UserId, FileId)>,
    /// What the CDN was told to forget: the paths, by the name of the invalidation.
    pub invalidated: BTreeMap<String, Vec<String>>,
    /// Versions of objects by key, oldest first.
    pub objects: BTreeMap<String, Vec<Version>>,
    /// Versions in the replica bucket by key, oldest first. Only tests put any there.
    pub replica: BTreeMap<String, Vec<Version>>,
    /// Open uploads in parts, by id.
    pub uploads: BTreeMap<String, PartedUpload>,
    /// Events published, in order.
    pub published: Vec<OutboxEntry>,
    /// Messages sent, in order.
    pub messages: Vec<String>,
    /// Messages sent with a delay, and that delay, in order.
    pub later: Vec<(String, Duration)>,
    /// Organisations, keys and credits.
    pub accounts: AccountsState,
    /// The services behind the gateway: their calls and planned answers.
    pub upstreams: Upstreams,
    /// Jobs.
    pub jobs: Jobs,
    /// Orders by id.
    pub orders: BTreeMap<OrderId, Order>,
    /// Orders that [`FindOldOrders`](consigne_core::ports::FindOldOrders) cannot read.
    pub unreadable_orders: BTreeSet<OrderId>,
    /// Erased orders.
    pub erased_orders: BTreeSet<OrderId>,
    /// Each owner's plan at their last grant.
    pub plans: BTreeMap<UserId, Plan>,
    /// The statistics of stored bytes, by day.
    pub storage: BTreeMap<Day, StorageDay>,
    /// Drafts, and the model that writes them.
    pub texts: Texts,
    /// Statistics by organisation and day.
    pub stats: BTreeMap<(OrgId, Day), DayStats>,
    /// Imports of keys, by owner, organisation and day.
    pub migrations: BTreeMap<MigrationId, Migration>,
    /// People by id.
    pub profiles: BTreeMap<UserId, Profile>,
    /// Closed accounts that `account-close` has to finish.
    pub closings: BTreeMap<UserId, Closing>,
    /// Webhooks received, by sender and id.
    pub webhooks: BTreeMap<(Source, WebhookId), Received>,
    /// Mails, suppressed mailboxes and unsubscriptions.
    pub mail: MailFakes,
    /// Endpoints, deliveries, and the webhooks that receivers got.
    pub hooks: WebhookFakes,
    /// Exports of people's data.
    pub exports: Exports,
    /// What the reconciliation reads and writes beside files and objects.
    pub reconcile: ReconcileFakes,
}

/// Where a planned fault happens within an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The effect does not happen.
    Before,
    /// The effect happens, but its answer is lost.
    After,
}

#[derive(Clone, Copy, Debug)]
struct PlannedFault {
    skip: u32,
    moment: Moment,
}

impl World {
    /// Plans a fault in the effect after the next `skip`. All calls of ports count as effects, reads as well as writes.
    pub fn fail_at(&self, skip: u32, moment: Moment) {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(PlannedFault { skip, moment });
    }

    /// Returns how many effects there were. All calls of ports count.
    pub fn effects(&self) -> u32 {
        self.effects.load(Ordering::Relaxed)
    }

    /// Returns whether the planned fault has not happened yet, and removes it.
    pub fn fault_is_left(&self) -> bool {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).take().is_some()
    }

    /// Makes every removal of a version fail from now on, or succeed again.
    pub fn refuse_removals(&self, refuse: bool) {
        self.removals_refused.store(refuse, Ordering::Relaxed);
    }

    /// Returns a copy of the state.
    pub fn state(&self) -> State {
        self.lock().clone()
    }

    /// Changes the state directly.
    pub fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
    }

    /// Puts a version of an object into the bucket, as an upload does.
    pub fn put_object(&self, key: &str, version: &str, bytes: Vec<u8>) {
        self.lock().objects.entry(key.to_owned()).or_default().push(Version {
            id: version.to_owned(),
            bytes,
            zeros: 0,
        });
    }

    /// Returns the same world with the replica as its bucket, for the ports that list and remove versions.
    #[must_use]
    pub fn as_replica(&self) -> Self {
        Self { is_replica: true, ..self.clone() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs one effect, with the planned fault if it is due.
    fn effect<T>(&self, effect: impl FnOnce(&mut State) -> T) -> Result<T, Fault> {
        self.let_others_in();
        self.effects.fetch_add(1, Ordering::Relaxed);
        self.reach()?;
        let mut planned = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        let due = match planned.as_mut() {
            Some(fault) if fault.skip == 0 => planned.take().map(|fault| fault.moment),
            Some(fault) => {
                fault.skip -= 1;
                None
            }
            None => None,
        };
        drop(planned);
        if due == Some(Moment::Before) {
            return Err(Fault::unavailable("planned: nothing was done"));
        }
        let outcome = self.direct(effect)?;
        if due == Some(Moment::After) {
            return Err(Fault::unavailable("planned: the answer was lost"));
        }
        Ok(outcome)
    }
}

impl State {
    fn push_event(&mut self, event: &Event) {
        let entry = OutboxEntry {
            id: event.id,
            kind: event.kind().name().to_owned(),
            detail: event.detail().to_string(),
            occurred_at: event.occurred_at,
        };
        schemas::assert_valid(&entry.kind, &entry.detail);
        self.outbox.push((event.id, entry));
    }

    /// Returns the windows of what is counted for a user.
    pub fn windows(&mut self, user: &UserId) -> &mut Windows {
        &mut self.usage.entry(user.clone()).or_default().windows
    }

    /// Returns the sums of the file records by owner, which must equal the ledgers.
    pub fn sums(&self) -> HashMap<UserId, Usage> {
        let mut sums: HashMap<UserId, Usage> = HashMap::new();
        for file in self.files.values() {
            LedgerDelta::of(file).apply(sums.entry(file.owner().clone()).or_default(), file.kind());
        }
        sums
    }
}

impl GrantUpload for World {
    async fn grant_upload(&self, grant: &Grant) -> Result<GrantOutcome, Fault> {
        self.effect_of(grant.file.owner(), |state| {
            let owner = grant.file.owner().clone();
            match grant.idempotent().and_then(|idempotent| state.accounts.kept(&idempotent, grant.now)) {
                Some(WriteOutcome::Replayed(key)) => {
                    let object = ObjectKey::parse(&key).expect("the recorded key is valid");
                    let file = state.files.get(&(owner, object.file())).cloned();
                    return GrantOutcome::Replayed(Box::new(file.expect("a granted file has a record")));
                }
                Some(_) => return GrantOutcome::KeyReused,
                None => {}
            }
            if grant.job.as_ref().is_some_and(|step| !state.jobs.is_current(step)) {
                return GrantOutcome::Conflict;
            }
            let allowances = grant.plan.allowances();
            let usage = state.usage.entry(owner.clone()).or_default();
            let windows = match usage.windows.admit(grant.rates(), grant.plan, grant.now) {
                Ok(windows) => windows,
                Err(over) => return GrantOutcome::OverRate(over),
            };
            if usage.committed + grant.file.size > allowances.storage {
                return GrantOutcome::OverQuota { committed: usage.committed };
            }
            let notice = grant.notice(usage.committed);
            usage.windows = windows;
            usage.committed += grant.file.size;
            usage.reserved += grant.file.size;
            state.plans.insert(owner.clone(), grant.plan);
            state.see(grant.seen.as_ref());
            state.accounts.keep(grant.idempotent().as_ref(), grant.now);
            if let Some(step) = &grant.job {
                state.take_step(step);
            }
            state.files.insert((owner, grant.file.id()), grant.file.clone());
            if let Some(event) = &notice {
                state.push_event(event);
            }
            GrantOutcome::Granted
        })
    }
}

impl GetUsage for World {
    async fn get_usage(&self, owner: &UserId) -> Result<Usage, Fault> {
        self.effect(|state| state.usage.get(owner).cloned().unwrap_or_default())
    }
}

/// Returns the files that a list shows, newest first.
fn listed(state: &State, owner: &UserId, filter: Filter) -> Vec<File> {
    let mut files: Vec<File> = state
        .files
        .values()
        .filter(|file| file.owner() == owner && file.status == filter.status && file.status.is_visible())
        .filter(|file| filter.kind.is_none_or(|kind| file.kind() == kind))
        .cloned()
        .collect();
    files.sort_by_key(|file| std::cmp::Reverse((file.changed_at, file.id())));
    files
}

impl ListFiles for World {
    async fn list_files(
        &self,
        owner: &UserId,
        filter: Filter,
        limit: u32,
        after: Option<&Position>,
    ) -> Result<Page, Fault> {
        self.effect(|state| {
            let mut files = listed(state, owner, filter);
            if let Some(after) = after {
                files.retain(|file| (file.changed_at, file.id()) < (after.changed_at, after.file));
            }
            // Only statuses with few files are filtered by kind, by several queries if need be.
            let is_one_query = filter.kind.is_none() || filter.status == Status::Ready;
            let fit = if is_one_query { files::fit_in_one_query(&files) } else { files.len() };
            let most = fit.min(limit as usize);
            let more = files.len() > most;
            files.truncate(most);
            let last = files.last().filter(|_| more);
            let next = last.map(|file| Position { changed_at: file.changed_at, file: file.id() });
            Page { files, next }
        })
    }

    async fn count_files(&self, owner: &UserId, filter: Filter) -> Result<u64, Fault> {
        self.effect(|state| listed(state, owner, filter).len() as u64)
    }

    async fn count_deleting(&self, owner: &UserId, kind: Option<Kind>) -> Result<u64, Fault> {
        self.effect(|state| {
            let files = state.files.values().filter(|file| file.owner() == owner && file.status == Status::Deleting);
            let kept = files.filter(|file| file.ledger_state == LedgerState::Kept);
            kept.filter(|file| kind.is_none_or(|kind| file.kind() == kind)).count() as u64
        })
    }
}

impl ReadHead for World {
    async fn read_head(&self, key: &str, version: Option<&str>, length: u64) -> Result<Option<ObjectHead>, Fault> {
        self.effect(|state| {
            let versions = state.objects.get(key)?;
            let found = match version {
                Some(version) => versions.iter().find(|known| known.id == version)?,
                None => versions.last()?,
            };
            let length = usize::try_from(length).unwrap_or(usize::MAX).min(found.bytes.len());
            Some(ObjectHead {
                version: found.id.clone(),
                etag: format!("etag-of-{}", found.id),
                size: found.bytes.len() as u64 + found.zeros,
                bytes: found.bytes[..length].to_vec(),
            })
        })
    }
}

impl Probe for World {
    async fn probe(&self) -> Result<(), Fault> {
        self.effect(|_| ())
    }
}
