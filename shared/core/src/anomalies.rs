//! Anomalies: unusual use or creation of keys, and the response to them.
//!
//! Only calls with a receipt count: charged calls, and gateway calls that failed at the upstream. A refused call has no
//! receipt, so it cannot raise an alarm.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::json;

use crate::audit::{AuditAction, AuditEntry, Origin};
use crate::events::{Anomaly, AnomalyResponse, Event, EventData, KeyAnomaly};
use crate::keys::{ApiKey, ChangeContext, KeyStep};
use crate::orgs::Organisation;
use crate::periods::Day;
use crate::{Fault, KeyId, OrgId, Timestamp};

/// Most countries from which a key is used within an hour without an alarm.
pub const COUNTRIES_MAX: usize = 10;
/// The span in which countries are counted.
const HOUR: Duration = Duration::from_hours(1);
/// Most keys that an organisation creates within ten minutes without an alarm.
pub const CREATED_MAX: usize = 20;
/// The span in which new keys are counted.
const BURST: Duration = Duration::from_mins(10);
/// A day's calls are a jump if they exceed this many times the median of the week before.
const JUMP: u64 = 10;
/// Fewest calls of a day that count as a jump. Days with fewer calls never do.
const JUMP_MIN: u64 = 100;
/// Days of the median with which a day is compared.
const WEEK: u16 = 7;
/// How far back every run looks: an hour, and half an hour more for runs that are late or fail. An alarm silences
/// others of its kind for the same time, because they have the same cause.
pub const LOOK_BACK: Duration = Duration::from_mins(90);
/// Length of the spans in which activity is recorded. A run reads two or three of them. In shorter ones it would make more
/// queries, and calls more marks; in longer ones it would look at keys that have long been quiet.
pub const SPAN: Duration = HOUR;
/// Most country codes listed in an event. The event also has the total number.
const NAMED: usize = 50;

/// The response an organisation has chosen for anomalies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnAnomaly {
    /// Notify the owners only.
    #[default]
    Alert,
    /// Notify, and suspend the key or the organisation until an operator resumes it.
    Suspend,
}

impl OnAnomaly {
    /// Returns the policy's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Suspend => "suspend",
        }
    }

    /// Parses a name that [`Self::name`] returned.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Alert, Self::Suspend].into_iter().find(|policy| policy.name() == name)
    }
}

/// The kind of an anomaly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AnomalyKind {
    /// A key is used from many countries.
    Countries,
    /// An organisation creates many keys.
    KeysCreated,
    /// A key is used far more than before.
    UsageJump,
}

impl AnomalyKind {
    /// Returns the kind's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Countries => "countries",
            Self::KeysCreated => "keys_created",
            Self::UsageJump => "usage_jump",
        }
    }
}

/// Recorded activity in an organisation: calls with a key, or the creation of keys if `key` is `None`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Activity {
    /// The organisation in which it happened.
    pub org: OrgId,
    /// The key that was used; `None` if keys were created.
    pub key: Option<KeyId>,
    /// Countries from which it was used, as far as known.
    pub countries: BTreeSet<String>,
}

/// A detected anomaly, with its numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// What is unusual.
    pub anomaly: Anomaly,
    /// Until when other findings of this kind raise no alarm, because they have the same cause.
    pub quiet_until: Timestamp,
}

/// Returns a finding if calls came from too many countries within any hour. Each call has the time it was admitted and
/// its country.
pub fn countries(calls: &[(Timestamp, &str)], now: Timestamp) -> Option<Finding> {
    let mut calls = calls.to_vec();
    calls.sort_unstable();
    let (mut within, mut first) = (BTreeMap::<&str, u32>::new(), 0);
    let mut most: Vec<&str> = Vec::new();
    for (at, country) in &calls {
        *within.entry(country).or_default() += 1;
        while at.since(calls[first].0) >= HOUR {
            let gone = calls[first].1;
            first += 1;
            if let Some(count) = within.get_mut(gone) {
                *count -= 1;
                if *count == 0 {
                    within.remove(gone);
                }
            }
        }
        if within.len() > most.len() {
            most = within.keys().copied().collect();
        }
    }
    (most.len() > COUNTRIES_MAX).then(|| Finding {
        anomaly: Anomaly::Countries {
            countries: most.len(),
            codes: most.iter().take(NAMED).map(|code| (*code).to_owned()).collect(),
            within_minutes: 60,
        },
        quiet_until: now.plus(LOOK_BACK),
    })
}

/// Returns a finding if too many keys were created within any ten minutes. `times` are the times of their creation.
pub fn keys_created(times: &[Timestamp], now: Timestamp) -> Option<Finding> {
    let mut times = times.to_vec();
    times.sort_unstable();
    let (mut first, mut most) = (0, 0);
    for (last, at) in times.iter().enumerate() {
        while at.since(times[first]) >= BURST {
            first += 1;
        }
        most = most.max(last + 1 - first);
    }
    (most > CREATED_MAX).then(|| Finding {
        anomaly: Anomaly::KeysCreated { keys: most, within_minutes: 10 },
        quiet_until: now.plus(LOOK_BACK),
    })
}

/// Returns a finding if a key was called far more often in a day than on the median day of the week before. The day is
/// today or, during the first 90 minutes of today, also yesterday: the last run may have been before its end. A key
/// younger than a week has no finding.
pub fn usage_jump(key: &ApiKey, now: Timestamp) -> Option<Finding> {
    [Day::of(now), Day::of(now.minus(LOOK_BACK))].into_iter().find_map(|day| jump_of(key, day))
}

fn jump_of(key: &ApiKey, today: Day) -> Option<Finding> {
    let since = key.migrated_at.unwrap_or(key.created_at);
    if Day::of(since).plus(WEEK) >= today {
        return None;
    }
    let calls = |day: Day| key.used.get(&day.to_string()).copied().unwrap_or(0);
    let mut week: Vec<u64> = (1..=WEEK).map(|days| calls(today.minus(days))).collect();
    week.sort_unstable();
    let (median, calls) = (week[usize::from(WEEK / 2)], calls(today));
    (calls >= JUMP_MIN && calls > median.saturating_mul(JUMP)).then(|| Finding {
        anomaly: Anomaly::UsageJump { calls, median, day: today },
        // From then on, no run looks at this day.
        quiet_until: today.ends().plus(LOOK_BACK),
    })
}

/// What an alarm stops.
#[derive(Clone, Debug, PartialEq)]
pub enum Response {
    /// Nothing: the owners are only notified.
    Alert,
    /// The key is suspended.
    SuspendKey(Box<KeyStep>),
    /// The organisation is suspended, with this audit entry. To suspend its keys would not help: their creator could
    /// create more.
    SuspendOrg(Box<AuditEntry>),
}

impl Response {
    /// Returns the policy that was followed.
    pub fn done(&self) -> OnAnomaly {
        match self {
            Self::Alert => OnAnomaly::Alert,
            Self::SuspendKey(_) | Self::SuspendOrg(_) => OnAnomaly::Suspend,
        }
    }
}

/// An alarm: its event, its audit entry and its response, which are written in one transaction.
#[derive(Clone, Debug, PartialEq)]
pub struct Alarm {
    /// The organisation whose owners are notified.
    pub org: OrgId,
    /// The key it is about; `None` if it is about the organisation.
    pub key: Option<KeyId>,
    /// The kind of anomaly.
    pub kind: AnomalyKind,
    /// When it is raised.
    pub now: Timestamp,
    /// Until when no other alarm of this kind is raised.
    pub quiet_until: Timestamp,
    /// Entry of the audit log.
    pub audit: AuditEntry,
    /// The event that announces it.
    pub event: Event,
    /// What the alarm stops, if anything.
    pub response: Response,
}

/// The outcome of raising an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RaiseOutcome {
    /// The alarm was raised and its response carried out.
    Raised,
    /// An alarm of the kind was raised before and still silences this one. Nothing was changed.
    Repeated,
    /// The key or organisation has changed since it was read. Nothing was changed.
    Conflict,
}

impl Alarm {
    /// Builds the alarm for a finding about `key`, or about the organisation if `key` is `None`.
    ///
    /// # Errors
    /// `INVALID_REQUEST` if the reason for a suspension is too long, which the reasons built here never are.
    pub fn of(
        finding: &Finding,
        org: &Organisation,
        key: Option<&ApiKey>,
        origin: &Origin,
        now: Timestamp,
    ) -> Result<Self, Fault> {
        let kind = finding.anomaly.kind();
        let reason = format!("Anomaly: {}", kind.name());
        let by = ChangeContext { origin, now };
        let response = match (org.on_anomaly, key) {
            (OnAnomaly::Alert, _) => Response::Alert,
            (OnAnomaly::Suspend, Some(key)) => {
                key.suspend(&reason, &by)?.map_or(Response::Alert, |step| Response::SuspendKey(Box::new(step)))
            }
            (OnAnomaly::Suspend, None) if org.suspended => Response::Alert,
            (OnAnomaly::Suspend, None) => {
                let (action, details) = (AuditAction::OrgSuspended, json!({ "reason": reason }));
                let entry = AuditEntry::new(org.id, action, org.id.to_string(), origin, now, details);
                Response::SuspendOrg(Box::new(entry))
            }
        };
        let done = match response.done() {
            OnAnomaly::Alert => AnomalyResponse::Alerted,
            OnAnomaly::Suspend => AnomalyResponse::Suspended,
        };
        let mut details = json!(finding.anomaly);
        details["action"] = json!(done);
        let event = KeyAnomaly {
            org_id: org.id,
            key_id: key.map(|key| key.id),
            name: key.map(|key| key.name.clone()),
            anomaly: finding.anomaly.clone(),
            action: done,
        };
        let subject = key.map_or_else(|| org.id.to_string(), |key| key.id.to_string());
        Ok(Self {
            org: org.id,
            key: key.map(|key| key.id),
            kind,
            now,
            quiet_until: finding.quiet_until,
            audit: AuditEntry::new(org.id, AuditAction::KeyAnomaly, subject, origin, now, details),
            event: Event::new(now, EventData::KeyAnomaly(event)),
            response,
        })
    }
}

#[cfg(test)]
#[path = "anomalies_tests.rs"]
mod tests;
