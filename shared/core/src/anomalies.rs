//! What is unusual about the way keys are used or made, and what is done about it.
//!
//! What has left a receipt counts: calls that were charged, and those through the gateway that its service failed. A refused
//! call leaves none, and so nothing that could raise an alarm.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::json;

use crate::audit::{AuditAction, AuditEntry, Origin};
use crate::events::{Anomaly, AnomalyResponse, Event, EventData, KeyAnomaly};
use crate::keys::{ApiKey, ChangeContext, KeyStep};
use crate::orgs::Organisation;
use crate::periods::Day;
use crate::{Fault, KeyId, OrgId, Timestamp};

/// Most countries a key is used from within an hour.
pub const COUNTRIES_MAX: usize = 10;
/// The hour.
const HOUR: Duration = Duration::from_hours(1);
/// Most keys an organisation makes within ten minutes.
pub const CREATED_MAX: usize = 20;
/// The ten minutes.
const BURST: Duration = Duration::from_mins(10);
/// How many times the median day of the week before a day's calls may be.
const JUMP: u64 = 10;
/// Fewest calls of a day that are a jump, whatever the week before was like.
const JUMP_MIN: u64 = 100;
/// Days whose median a day is held against.
const WEEK: u16 = 7;
/// How far back every run looks: an hour, and half an hour for runs that come late or not at all. For as long an alarm
/// silences its like, since for as long it has the same cause.
pub const LOOK_BACK: Duration = Duration::from_mins(90);
/// The spans by which it is known what was going on.
pub const SPAN: Duration = Duration::from_mins(10);
/// Most countries an event names; it tells the number of all.
const NAMED: usize = 50;

/// What an organisation wants done about an anomaly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnAnomaly {
    /// Tell, and do nothing.
    #[default]
    Alert,
    /// Tell, and stop what it is about until an operator lets it work again.
    Suspend,
}

impl OnAnomaly {
    /// Gives the policy's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Suspend => "suspend",
        }
    }

    /// Reads a name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Alert, Self::Suspend].into_iter().find(|policy| policy.name() == name)
    }
}

/// What is unusual.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AnomalyKind {
    /// One key is used from many countries.
    Countries,
    /// One organisation makes many keys.
    KeysCreated,
    /// One key is used far more than it was.
    UsageJump,
}

impl AnomalyKind {
    /// Gives the kind's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Countries => "countries",
            Self::KeysCreated => "keys_created",
            Self::UsageJump => "usage_jump",
        }
    }
}

/// Something that was going on in an organisation: calls of a key, or, without a key, the making of keys.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Activity {
    /// Whose.
    pub org: OrgId,
    /// Which key was used.
    pub key: Option<KeyId>,
    /// From which countries, as far as was told.
    pub countries: BTreeSet<String>,
}

/// An anomaly that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// What is unusual.
    pub anomaly: Anomaly,
    /// Until when another of its kind has the same cause, and is not told again.
    pub quiet_until: Timestamp,
}

/// Says whether calls, each with when it was admitted and whence it came, came from too many countries within any hour.
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

/// Says whether keys were made at too many of these times within any ten minutes.
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

/// Says whether a key's calls of a day are far more than its median day of the week before: of today, or of yesterday as long
/// as nobody may have looked since its end. A key that is not a week old has no such week.
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
        // Until nobody looks back at it any more.
        quiet_until: today.ends().plus(LOOK_BACK),
    })
}

/// What stops working because of an anomaly.
#[derive(Clone, Debug, PartialEq)]
pub enum Response {
    /// Nothing.
    Alert,
    /// The key.
    SuspendKey(Box<KeyStep>),
    /// The organisation, with this entry in its trail: who makes keys by the dozen may make more.
    SuspendOrg(Box<AuditEntry>),
}

impl Response {
    /// Says which policy it is that was followed.
    pub fn done(&self) -> OnAnomaly {
        match self {
            Self::Alert => OnAnomaly::Alert,
            Self::SuspendKey(_) | Self::SuspendOrg(_) => OnAnomaly::Suspend,
        }
    }
}

/// An anomaly to be told of: with its event, its entry in the audit trail, and what is done about it, all or nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Alarm {
    /// Whose.
    pub org: OrgId,
    /// About which key; the organisation itself when there is none.
    pub key: Option<KeyId>,
    /// What kind.
    pub kind: AnomalyKind,
    /// When.
    pub now: Timestamp,
    /// Until when its like is not told again.
    pub quiet_until: Timestamp,
    /// Entry of the audit trail.
    pub audit: AuditEntry,
    /// What the world is told.
    pub event: Event,
    /// What is done about it.
    pub response: Response,
}

/// What became of an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RaiseOutcome {
    /// It was told, and what is done about it was done.
    Raised,
    /// Its like was told before, and is still quiet; nothing was changed.
    Repeated,
    /// What was to be stopped has changed since; nothing was changed.
    Conflict,
}

impl Alarm {
    /// Makes the alarm of what was found, about a key or, without one, about an organisation.
    ///
    /// # Errors
    /// Never for a reason as short as these are.
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
        let mut told = json!(finding.anomaly);
        told["action"] = json!(done);
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
            audit: AuditEntry::new(org.id, AuditAction::KeyAnomaly, subject, origin, now, told),
            event: Event::new(now, EventData::KeyAnomaly(event)),
            response,
        })
    }
}

#[cfg(test)]
#[path = "anomalies_tests.rs"]
mod tests;
