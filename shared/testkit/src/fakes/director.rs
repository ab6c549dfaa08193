//! A director decides the fate of each effect, for simulations that run whole histories.

use std::fmt;
use std::panic::resume_unwind;
use std::sync::Arc;

use consigne_core::Fault;

use super::{Moment, State, World};

/// What becomes of an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It happens, and its caller gets the answer.
    Happens,
    /// Its caller gets `UNAVAILABLE`, before or after it happens.
    Fails(Moment),
    /// The process of its caller ends, before or after it happens. Nothing of the caller runs any more.
    Kills(Moment),
}

/// Decides the fate of effects. It may also run others in between, and change the state as a broken port would.
pub trait Director: Send + Sync {
    /// Returns the fate of the next effect, that of the port method `port`. The world is not locked meanwhile.
    fn fate(&self, port: &'static str) -> Fate;

    /// Looks at the state right before an effect happens.
    fn before(&self, _port: &'static str, _state: &mut State) {}

    /// Looks at the state right after an effect has happened.
    fn after(&self, _port: &'static str, _state: &mut State) {}
}

/// The panic that ends a killed caller.
struct Killed;

/// The director of a world, if it has one. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Directed(Option<Arc<dyn Director>>);

impl fmt::Debug for Directed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Directed" } else { "Undirected" })
    }
}

impl World {
    /// Returns the same world with a director, which decides about the effects of the result and its clones.
    #[must_use]
    pub fn directed(&self, director: Arc<dyn Director>) -> Self {
        Self { director: Directed(Some(director)), ..self.clone() }
    }

    /// Runs one effect as the director decides. Without a director it happens.
    pub(super) fn direct<T, F: FnOnce(&mut State) -> T>(&self, effect: F) -> Result<T, Fault> {
        let Some(director) = &self.director.0 else { return Ok(effect(&mut self.lock())) };
        let port = port_of(std::any::type_name::<F>());
        let fate = director.fate(port);
        end_if(fate, Moment::Before)?;
        let outcome = {
            let mut state = self.lock();
            director.before(port, &mut state);
            let outcome = effect(&mut state);
            director.after(port, &mut state);
            outcome
        };
        end_if(fate, Moment::After)?;
        Ok(outcome)
    }
}

/// Fails or ends the caller, if its fate is due at this moment.
fn end_if(fate: Fate, moment: Moment) -> Result<(), Fault> {
    match fate {
        // Not a panic of its own, so that the hook which prints panics does not run.
        Fate::Kills(due) if due == moment => resume_unwind(Box::new(Killed)),
        Fate::Fails(due) if due == moment => Err(Fault::unavailable("planned by the director")),
        _ => Ok(()),
    }
}

/// Returns the method of the port whose body has this closure: `charge_key` of
/// `..::<impl ChargeKey for World>::charge_key::{{closure}}::{{closure}}`. Helpers that wrap a closure are generic over
/// it, so the innermost closure's method comes first.
fn port_of(closure: &'static str) -> &'static str {
    let method = closure.split("::{{closure}}").next().unwrap_or(closure);
    method.rsplit("::").next().unwrap_or(method)
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError};

    use consigne_core::audit::AuditAction;
    use consigne_core::ports::{GetUsage as _, Probe as _, SuspendOrg as _};
    use consigne_core::{OrgId, Timestamp, UserId};

    use super::*;
    use crate::accounts;

    /// Records the effects. Kills the caller at the method `probe`.
    #[derive(Default)]
    struct Recorder(Mutex<Vec<&'static str>>);

    impl Director for Recorder {
        fn fate(&self, port: &'static str) -> Fate {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(port);
            if port == "probe" { Fate::Kills(Moment::After) } else { Fate::Happens }
        }
    }

    #[tokio::test]
    async fn a_director_sees_each_effect_by_the_name_of_its_method_and_can_kill_the_caller() {
        let director = Arc::new(Recorder::default());
        let world = World::default().directed(director.clone());
        let ann = UserId::parse("user_ann1").unwrap();
        world.get_usage(&ann).await.unwrap();
        let now = Timestamp::from_secs(1_795_257_000);
        let org = OrgId::mint(now);
        // Its closure is wrapped by the helpers of audited actions.
        let entry = accounts::entry(org, AuditAction::OrgSuspended, &ann, now);
        drop(world.suspend_org(org, true, &entry).await);
        let killed = tokio::spawn(async move { world.probe().await }).await;
        assert!(killed.unwrap_err().is_panic());
        assert_eq!(*director.0.lock().unwrap(), ["get_usage", "suspend_org", "probe"]);
    }
}
