//! Checks of the table: its settings, its backups, and what is overdue in it.

use std::time::Duration;

use consigne_core::ports::{Due, FindClosings, FindDue, Probe};
use consigne_core::{Fault, Timestamp};
use consigne_storage::DueWalk;
use serde_json::{Value, json};

use super::Patient;
use super::finding::Finding;
use crate::aws::DYNAMODB;

/// Several runs of `sweep` or `account-close` have missed whatever has been due for this long.
const OVERDUE: Duration = Duration::from_mins(15);
/// `sweep` publishes again what has waited for a few minutes. Events that wait longer than this show a stuck stream.
const OUTBOX_LATE: Duration = Duration::from_mins(5);
/// Due things that are read to find the oldest event that was not published.
const DUE_READ: u32 = 100;
/// The table's indexes, as the template defines them.
pub(crate) const INDEXES: [&str; 4] = ["due", "gsi1", "gsi2", "ledgers"];
/// How to bring settings back that the template defines.
const DEPLOY: &str = "set it again, or deploy the stack: `make deploy`";
/// What to do about protection that was turned off by a parameter.
const PROTECT: &str = "set DeletionProtection=true and `make deploy`";

/// Checks the settings of the table.
pub(crate) async fn settings(patient: &Patient) -> Vec<Finding> {
    let (aws, laptop) = (&patient.aws, patient.laptop);
    let name = json!({ "TableName": patient.table_name });
    let asked = |action, operation| aws.json(DYNAMODB, action, operation, name.clone());
    let (table, backups, expiry) = tokio::join!(
        asked("dynamodb:DescribeTable", "DescribeTable"),
        asked("dynamodb:DescribeContinuousBackups", "DescribeContinuousBackups"),
        asked("dynamodb:DescribeTimeToLive", "DescribeTimeToLive"),
    );
    let mut found = match &table {
        Ok(answer) => {
            let wanted = patient.facts.known_parameter("DeletionProtection");
            judge(&answer["Table"], wanted.map(|value| value != "false"), laptop)
        }
        Err(refusal) => vec![Finding::refused("table", refusal, laptop)],
    };
    found.push(match &backups {
        Ok(answer) => restorable(answer),
        Err(refusal) => Finding::refused("table backups", refusal, laptop),
    });
    found.push(match &expiry {
        Ok(answer) => expires(answer),
        Err(refusal) => Finding::refused("table expiry", refusal, laptop),
    });
    found
}

/// Judges the `Table` of an answer of `DescribeTable`. `protected` says whether the stack's parameters want it protected
/// against deletion, if they are known.
fn judge(table: &Value, protected: Option<bool>, laptop: bool) -> Vec<Finding> {
    let status = table["TableStatus"].as_str().unwrap_or("unknown");
    let indexes = table["GlobalSecondaryIndexes"].as_array().cloned().unwrap_or_default();
    let active = |name: &&str| {
        indexes.iter().any(|index| index["IndexName"] == **name && index["IndexStatus"].as_str() != Some("CREATING"))
    };
    let missing: Vec<&str> = INDEXES.into_iter().filter(|name| !active(name)).collect();
    let stream = &table["StreamSpecification"];
    let streams = stream["StreamEnabled"] == true && stream["StreamViewType"] == "NEW_IMAGE";
    let sealed = table["SSEDescription"]["Status"].as_str().is_some_and(|status| status.starts_with("ENABL"));
    vec![
        Finding::when(
            status == "ACTIVE",
            "table",
            "is active",
            format!("is {status}, not ACTIVE"),
            "wait until it is; docs/operate/restore.md if it is lost",
        ),
        Finding::when(
            missing.is_empty(),
            "table indexes",
            "all are there",
            format!("missing or not built yet: {}", missing.join(", ")),
            "`make deploy`; a release brings one index at a time",
        ),
        Finding::when(
            streams,
            "table stream",
            "is on, with new images",
            "is off, or has other images: no event is published from it",
            format!("{DEPLOY}; until then `sweep` publishes late"),
        ),
        match (table["DeletionProtectionEnabled"] == true, protected) {
            (true, _) => Finding::ok("table protection", "is protected against deletion"),
            (false, None) => Finding::without_parameters("table protection"),
            (false, Some(true)) => Finding::failed("table protection", "is not protected against deletion", DEPLOY),
            (false, Some(false)) if laptop => {
                Finding::not_on_laptop("table protection", "what is on a laptop is lost when it stops")
            }
            (false, Some(false)) => Finding::warning("table protection", "DeletionProtection is off", PROTECT),
        },
        if sealed {
            Finding::ok("table encryption", "is on, with a key of KMS")
        } else if laptop {
            Finding::not_on_laptop("table encryption", "the laptop's server keeps everything in memory")
        } else {
            Finding::warning("table encryption", "uses the key that DynamoDB owns, not one of KMS", DEPLOY)
        },
    ]
}

/// Judges an answer of `DescribeContinuousBackups`.
fn restorable(answer: &Value) -> Finding {
    let recovery = &answer["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"];
    Finding::when(
        recovery["PointInTimeRecoveryStatus"] == "ENABLED",
        "table backups",
        "can be restored to any second of the last days",
        "point-in-time recovery is off: a lost table could not be restored",
        DEPLOY,
    )
}

/// Judges an answer of `DescribeTimeToLive`.
fn expires(answer: &Value) -> Finding {
    let expiry = &answer["TimeToLiveDescription"];
    let on = expiry["TimeToLiveStatus"].as_str().is_some_and(|status| status.starts_with("ENABL"));
    Finding::when(
        on && expiry["AttributeName"] == "ttl",
        "table expiry",
        "items expire by `ttl`",
        "items do not expire by `ttl`: records of requests stay for ever",
        DEPLOY,
    )
}

/// Checks that table and bucket answer, and that nothing in the table is overdue.
pub(crate) async fn overdue(patient: &Patient, now: Timestamp) -> Vec<Finding> {
    let (table, bucket) = (&patient.table, &patient.bucket);
    let long_ago = now.minus(OVERDUE);
    let (probed, bucket, late, closings, waiting) = {
        let mut walks = (DueWalk::default(), DueWalk::default());
        tokio::join!(
            table.probe(),
            bucket.probe(),
            table.find_due(long_ago, 1, &mut walks.0),
            table.find_closings(long_ago),
            table.find_due(now, DUE_READ, &mut walks.1),
        )
    };
    let closed = closings.map(|due| due.closings.is_empty() && due.deletions.is_empty() && due.unreadable.is_empty());
    vec![
        answers("table answers", probed),
        answers("bucket answers", bucket),
        none_left("nothing overdue", late.map(|due| due.is_empty()), "sweep"),
        none_left("accounts are closed", closed, "account-close"),
        match waiting {
            Ok(due) => outbox(&due, now),
            Err(fault) => broken("outbox", &fault),
        },
    ]
}

fn answers(name: &str, probed: Result<(), Fault>) -> Finding {
    probed.map_or_else(|fault| broken(name, &fault), |()| Finding::ok(name, "yes"))
}

/// Creates the failure of a check whose call did not succeed. Its text is the chain of causes.
fn broken(name: &str, fault: &Fault) -> Finding {
    Finding::failed(name, fault.chain(), "check the stack's name, its region and your rights; docs/operate/doctor.md")
}

fn none_left(name: &str, nothing: Result<bool, Fault>, function: &str) -> Finding {
    match nothing {
        Err(fault) => broken(name, &fault),
        Ok(true) => Finding::ok(name, "yes"),
        Ok(false) => Finding::failed(
            name,
            format!("`{function}` has not finished what is overdue"),
            format!("`consigne logs --function {function}` says why"),
        ),
    }
}

/// Judges the oldest event that was not published.
fn outbox(due: &[Due], now: Timestamp) -> Finding {
    let events = due.iter().filter_map(|one| if let Due::Event(entry) = one { Some(entry.occurred_at) } else { None });
    let Some(oldest) = events.min() else { return Finding::ok("outbox", "no event waits to be published") };
    let age = now.since(oldest);
    let text = format!("the oldest event that was not published is {} s old", age.as_secs());
    if age > OUTBOX_LATE {
        let cure = "see the stream's event source below, and `consigne logs --function publish-events`";
        Finding::failed("outbox", text, cure)
    } else {
        Finding::ok("outbox", text)
    }
}

#[cfg(test)]
mod tests {
    use consigne_core::EventId;
    use consigne_core::events::OutboxEntry;

    use super::*;
    use crate::doctor::finding::State;

    fn good() -> Value {
        let index = |name: &&str| json!({ "IndexName": name, "IndexStatus": "ACTIVE" });
        json!({
            "TableStatus": "ACTIVE", "DeletionProtectionEnabled": true, "SSEDescription": { "Status": "ENABLED" },
            "StreamSpecification": { "StreamEnabled": true, "StreamViewType": "NEW_IMAGE" },
            "GlobalSecondaryIndexes": INDEXES.iter().map(index).collect::<Vec<_>>(),
        })
    }

    #[test]
    fn a_table_as_deployed_is_well_and_each_planted_fault_is_found() {
        assert!(judge(&good(), Some(true), false).iter().all(|one| one.state == State::Ok));
        for (pointer, value, name, state) in [
            ("/TableStatus", json!("ARCHIVED"), "table", State::Failed),
            ("/GlobalSecondaryIndexes/0/IndexStatus", json!("CREATING"), "table indexes", State::Failed),
            ("/StreamSpecification/StreamEnabled", json!(false), "table stream", State::Failed),
            ("/StreamSpecification/StreamViewType", json!("KEYS_ONLY"), "table stream", State::Failed),
            ("/DeletionProtectionEnabled", json!(false), "table protection", State::Failed),
            ("/SSEDescription", json!(null), "table encryption", State::Warning),
        ] {
            let mut table = good();
            *table.pointer_mut(pointer).unwrap() = value;
            let bad: Vec<_> =
                judge(&table, Some(true), false).into_iter().filter(|one| one.state != State::Ok).collect();
            assert_eq!((bad.len(), bad[0].name.as_str(), bad[0].state), (1, name, state), "{pointer}");
            assert!(bad[0].cure.is_some());
        }
        let mut open = good();
        open["DeletionProtectionEnabled"] = json!(false);
        assert!(
            judge(&open, Some(false), false).iter().any(|one| one.state == State::Warning),
            "turned off by the parameter"
        );
        let unknown = Finding::without_parameters("table protection");
        assert!(judge(&open, None, false).contains(&unknown) && unknown.state == State::Warning);
    }

    #[test]
    fn backups_and_expiry_that_are_off_fail() {
        let backups = |status| {
            let on = json!({ "PointInTimeRecoveryDescription": { "PointInTimeRecoveryStatus": status } });
            restorable(&json!({ "ContinuousBackupsDescription": on })).state
        };
        assert_eq!((backups("ENABLED"), backups("DISABLED")), (State::Ok, State::Failed));
        let expiry = |status, attribute| {
            let on = json!({ "TimeToLiveStatus": status, "AttributeName": attribute });
            expires(&json!({ "TimeToLiveDescription": on })).state
        };
        assert_eq!((expiry("ENABLED", "ttl"), expiry("ENABLED", "x")), (State::Ok, State::Failed));
        assert_eq!(expiry("DISABLED", "ttl"), State::Failed);
    }

    #[test]
    fn an_event_that_waits_for_more_than_five_minutes_is_a_failure() {
        let now = Timestamp::from_millis(10_000_000);
        let event = |seconds| {
            Due::Event(OutboxEntry {
                id: EventId::parse("01JD0000000000000000000000").unwrap(),
                kind: "file.ready".to_owned(),
                detail: "{}".to_owned(),
                occurred_at: now.minus(Duration::from_secs(seconds)),
            })
        };
        assert_eq!(outbox(&[], now).state, State::Ok);
        assert_eq!(outbox(&[event(200)], now).state, State::Ok);
        let late = outbox(&[event(200), event(900)], now);
        assert!(late.state == State::Failed && late.text.contains("900 s"), "{late:?}");
    }
}
