//! What audited actions count: a write of the person who acts.

use consigne_core::audit::{Actor, AuditEntry, Origin};
use consigne_core::rates::Rate;
use consigne_core::{Fault, Timestamp};

use super::{State, World};

impl World {
    /// Runs the effect of an audited action. If it writes the entry, it counts as a write of the person who acts. If
    /// their plan allows no more writes, nothing changes.
    pub(super) fn action<T>(&self, entry: &AuditEntry, effect: impl FnOnce(&mut State) -> T) -> Result<T, Fault> {
        self.effect_by(entry, counted(&entry.origin, entry.at, effect))?
    }

    /// Like [`Self::action`], for an action whose entry depends on what it finds.
    pub(super) fn act<T>(
        &self,
        origin: &Origin,
        at: Timestamp,
        effect: impl FnOnce(&mut State) -> T,
    ) -> Result<T, Fault> {
        match &origin.actor {
            Actor::User(user) => self.effect_of(user, counted(origin, at, effect))?,
            Actor::Operator(_) | Actor::Service(_) => self.effect(counted(origin, at, effect))?,
        }
    }
}

/// Returns an effect that counts as a write if it adds to the audit log.
fn counted<T>(
    origin: &Origin,
    at: Timestamp,
    effect: impl FnOnce(&mut State) -> T,
) -> impl FnOnce(&mut State) -> Result<T, Fault> {
    move |state| {
        let before = state.clone();
        let outcome = effect(state);
        let (Actor::User(user), Some(plan)) = (&origin.actor, origin.plan) else { return Ok(outcome) };
        if state.accounts.audit.len() == before.accounts.audit.len() {
            return Ok(outcome);
        }
        match state.windows(user).admit(&[Rate::Writes], plan, at) {
            Ok(windows) => *state.windows(user) = windows,
            Err(over) => {
                *state = before;
                return Err(over.refusal(plan, at));
            }
        }
        Ok(outcome)
    }
}
