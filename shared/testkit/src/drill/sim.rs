//! One drill: an installation on fakes, simulated time, and messages on their way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use consigne_core::{EventId, Timestamp};
use serde_json::{Value, json};

use super::books::Books;
use super::env::{Env, Outcome};
use super::events;
use super::plants::Plant;
use super::rng::Rng;
use super::stage::{Script, Stage};
use super::tally::{Fault, Tally};
use crate::fakes::World;
use crate::{stripe, webhooks};

/// Time that a failed message is hidden.
const HIDDEN: Duration = Duration::from_mins(3);
/// Attempts of a client at one request.
const ATTEMPTS: u32 = 4;
/// Deliveries of a message without faults after which it counts as stuck.
const STUCK: u32 = 40;

/// A message on its way to a function.
#[derive(Clone, Debug)]
pub struct Parcel {
    /// When it arrives next.
    pub at: Timestamp,
    /// Its number, in the order of sending.
    pub number: u64,
    /// The function that gets it.
    pub function: &'static str,
    /// The record.
    pub record: Value,
    /// What it is about.
    pub what: String,
    /// Deliveries since faults have ended.
    pub calm_tries: u32,
}

/// A drill.
pub struct Sim {
    /// Its random numbers.
    pub rng: Rng,
    /// Its world, without faults.
    pub world: World,
    pub(super) env: Arc<Env>,
    /// Messages on their way.
    pub queue: Vec<Parcel>,
    /// What clients know and did.
    pub books: Books,
    /// What happened, in plain words.
    pub transcript: Vec<String>,
    /// Numbers of what happened.
    pub tally: Tally,
    /// Whether faults have ended.
    pub calm: bool,
    /// The first broken rule.
    pub broken: Option<String>,
    sent: u64,
    outbox_seen: BTreeSet<EventId>,
    published_seen: usize,
    objects_seen: BTreeMap<String, Vec<String>>,
}

impl Sim {
    /// Starts the drill of a seed in an empty world.
    pub fn new(seed: u64, plant: Option<Plant>, now: Timestamp) -> Self {
        let world = World::default();
        let env = Arc::new(Env::new(&world, Arc::new(Stage::new(plant)), now));
        Self {
            rng: Rng::new(seed),
            world,
            env,
            queue: Vec::new(),
            books: Books::default(),
            transcript: Vec::new(),
            tally: Tally::default(),
            calm: false,
            broken: None,
            sent: 0,
            outbox_seen: BTreeSet::new(),
            published_seen: 0,
            objects_seen: BTreeMap::new(),
        }
    }

    /// Returns the time.
    pub fn now(&self) -> Timestamp {
        self.env.now()
    }

    /// Lets time pass. Messages that arrive meanwhile are delivered.
    pub fn pass(&mut self, time: Duration) {
        let until = self.now().plus(time);
        while let Some(next) = self.queue.iter().map(|parcel| (parcel.at, parcel.number)).min() {
            if next.0 > until || self.broken.is_some() {
                break;
            }
            let place = self.queue.iter().position(|parcel| (parcel.at, parcel.number) == next).unwrap_or(0);
            let parcel = self.queue.remove(place);
            self.env.clock.advance(parcel.at);
            self.deliver(parcel);
        }
        self.env.clock.advance(until);
    }

    /// Writes a line of the transcript.
    pub fn say(&mut self, line: &str) {
        self.transcript.push(format!("{} {line}", &self.now().to_string()[..19]));
    }

    /// Reports a broken rule. Only the first is kept.
    pub fn breaks(&mut self, rule: impl Into<String>) {
        if self.broken.is_none() {
            self.broken = Some(rule.into());
        }
    }

    /// Makes a request as a client that repeats it until it is answered, a few times. Returns the answer that it got.
    pub fn call(&mut self, who: &str, name: &'static str, event: &Value) -> Option<(u64, Value)> {
        for attempt in 1..=ATTEMPTS {
            let twin = event["headers"]["idempotency-key"].is_string().then(|| (name, event.clone()));
            let (outcome, visitor) = self.run(name, event.clone(), twin);
            let cut = !self.calm && outcome.answer.is_some() && self.rng.percent(4);
            let mut words = met_words(&outcome);
            if cut {
                self.tally.fault(Fault::Cut);
                words.extend(["; ", Fault::Cut.name()]);
            }
            let status = outcome.answer.as_ref().and_then(|answer| answer["status"].as_u64()).unwrap_or(0);
            let code = outcome.answer.as_ref().and_then(|answer| answer["body"]["error"]["code"].as_str());
            let again = if attempt > 1 { " again" } else { "" };
            let got = if status == 0 { "no answer".to_owned() } else { format!("{status} {}", code.unwrap_or("")) };
            self.say(&format!("{who}{again}: {}{words}", got.trim_end()));
            let answer = outcome.answer.filter(|_| !cut).filter(|_| status < 500);
            if let (Some(answer), Some(Some(visited))) = (&answer, visitor.map(|visitor| visitor.answer))
                && let (Some(one), Some(other)) = (essence(&answer["body"]), essence(&visited["body"]))
                && (one != other)
            {
                self.breaks(format!("{who}: two answers to one request differ: {one} and {other}"));
            }
            if let Some(mut answer) = answer {
                return Some((status, answer["body"].take()));
            }
            let wait = Duration::from_secs(1) + self.rng.seconds(20);
            self.pass(wait);
        }
        None
    }

    /// Runs a tick of a schedule. A failed one is repeated at the next tick. Returns whether it did its work.
    pub fn tick(&mut self, name: &'static str) -> bool {
        !self.tick_answer(name).is_null()
    }

    /// Runs a tick of a schedule. Returns what it reports, or null if it failed.
    pub fn tick_answer(&mut self, name: &'static str) -> Value {
        let event = events::tick(self.now());
        let (outcome, _) = self.run(name, event, None);
        let done = if outcome.is_done() { "" } else { ", which failed" };
        // Without faults the sweep runs often and finds little.
        if !self.calm || !outcome.is_done() {
            self.say(&format!("tick of {name}{done}{}", met_words(&outcome)));
        }
        if outcome.is_done() { outcome.answer.unwrap_or(Value::Bool(true)) } else { Value::Null }
    }

    /// Sends a message to a function, which gets it after `wait`.
    pub fn send(&mut self, function: &'static str, body: &str, what: &str, wait: Duration) {
        self.sent += 1;
        let record = json!({ "messageId": format!("message-{}", self.sent), "body": body,
            "attributes": { "ApproximateReceiveCount": "1" } });
        self.post(function, record, what, wait);
    }

    /// Sends a record to a function, with the faults of the way: a delay, a duplicate.
    pub fn post(&mut self, function: &'static str, record: Value, what: &str, wait: Duration) {
        let mut at = self.now().plus(wait + Duration::from_secs(1));
        if !self.calm && self.rng.percent(12) {
            at = at.plus(self.rng.seconds(900));
            self.tally.fault(Fault::Delayed);
        }
        self.sent += 1;
        let (number, what) = (self.sent, what.to_owned());
        let parcel = Parcel { at, number, function, record, what, calm_tries: 0 };
        if !self.calm && self.rng.percent(10) {
            self.sent += 1;
            let at = at.plus(self.rng.seconds(600));
            self.queue.push(Parcel { at, number: self.sent, ..parcel.clone() });
            self.tally.fault(Fault::Duplicated);
        }
        self.queue.push(parcel);
    }

    /// Delivers a message. One that fails comes back.
    fn deliver(&mut self, mut parcel: Parcel) {
        let function = parcel.function;
        let twin = Some((function, parcel.record.clone()));
        let mails = self.books.mails_seen;
        let (outcome, visitor) = self.run(function, parcel.record.clone(), twin);
        if function == "send-mail" {
            self.book_mails(&parcel, &outcome, mails, visitor.as_ref());
        }
        // Stripe repeats what is not accepted; a generator stops at a refusal.
        let refused = function == "webhook-image-completion"
            && outcome.answer.as_ref().is_some_and(|answer| answer["status"].as_u64() < Some(500));
        let is_done = outcome.is_done() || refused;
        let done = if is_done { "" } else { ", which comes back" };
        self.say(&format!("{function} gets {}{done}{}", parcel.what, met_words(&outcome)));
        if is_done {
            return;
        }
        if self.calm {
            parcel.calm_tries += 1;
            if parcel.calm_tries > STUCK {
                let why = outcome.fault.map(|(code, chain)| format!("{code}: {chain}"));
                return self.breaks(format!("{function} never finishes {}: {why:?}", parcel.what));
            }
        }
        parcel.at = self.now().plus(HIDDEN);
        self.queue.push(parcel);
    }

    /// Runs a function with drawn faults. Returns its outcome, and that of the same event in a visitor.
    fn run(
        &mut self,
        name: &'static str,
        event: Value,
        twin: Option<(&'static str, Value)>,
    ) -> (Outcome, Option<Outcome>) {
        let mut script = Script::default();
        let slot: Arc<Mutex<Option<Outcome>>> = Arc::default();
        let mut is_twin = false;
        if !self.calm {
            if self.rng.percent(6) {
                self.env.chill(name);
            }
            if self.rng.percent(30) {
                script.faults.push(self.fault());
            }
            if self.rng.percent(12) {
                let at = u32::try_from(self.rng.below(8)).unwrap_or(0);
                let sameness = self.rng.percent(50);
                let visitor = match twin.filter(|_| sameness || name == "send-mail") {
                    Some(twin) => {
                        is_twin = true;
                        twin
                    }
                    None => self.visitor(),
                };
                let (env, slot) = (self.env.clone(), slot.clone());
                script.visit = Some((
                    at,
                    Box::new(move || {
                        let event = signed(visitor.0, visitor.1, env.now());
                        let outcome = env.run(visitor.0, event, Script::default());
                        *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
                    }),
                ));
            }
        }
        let outcome = self.env.run(name, signed(name, event, self.now()), script);
        self.tally.invocations += 1;
        self.tally.effects += u64::from(outcome.effects);
        for (fault, _) in &outcome.met {
            self.tally.fault(*fault);
        }
        if let Some((code, chain)) = &outcome.fault
            && *code == "INTERNAL"
        {
            self.breaks(format!("{name} fails by itself: {chain}"));
        }
        self.collect();
        self.check_step(name);
        let visited = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        (outcome, visited.filter(|_| is_twin))
    }

    fn fault(&mut self) -> (u32, Fault) {
        let at = u32::try_from(self.rng.below(9)).unwrap_or(0);
        let kind = match self.rng.below(10) {
            0..3 => Fault::Throttled,
            3..6 => Fault::AnswerLost,
            6..8 => Fault::KilledBefore,
            _ => Fault::KilledAfter,
        };
        (at, kind)
    }

    /// Draws what somebody else does: a message that is on its way, or a tick of the sweep.
    fn visitor(&mut self) -> (&'static str, Value) {
        let others: Vec<&Parcel> = self.queue.iter().filter(|parcel| parcel.function != "send-mail").collect();
        if !others.is_empty() && self.rng.percent(70) {
            let parcel = others[self.rng.index(others.len())];
            return (parcel.function, parcel.record.clone());
        }
        ("sweep", events::tick(self.now()))
    }

    /// Passes on what an invocation left: messages, events in the outbox and on the bus, created and removed objects.
    pub(super) fn collect(&mut self) {
        let (mut messages, mut entries, mut published) = (Vec::new(), Vec::new(), Vec::new());
        let mut objects: Vec<(String, String, u64, bool)> = Vec::new();
        let (outbox_seen, objects_seen) = (&mut self.outbox_seen, &mut self.objects_seen);
        let published_seen = &mut self.published_seen;
        self.world.change(|state| {
            messages.extend(state.messages.drain(..).map(|body| (body, Duration::ZERO)));
            messages.append(&mut state.later);
            entries
                .extend(state.outbox.iter().filter(|(id, _)| outbox_seen.insert(*id)).map(|(_, entry)| entry.clone()));
            published.extend_from_slice(&state.published[*published_seen..]);
            *published_seen = state.published.len();
            for (key, versions) in &state.objects {
                let seen = objects_seen.entry(key.clone()).or_default();
                for version in versions.iter().filter(|version| !seen.contains(&version.id)).collect::<Vec<_>>() {
                    seen.push(version.id.clone());
                    objects.push((key.clone(), version.id.clone(), version.bytes.len() as u64 + version.zeros, true));
                }
            }
            for (key, seen) in objects_seen.iter_mut() {
                let there = state.objects.get(key).map(Vec::as_slice).unwrap_or_default();
                seen.retain(|id| {
                    let is_there = there.iter().any(|version| version.id == *id);
                    if !is_there {
                        objects.push((key.clone(), id.clone(), 0, false));
                    }
                    is_there
                });
            }
        });
        for (body, wait) in messages {
            let reader = events::reader(&body);
            self.send(reader, &body, "its next message", wait);
        }
        for entry in entries {
            let what = format!("the change that wrote {}", entry.kind);
            let record = events::change(&entry, self.sent);
            self.post("publish-events", record, &what, Duration::ZERO);
        }
        for entry in published {
            let event = events::envelope(&entry);
            for target in events::targets(&event) {
                self.send(target, &event.to_string(), &entry.kind, Duration::ZERO);
            }
            self.hear(&event);
        }
        for (key, version, size, created) in objects {
            let word = if created { "created" } else { "deleted" };
            let event = events::object(&key, &version, size, created, self.sent);
            let wait = self.rng.seconds(30);
            self.send("on-object-event", &event.to_string(), &format!("an object that was {word}"), wait);
        }
    }
}

/// Signs an event as its sender does whenever it sends it.
fn signed(name: &str, event: Value, now: Timestamp) -> Value {
    match (name, event["drill-message-id"].as_str().map(str::to_owned)) {
        ("webhook-stripe", _) => stripe::signed_at(event, stripe::SECRET, now),
        (_, Some(id)) => webhooks::signed_at(event, &id, now),
        _ => event,
    }
}

/// Returns the faults of an invocation in plain words.
fn met_words(outcome: &Outcome) -> String {
    outcome.met.iter().flat_map(|(fault, port)| ["; ", fault.name(), " (", port, ")"]).collect()
}

/// Returns what must be the same in all answers to one request: the id or secret of what it made.
fn essence(body: &Value) -> Option<Value> {
    let data = if body["data"].is_object() { &body["data"] } else { body };
    ["receipt_id", "key", "hold_id", "s3Key", "session_id", "job_id"]
        .into_iter()
        .map(|name| &data[name])
        .find(|value| value.is_string())
        .cloned()
}
