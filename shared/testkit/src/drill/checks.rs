//! The rules that hold after every invocation, and those that hold in the end.

use std::collections::{BTreeMap, BTreeSet};

use consigne_core::EventId;
use consigne_core::credits::WalletId;
use consigne_core::deliveries::DeliveryStatus;
use consigne_core::events::OutboxEntry;
use consigne_core::files::Status;
use consigne_core::jobs::JobStatus;
use consigne_core::keys::{KeyMode, KeyStatus};
use consigne_core::orders::OrderStatus;
use serde_json::Value;

use super::env::Outcome;
use super::sim::{Parcel, Sim};
use super::steps::PEOPLE;
use super::tally::Fault;
use crate::fakes::{MailState, State};

impl Sim {
    /// Checks what must hold after every invocation: wallets balance, and ledgers are the sums of their records.
    pub(super) fn check_step(&mut self, name: &str) {
        let mut broken = None;
        self.world.change(|state| {
            let wallet = state.accounts.wallets.values().find(|wallet| !wallet.is_balanced());
            broken = wallet.map(|wallet| format!("after {name} a wallet does not balance: {wallet:?}"));
            let sums = state.sums();
            for (owner, usage) in &state.usage {
                let mut sum = sums.get(owner).cloned().unwrap_or_default();
                sum.windows = usage.windows;
                if *usage != sum {
                    broken =
                        Some(format!("after {name} the ledger of {owner} differs from the files: {usage:?}, {sum:?}"));
                }
            }
        });
        if let Some(broken) = broken {
            self.breaks(broken);
        }
    }

    /// Books the mails that a delivery of an event sent.
    pub(super) fn book_mails(&mut self, parcel: &Parcel, outcome: &Outcome, seen: usize, visitor: Option<&Outcome>) {
        let body: Value =
            serde_json::from_str(parcel.record["body"].as_str().unwrap_or_default()).unwrap_or(Value::Null);
        let event = body["detail"]["event_id"].as_str().unwrap_or_default().to_owned();
        let mut sent = Vec::new();
        self.world.change(|state| sent.extend(state.mail.sent[seen..].iter().map(|mail| mail.to.as_str().to_owned())));
        self.books.mails_seen = seen + sent.len();
        // The mail service has no idempotency keys, so a sender that is cut off between sending and noting that cannot
        // know. Its successor sends again, and counts it.
        let unsure = |fault: &Fault, port: &str| match port {
            "send_mail" => matches!(fault, Fault::AnswerLost | Fault::KilledAfter),
            "mark_mail" => matches!(fault, Fault::Throttled | Fault::KilledBefore),
            _ => false,
        };
        let times = outcome.met.iter().filter(|(fault, port)| unsure(fault, port)).count() as u64;
        *self.books.mails_unsure.entry(event.clone()).or_default() += times;
        for log in [Some(outcome), visitor].into_iter().flatten().map(|outcome| &outcome.log) {
            self.tally.mails_perhaps_twice += log.get("MailsPerhapsTwice").and_then(Value::as_u64).unwrap_or(0);
        }
        for to in sent {
            let times = self.books.mails.entry((event.clone(), to.clone())).or_default();
            *times += 1;
            if *times > 1 + self.books.mails_unsure[&event] {
                let what = parcel.what.clone();
                return self.breaks(format!("the mail about {what} was sent to {to} twice"));
            }
        }
    }

    /// Checks what must hold once everything is settled.
    pub fn check_end(&mut self) {
        if self.broken.is_some() {
            return;
        }
        let state = self.world.state();
        let told = Told::of(&state);
        let rules = [
            self.money(&state),
            self.files(&state),
            self.people(&state),
            events(&state, &told),
            self.keys(&state),
            self.jobs(&state, &told),
            self.orders(&state, &told),
            outgoing(&state),
            hooks(&state),
            self.mails(&state),
            self.left_over(),
        ];
        if let Some(broken) = rules.into_iter().find_map(Result::err) {
            self.breaks(broken);
        }
    }

    fn left_over(&self) -> Result<(), String> {
        match self.queue.first() {
            Some(parcel) => Err(format!("{} still has a message: {}", parcel.function, parcel.what)),
            None => Ok(()),
        }
    }

    fn money(&self, state: &State) -> Result<(), String> {
        let accounts = &state.accounts;
        let id = self.books.org.map(WalletId::Organisation).ok_or("there is no organisation")?;
        let wallet = accounts.wallets.get(&id).ok_or("the wallet is gone")?;
        let charged = |mode| accounts.receipts.values().filter(move |receipt| receipt.environment == mode);
        let sum = |mode| charged(mode).map(|receipt| receipt.credits).sum::<u64>();
        let testers = accounts.wallets.iter().filter(|(id, _)| matches!(id, WalletId::Test(_)));
        let tested = testers.map(|(_, wallet)| wallet.used).sum();
        same("test credits used, and the sum of their receipts", tested, sum(KeyMode::Test))?;
        same("credits used, and the sum of all receipts", wallet.used, sum(KeyMode::Production))?;
        let receipts: BTreeSet<String> = accounts.receipts.keys().map(ToString::to_string).collect();
        let (mut least, mut most) = (0, self.books.gateway_calls);
        let mut acknowledged = BTreeSet::new();
        for charge in &self.books.charges {
            if let Some(receipt) = &charge.receipt {
                if !receipts.contains(receipt) {
                    return Err(format!("the acknowledged charge {receipt} is lost"));
                }
                if !acknowledged.insert(receipt) {
                    return Err(format!("two charges were answered with the receipt {receipt}"));
                }
                least += charge.cost;
            }
            let possible = charge.receipt.is_some() || charge.is_unsure;
            most += if possible { charge.cost } else { 0 };
        }
        for hold in &self.books.holds {
            least += hold.used.unwrap_or(0);
            most += hold.used.unwrap_or(if hold.end_asked { hold.amount } else { 0 });
        }
        if !(least..=most).contains(&wallet.used) {
            return Err(format!(
                "{} credits are used; {least} are acknowledged, and at most {most} were asked for",
                wallet.used
            ));
        }
        let bought = self.books.sales.iter().map(|sale| sale.credits).sum();
        same("credits purchased, and credits sold", wallet.purchased, bought)?;
        let back = self.books.sales.iter().map(|sale| sale.taken_back).sum();
        same("credits clawed back, and credits refunded", wallet.clawed_back, back)?;
        same("credits granted on the books, and in the wallet", self.books.granted, wallet.granted)?;
        same("credits that stay held, and none", wallet.held, 0)?;
        let calls = state.upstreams.calls.len() as u64;
        if calls > self.books.gateway_calls || calls < self.books.gateway_answered {
            let (made, answered) = (self.books.gateway_calls, self.books.gateway_answered);
            return Err(format!("{calls} calls reached the service; {made} were made and {answered} answered"));
        }
        Ok(())
    }

    fn files(&self, state: &State) -> Result<(), String> {
        let mut names: BTreeMap<&str, u64> = BTreeMap::new();
        for file in state.files.values() {
            *names.entry(file.name.as_str()).or_default() += 1;
            let versions = state.objects.get(file.key.as_str()).map_or(0, Vec::len);
            match file.status {
                Status::Ready if versions != 1 => {
                    return Err(format!("{} is ready, and has {versions} objects", file.name.as_str()));
                }
                Status::Rejected | Status::Deleted if versions > 0 => {
                    return Err(format!(
                        "{} is {}, and has {versions} objects",
                        file.name.as_str(),
                        file.status.name()
                    ));
                }
                Status::Pending | Status::Processing | Status::Deleting => {
                    return Err(format!("{} stays {}", file.name.as_str(), file.status.name()));
                }
                _ => {}
            }
        }
        let keys: BTreeSet<&str> = state.files.values().map(|file| file.key.as_str()).collect();
        if let Some(key) = state.objects.iter().find(|(key, there)| !there.is_empty() && !keys.contains(key.as_str())) {
            return Err(format!("the object {} has no record", key.0));
        }
        if let Some((name, times)) = names.iter().find(|(name, times)| name.starts_with("photo-") && **times > 1) {
            return Err(format!("{name} was uploaded once and is there {times} times"));
        }
        for upload in self.books.uploads.iter().filter(|upload| !is_gone(state, upload.person)) {
            let file = state.files.values().find(|file| file.key.as_str() == upload.key);
            let status = file.map(|file| file.status);
            if upload.deleted && status.is_some_and(|status| status != Status::Deleted && status != Status::Rejected) {
                return Err(format!("{} was deleted, and is {status:?}", upload.name));
            }
            if upload.is_good && !upload.delete_asked && status != Some(Status::Ready) {
                return Err(format!("{} was uploaded, and is {status:?}", upload.name));
            }
            if let (Some((published, true)), Some(file)) = (upload.published, file)
                && file.status == Status::Ready
                && file.published.is_some() != published
            {
                return Err(format!("{} was published: {published}, and is not so", upload.name));
            }
        }
        Ok(())
    }

    fn keys(&self, state: &State) -> Result<(), String> {
        let mut names: BTreeMap<&str, u64> = BTreeMap::new();
        for key in state.accounts.keys.values() {
            *names.entry(key.name.as_str()).or_default() += 1;
        }
        if let Some((name, times)) = names.iter().find(|(_, times)| **times > 1) {
            return Err(format!("{name} was issued {times} times"));
        }
        for key in &self.books.keys {
            let known = state.accounts.keys.values().find(|known| known.id.to_string() == key.id);
            let known = known.ok_or("an issued key is lost")?;
            if key.revoked && known.status != KeyStatus::Revoked {
                return Err(format!("{} was revoked, and is {}", known.name, known.status.name()));
            }
        }
        Ok(())
    }

    /// Of an erased account nothing is left, and invited people got their mail.
    fn people(&self, state: &State) -> Result<(), String> {
        if let Some(person) = self.books.erased.iter().find(|person| !is_gone(state, person)) {
            return Err(format!("{person} was erased, and is there"));
        }
        if !state.closings.is_empty() {
            return Err("a closed account stays unfinished".to_owned());
        }
        for person in PEOPLE.into_iter().filter(|person| is_gone(state, person)) {
            let prefix = format!("{person}/");
            if state.objects.iter().any(|(key, there)| key.starts_with(&prefix) && !there.is_empty()) {
                return Err(format!("{person} was erased, and has objects"));
            }
            if state.files.values().any(|file| file.owner().as_str() == person && file.status == Status::Ready) {
                return Err(format!("{person} was erased, and has files"));
            }
            if state.accounts.members.keys().any(|(_, user)| user.as_str() == person) {
                return Err(format!("{person} was erased, and is a member"));
            }
        }
        for email in &self.books.invited {
            let times = state.accounts.invitations.values().filter(|known| known.email.as_str() == email).count();
            same("invitations of one person, and one", times as u64, 1)?;
            if !self.books.mails.keys().any(|(_, to)| to == email) {
                return Err(format!("{email} was invited, and got no mail"));
            }
        }
        if !state.uploads.is_empty() {
            return Err("an upload in parts stays open".to_owned());
        }
        Ok(())
    }

    fn jobs(&self, state: &State, told: &Told) -> Result<(), String> {
        let there: BTreeSet<String> = state.jobs.jobs.keys().map(ToString::to_string).collect();
        if let Some(lost) = self.books.jobs.iter().find(|(id, who)| !there.contains(*id) && !is_gone(state, who)) {
            return Err(format!("the accepted job {} is lost", lost.0));
        }
        if there.len() as u64 > self.books.jobs_asked {
            return Err(format!("{} jobs were asked for, and {} are there", self.books.jobs_asked, there.len()));
        }
        let units: u32 = state.jobs.generations.values().sum();
        let completed = state.jobs.jobs.values().filter(|job| job.status == JobStatus::Completed).count();
        if !PEOPLE.into_iter().any(|person| is_gone(state, person))
            && !(completed..=there.len()).contains(&(units as usize))
        {
            return Err(format!("{units} units are used by {completed} completed jobs"));
        }
        for job in state.jobs.jobs.values() {
            let id = job.id.to_string();
            let ends = [told.times("job.completed", &id), told.times("job.failed", &id)];
            let wanted = match job.status {
                JobStatus::Completed => [1, 0],
                JobStatus::Failed => [0, 1],
                JobStatus::Pending | JobStatus::Processing => {
                    return Err(format!("the job {id} stays {}", job.status.name()));
                }
            };
            if ends != wanted {
                return Err(format!("the job {id} is {}, and has {ends:?} events of its end", job.status.name()));
            }
        }
        Ok(())
    }

    /// Every revocation has a mail to the owner.
    fn mails(&self, state: &State) -> Result<(), String> {
        for entry in state.published.iter().filter(|entry| entry.kind == "key.revoked") {
            if !self.books.mails.contains_key(&(entry.id.to_string(), "ann1@example.com".to_owned())) {
                return Err("a mail about a revoked key was never sent".to_owned());
            }
        }
        Ok(())
    }

    fn orders(&self, state: &State, told: &Told) -> Result<(), String> {
        for payment in &self.books.orders {
            let of_payment = state.orders.values().filter(|order| order.payment.as_str() == payment);
            same("orders of one payment, and one", of_payment.count() as u64, 1)?;
        }
        for order in state.orders.values() {
            if order.status == OrderStatus::AwaitingFiles {
                return Err(format!("the order {} waits for ever", order.id));
            }
            let events = told.times("order.submitted", &order.id.to_string());
            same("events of a submitted order", events, u64::from(order.status == OrderStatus::Submitted))?;
        }
        Ok(())
    }
}

fn same(what: &str, one: u64, other: u64) -> Result<(), String> {
    if one == other { Ok(()) } else { Err(format!("{what}: {one}, {other}")) }
}

/// The distinct events that were published, by their kind and what they are about.
struct Told(BTreeMap<(String, String), BTreeSet<EventId>>);

impl Told {
    fn of(state: &State) -> Self {
        let mut told: BTreeMap<_, BTreeSet<EventId>> = BTreeMap::new();
        for entry in &state.published {
            let detail: Value = serde_json::from_str(&entry.detail).unwrap_or(Value::Null);
            for field in ["file_id", "key_id", "job_id", "order_id"] {
                if let Some(about) = detail[field].as_str() {
                    told.entry((entry.kind.clone(), about.to_owned())).or_default().insert(entry.id);
                }
            }
        }
        Self(told)
    }

    /// Returns how many events of a kind are about something. An event that was published twice counts once.
    fn times(&self, kind: &str, about: &str) -> u64 {
        self.0.get(&(kind.to_owned(), about.to_owned())).map_or(0, BTreeSet::len) as u64
    }
}

fn events(state: &State, told: &Told) -> Result<(), String> {
    if let Some((_, entry)) = state.outbox.first() {
        return Err(format!("{} stays in the outbox", entry.kind));
    }
    for file in state.files.values() {
        // A file that was deleted, or rejected, was perhaps ready before.
        let ready = told.times("file.ready", &file.id().to_string());
        if ready > 1 || (file.status == Status::Ready && ready == 0 && told_by_job(file)) {
            return Err(format!("{} has {ready} events that it is ready", file.name.as_str()));
        }
    }
    for key in state.accounts.keys.values() {
        let id = key.id.to_string();
        same("events of an issued key", told.times("key.issued", &id), 1)?;
        let revoked = u64::from(key.status == KeyStatus::Revoked);
        same("events of a revoked key", told.times("key.revoked", &id), revoked)?;
    }
    Ok(())
}

/// Returns whether a file has an event of its own when it becomes ready. A photo of an order has none.
fn told_by_job(file: &consigne_core::files::File) -> bool {
    file.owner().as_str().starts_with("user_") && file.name.as_str().starts_with("photo-")
}

fn outgoing(state: &State) -> Result<(), String> {
    // A mail that was sent and not noted keeps its claim, if its recipient's account is erased before the next try.
    let all_there = !PEOPLE.into_iter().any(|person| is_gone(state, person));
    if let Some(mail) = state.mail.mails.values().find(|mail| all_there && matches!(mail, MailState::Claimed(..))) {
        return Err(format!("a mail stays {mail:?}"));
    }
    for delivery in state.hooks.deliveries.values() {
        if delivery.status == DeliveryStatus::Pending {
            return Err(format!("the delivery {} stays pending", delivery.id));
        }
        let id = delivery.id.to_string();
        let posts = state
            .hooks
            .posted
            .iter()
            .filter(|post| post.headers.iter().any(|(name, value)| *name == "webhook-id" && *value == id));
        if delivery.status == DeliveryStatus::Delivered && posts.count() == 0 {
            return Err(format!("the delivery {id} counts as delivered, and was never sent"));
        }
    }
    Ok(())
}

/// Every event of the organisation to which an endpoint subscribes has a delivery.
fn hooks(state: &State) -> Result<(), String> {
    let published: BTreeMap<EventId, &OutboxEntry> = state.published.iter().map(|entry| (entry.id, entry)).collect();
    for endpoint in state.hooks.endpoints.values().filter(|endpoint| endpoint.is_active()) {
        let delivered: BTreeSet<EventId> = state
            .hooks
            .deliveries
            .values()
            .filter(|known| known.endpoint == endpoint.id)
            .map(|known| known.event)
            .collect();
        let of_org = |entry: &OutboxEntry| {
            ["key.revoked", "key.issued", "wallet.low"].contains(&entry.kind.as_str())
                && entry.occurred_at > endpoint.created_at
        };
        if let Some(lost) = published.values().find(|entry| of_org(entry) && !delivered.contains(&entry.id)) {
            return Err(format!("{} has no delivery to an endpoint that subscribes to it", lost.kind));
        }
    }
    Ok(())
}

/// Returns whether a person's account is closed.
fn is_gone(state: &State, person: &str) -> bool {
    state.profiles.values().any(|profile| profile.user.as_str() == person && profile.closed_at.is_some())
}
