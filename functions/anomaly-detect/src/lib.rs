//! Detects anomalies: API keys that are used or created in an unusual way, perhaps by a thief. It publishes an event, and
//! suspends the keys if that is the organisation's policy.
//!
//! It runs every ten minutes and looks at the last hour and a half. An anomaly that two runs find is published once.

mod find;

use std::time::Duration;

use consigne_core::anomalies::{Alarm, Finding, LOOK_BACK, OnAnomaly, RaiseOutcome};
use consigne_core::audit::{Actor, Origin};
use consigne_core::ports::{GetKey, GetKeys, GetOrg, ListActivity, ListAudit, ListCalls, RaiseAnomaly};
use consigne_core::{Fault, KeyId, OrgId, Timestamp};
use consigne_runtime::schedule::Tick;
use consigne_runtime::{Adapters, ScheduleFunction, function, remaining};
use consigne_usecases::ConflictRetry;
use serde_json::{Value, json};

/// Keys read in one batch.
const BATCH: usize = 100;
/// Time reserved for the answer.
const RESERVE: Duration = Duration::from_secs(5);

/// What a run has done: keys and organisations looked at, alerts, suspensions, and failures.
#[derive(Debug, Default)]
struct Tally {
    looked: usize,
    alerted: u32,
    suspended: u32,
    failed: u32,
}

function! {
    table: A::Table = table(),
}

impl<A: Adapters<Table: ListActivity + GetKey + GetKeys + ListCalls + ListAudit + GetOrg + RaiseAnomaly>>
    ScheduleFunction for Function<A>
{
    /// Checks every key that was charged and every organisation that created keys.
    ///
    /// # Errors
    /// `UNAVAILABLE` when one of them failed, after all others were checked, or when time ran short. Lambda then runs
    /// the function again.
    async fn handle(&self, tick: &Tick) -> Result<Value, Fault> {
        let (table, now, since) = (&self.table, tick.now, tick.now.minus(LOOK_BACK));
        let activity = table.list_activity(since, now).await?;
        let mut tally = Tally { looked: activity.len(), ..Tally::default() };
        let (by_keys, by_orgs): (Vec<_>, Vec<_>) = activity.iter().partition(|activity| activity.key.is_some());
        for some in by_keys.chunks(BATCH) {
            let places: Vec<_> = some.iter().filter_map(|activity| Some((activity.org, activity.key?))).collect();
            for key in table.get_keys(&places).await? {
                time_is_left()?;
                let used = some.iter().find(|activity| (activity.org, activity.key) == (key.org, Some(key.id)));
                let countries = used.map_or(0, |activity| activity.countries.len());
                let found = find::in_use_of(table, &key, countries, since, now).await;
                raise_all(table, (key.org, Some(key.id)), found, tick, &mut tally).await;
            }
        }
        for activity in by_orgs {
            time_is_left()?;
            let found = find::in_keys_made(table, activity.org, since, now).await;
            raise_all(table, (activity.org, None), found, tick, &mut tally).await;
        }
        tally.report(tick)
    }
}

fn time_is_left() -> Result<(), Fault> {
    if remaining() < RESERVE {
        Err(Fault::unavailable("time ran short before all keys and organisations were checked"))
    } else {
        Ok(())
    }
}

/// Raises an alarm for every finding and counts the outcomes. A failure is counted and does not stop the others.
async fn raise_all<F: GetKey + GetOrg + RaiseAnomaly>(
    table: &F,
    place: (OrgId, Option<KeyId>),
    found: Result<Vec<Finding>, Fault>,
    tick: &Tick,
    tally: &mut Tally,
) {
    let mut outcome = Ok(());
    match found {
        Err(fault) => outcome = Err(fault),
        Ok(found) => {
            for finding in &found {
                match raise(table, place, finding, tick.now).await {
                    Ok(Some(OnAnomaly::Alert)) => tally.alerted += 1,
                    Ok(Some(OnAnomaly::Suspend)) => tally.suspended += 1,
                    Ok(None) => {}
                    Err(fault) => outcome = Err(fault),
                }
            }
        }
    }
    if let Err(fault) = outcome {
        tally.failed += 1;
        tick.log.field("anomaly.last_failure", fault.chain());
    }
}

/// Raises the alarm for a finding. Returns what was done, or `None` when the alarm was raised before.
async fn raise<F: GetKey + GetOrg + RaiseAnomaly>(
    table: &F,
    (org, key): (OrgId, Option<KeyId>),
    finding: &Finding,
    now: Timestamp,
) -> Result<Option<OnAnomaly>, Fault> {
    let origin = Origin { actor: Actor::Service("anomaly-detect".to_owned()), ip: None, user_agent: None, plan: None };
    let mut retry = ConflictRetry::of("the key or organisation");
    loop {
        let known = match key {
            Some(key) => table.get_key(org, key).await?,
            None => None,
        };
        let Some(org) = table.get_org(org).await? else { return Ok(None) };
        let alarm = Alarm::of(finding, &org, known.as_ref(), &origin, now)?;
        match table.raise_anomaly(&alarm).await? {
            RaiseOutcome::Raised => return Ok(Some(alarm.response.done())),
            RaiseOutcome::Repeated => return Ok(None),
            RaiseOutcome::Conflict => retry.wait().await?,
        }
    }
}

impl Tally {
    fn report(self, tick: &Tick) -> Result<Value, Fault> {
        let Self { looked, alerted, suspended, failed } = self;
        let done = json!({ "looked": looked, "alerted": alerted, "suspended": suspended });
        tick.log.field("anomaly.done", &done);
        if failed > 0 {
            return Err(Fault::unavailable(format!("{failed} checks failed")));
        }
        Ok(done)
    }
}
