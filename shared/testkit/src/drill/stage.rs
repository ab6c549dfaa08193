//! The director of a drill: it plays each invocation's script of faults, and lets the planted fault misbehave.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use consigne_core::EventId;

use super::plants::Plant;
use super::tally::Fault;
use crate::fakes::{Director, Fate, Moment, State};

/// What somebody else does between two effects of an invocation.
pub type Visit = Box<dyn FnOnce() + Send>;

/// What happens to one invocation.
#[derive(Default)]
pub struct Script {
    /// Faults by the number of the effect, which counts from 0.
    pub faults: Vec<(u32, Fault)>,
    /// A visit right before an effect.
    pub visit: Option<(u32, Visit)>,
    /// Number of effects so far.
    pub reached: u32,
    /// Whether the invocation was killed.
    pub killed: bool,
    /// The faults that happened, and the method of the port in which each did.
    pub met: Vec<(Fault, &'static str)>,
}

/// The scripts of the invocations that run. The last one runs now; each of the others waits for its visitor.
pub struct Stage {
    scripts: Mutex<Vec<Script>>,
    plant: Option<Plant>,
    renamed: Mutex<Renamed>,
}

/// The events that were given ids of the drill's own. The waits of webhooks have a jitter that follows from the event's
/// id, whose digits are random, so without these a seed would not lead to the same drill again.
#[derive(Default)]
struct Renamed {
    by_old: BTreeMap<EventId, EventId>,
    new: BTreeSet<EventId>,
}

impl Renamed {
    /// Renames the events that were just put into the outbox. The same event gets the same id again.
    fn rename(&mut self, state: &mut State) {
        for (id, entry) in &mut state.outbox {
            if self.new.contains(id) {
                continue;
            }
            let number = self.by_old.len().to_string();
            let new = || EventId::derive_at(entry.occurred_at, &["drill", &number]);
            let new = *self.by_old.entry(*id).or_insert_with(new);
            self.new.insert(new);
            entry.detail = entry.detail.replace(&id.to_string(), &new.to_string());
            (*id, entry.id) = (new, new);
        }
    }
}

impl Stage {
    /// Creates a stage without invocations.
    pub fn new(plant: Option<Plant>) -> Self {
        Self { scripts: Mutex::default(), plant, renamed: Mutex::default() }
    }

    /// Starts an invocation.
    pub fn begin(&self, script: Script) {
        self.scripts().push(script);
    }

    /// Ends the invocation that runs. Returns its script.
    pub fn end(&self) -> Script {
        self.scripts().pop().unwrap_or_default()
    }

    fn scripts(&self) -> MutexGuard<'_, Vec<Script>> {
        self.scripts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Director for Stage {
    fn fate(&self, port: &'static str) -> Fate {
        let visit = {
            let mut scripts = self.scripts();
            let Some(script) = scripts.last_mut() else { return Fate::Happens };
            match script.visit.take() {
                Some((at, visit)) if at == script.reached => {
                    script.met.push((Fault::Interleaved, port));
                    Some(visit)
                }
                later => {
                    script.visit = later;
                    None
                }
            }
        };
        if let Some(visit) = visit {
            visit();
        }
        let mut scripts = self.scripts();
        let Some(script) = scripts.last_mut() else { return Fate::Happens };
        let now = script.reached;
        script.reached += 1;
        let Some((_, fault)) = script.faults.iter().find(|(at, _)| *at == now).copied() else { return Fate::Happens };
        script.met.push((fault, port));
        match fault {
            Fault::Throttled => Fate::Fails(Moment::Before),
            Fault::AnswerLost => Fate::Fails(Moment::After),
            Fault::KilledBefore | Fault::KilledAfter => {
                script.killed = true;
                Fate::Kills(if fault == Fault::KilledBefore { Moment::Before } else { Moment::After })
            }
            Fault::Interleaved | Fault::Cut | Fault::Delayed | Fault::Duplicated => Fate::Happens,
        }
    }

    fn before(&self, port: &'static str, state: &mut State) {
        if let Some(plant) = &self.plant {
            plant.before(port, state);
        }
    }

    fn after(&self, port: &'static str, state: &mut State) {
        if let Some(plant) = &self.plant {
            plant.after(port, state);
        }
        self.renamed.lock().unwrap_or_else(PoisonError::into_inner).rename(state);
    }
}
