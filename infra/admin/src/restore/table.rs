//! Steps about the table. A table that point-in-time recovery made has the items and the indexes of the old one, and
//! none of its other settings.
//!
//! Source: Amazon DynamoDB developer guide, "Restoring a DynamoDB table to a point in time".

use std::time::Duration;

use serde_json::{Value, json};

use super::{Restore, Standing, Step};
use crate::aws::{DYNAMODB, Refusal};
use crate::complain;
use crate::doctor::table::INDEXES;

/// Time between two looks at a table that is being restored or changed.
const PAUSE: Duration = Duration::from_secs(2);

impl Restore {
    async fn ask_table(&self, action: &'static str, operation: &str, more: Value) -> Result<Value, Refusal> {
        let mut body = json!({ "TableName": self.table });
        if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
            body.extend(more);
        }
        self.aws.json(DYNAMODB, action, operation, body).await
    }

    async fn describe(&self) -> Result<Value, Refusal> {
        self.describe_named(&self.table).await
    }

    async fn describe_named(&self, name: &str) -> Result<Value, Refusal> {
        let ask = json!({ "TableName": name });
        let answer = self.aws.json(DYNAMODB, "dynamodb:DescribeTable", "DescribeTable", ask).await?;
        Ok(answer["Table"].clone())
    }

    /// Waits until the table can be changed again.
    async fn settle(&self) -> Result<(), String> {
        loop {
            let table = self.describe().await?;
            let indexes = table["GlobalSecondaryIndexes"].as_array().cloned().unwrap_or_default();
            let busy = |status: &Value| status.as_str().is_some_and(|status| status != "ACTIVE");
            if !busy(&table["TableStatus"]) && !indexes.iter().any(|index| busy(&index["IndexStatus"])) {
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Looks whether the table exists, is active, and has the indexes of this release.
pub(crate) async fn look(restore: &Restore) -> Result<Standing, String> {
    let name = &restore.table;
    match (restore.describe().await, &restore.from_table) {
        (Ok(table), _) => Ok(whole(name, &table)),
        (Err(Refusal::Missing(_)), Some(from)) => {
            if let Err(Refusal::Missing(_)) = restore.describe_named(from).await {
                let why = format!("there is no table {from} any more. {}", from_backup(from, name));
                return Ok(Standing::Blocked(why));
            }
            let at = restore.at.map_or_else(|| "the latest second".to_owned(), |at| at.to_string());
            Ok(Standing::ToDo(format!("restore {name} from {from} as of {at}")))
        }
        (Err(Refusal::Missing(_)), None) => Ok(Standing::Blocked(format!(
            "there is no table {name}. With --from-table it is restored from a table that still exists. {}",
            from_backup("LOST_TABLE", name)
        ))),
        (Err(refusal), _) => Err(refusal.into()),
    }
}

/// Says how a deleted table is restored. `RestoreTableToPointInTime` knows only tables that exist.
///
/// Source: Amazon DynamoDB developer guide, "Point-in-time recovery: How it works", deleting a table with it.
fn from_backup(from: &str, to: &str) -> String {
    format!(
        "A deleted table comes back only as it was when it was deleted, from the backup that DynamoDB keeps of it for 35 days: `aws \
         dynamodb list-backups --table-name {from} --backup-type SYSTEM` shows its ARN, and `aws dynamodb restore-table-from-backup \
         --target-table-name {to} --backup-arn ARN` restores it. Then run this again."
    )
}

/// Judges the `Table` of an answer of `DescribeTable`.
fn whole(name: &str, table: &Value) -> Standing {
    let status = table["TableStatus"].as_str().unwrap_or("unknown");
    if status != "ACTIVE" {
        return Standing::ToDo(format!("wait until {name}, which is {status}, is active"));
    }
    let indexes = table["GlobalSecondaryIndexes"].as_array().cloned().unwrap_or_default();
    let missing: Vec<&str> =
        INDEXES.into_iter().filter(|one| !indexes.iter().any(|has| has["IndexName"] == *one)).collect();
    if missing.is_empty() {
        Standing::Done(format!("{name} is active, with all indexes"))
    } else {
        Standing::Blocked(format!(
            "{name} lacks the indexes {}: it is another table, or of an older release; restore with all indexes.",
            missing.join(", ")
        ))
    }
}

/// Restores the table, and waits until it is active, which takes minutes to hours.
pub(crate) async fn restore(restore: &Restore) -> Result<(), String> {
    if let (Err(Refusal::Missing(_)), Some(from)) = (restore.describe().await, &restore.from_table) {
        let mut ask = json!({ "SourceTableName": from, "TargetTableName": restore.table });
        match restore.at {
            Some(at) => ask["RestoreDateTime"] = at.as_secs().into(),
            None => ask["UseLatestRestorableTime"] = true.into(),
        }
        let action = "dynamodb:RestoreTableToPointInTime";
        restore.aws.json(DYNAMODB, action, "RestoreTableToPointInTime", ask).await?;
        complain(
            "The table is being restored. That takes twenty minutes or more on AWS; the command may be stopped and run again.",
        );
    }
    restore.settle().await
}

/// Looks at a setting that `DescribeTable` shows.
pub(crate) async fn setting(restore: &Restore, step: Step) -> Result<Standing, String> {
    let table = restore.describe().await?;
    Ok(judge(&table, step, restore.protected))
}

fn judge(table: &Value, step: Step, protected: bool) -> Standing {
    let stream = &table["StreamSpecification"];
    let (is_so, done, to_do) = match step {
        Step::Stream if stream["StreamEnabled"] == true && stream["StreamViewType"] != "NEW_IMAGE" => {
            let why =
                "the stream has other images than the functions need. Turn it off, wait a minute, and run this again.";
            return Standing::Blocked(why.to_owned());
        }
        Step::Stream => (stream["StreamEnabled"] == true, "the stream is on", "turn on the stream, with new images"),
        Step::Encryption => (
            table["SSEDescription"]["Status"].as_str().is_some_and(|status| status.starts_with("ENABL")),
            "encrypted with a key of KMS",
            "encrypt the table with DynamoDB's key in KMS",
        ),
        _ if protected => (
            table["DeletionProtectionEnabled"] == true,
            "protected against deletion",
            "protect the table against deletion",
        ),
        _ => (true, "not protected against deletion, as asked", ""),
    };
    if is_so { Standing::Done(done.to_owned()) } else { Standing::ToDo(to_do.to_owned()) }
}

/// Changes a setting that `DescribeTable` shows.
pub(crate) async fn set(restore: &Restore, step: Step) -> Result<(), String> {
    let change = match step {
        Step::Stream => json!({ "StreamSpecification": { "StreamEnabled": true, "StreamViewType": "NEW_IMAGE" } }),
        Step::Encryption => json!({ "SSESpecification": { "Enabled": true } }),
        _ => json!({ "DeletionProtectionEnabled": true }),
    };
    restore.ask_table("dynamodb:UpdateTable", "UpdateTable", change).await?;
    restore.settle().await
}

/// Looks whether items expire.
pub(crate) async fn expiry(restore: &Restore) -> Result<Standing, String> {
    let answer = restore.ask_table("dynamodb:DescribeTimeToLive", "DescribeTimeToLive", json!({})).await?;
    let expiry = &answer["TimeToLiveDescription"];
    let on = expiry["TimeToLiveStatus"].as_str().is_some_and(|status| status.starts_with("ENABL"));
    Ok(match on {
        true if expiry["AttributeName"] == "ttl" => Standing::Done("items expire by ttl".to_owned()),
        true => Standing::Blocked("items expire by another attribute than ttl. Turn that off first.".to_owned()),
        false => Standing::ToDo("let items expire by ttl".to_owned()),
    })
}

/// Lets items expire.
pub(crate) async fn set_expiry(restore: &Restore) -> Result<(), String> {
    let change = json!({ "TimeToLiveSpecification": { "AttributeName": "ttl", "Enabled": true } });
    restore.ask_table("dynamodb:UpdateTimeToLive", "UpdateTimeToLive", change).await?;
    Ok(())
}

/// Looks whether the table can be restored again.
pub(crate) async fn backups(restore: &Restore) -> Result<Standing, String> {
    let action = "dynamodb:DescribeContinuousBackups";
    let answer = restore.ask_table(action, "DescribeContinuousBackups", json!({})).await?;
    let recovery = &answer["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"];
    Ok(if recovery["PointInTimeRecoveryStatus"] == "ENABLED" {
        Standing::Done("point-in-time recovery is on".to_owned())
    } else {
        Standing::ToDo("turn on point-in-time recovery".to_owned())
    })
}

/// Turns on point-in-time recovery.
pub(crate) async fn set_backups(restore: &Restore) -> Result<(), String> {
    let change = json!({ "PointInTimeRecoverySpecification": { "PointInTimeRecoveryEnabled": true } });
    restore.ask_table("dynamodb:UpdateContinuousBackups", "UpdateContinuousBackups", change).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restored_table_needs_its_stream_key_and_protection_back() {
        let bare = json!({ "TableStatus": "ACTIVE" });
        for step in [Step::Stream, Step::Encryption, Step::Protection] {
            assert!(matches!(judge(&bare, step, true), Standing::ToDo(_)), "{step:?}");
        }
        assert!(matches!(judge(&bare, Step::Protection, false), Standing::Done(_)));
        let good = json!({
            "StreamSpecification": { "StreamEnabled": true, "StreamViewType": "NEW_IMAGE" },
            "SSEDescription": { "Status": "ENABLED" }, "DeletionProtectionEnabled": true
        });
        for step in [Step::Stream, Step::Encryption, Step::Protection] {
            assert!(matches!(judge(&good, step, true), Standing::Done(_)), "{step:?}");
        }
        let keys = json!({ "StreamSpecification": { "StreamEnabled": true, "StreamViewType": "KEYS_ONLY" } });
        assert!(matches!(judge(&keys, Step::Stream, true), Standing::Blocked(_)));
    }

    #[test]
    fn a_deleted_table_is_restored_from_the_backup_that_dynamodb_made() {
        let text = from_backup("lost", "found");
        for part in
            ["list-backups --table-name lost --backup-type SYSTEM", "--target-table-name found --backup-arn ARN"]
        {
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn a_table_without_an_index_is_refused_and_one_in_the_making_waited_for() {
        let indexes: Vec<Value> = INDEXES.iter().map(|name| json!({ "IndexName": name })).collect();
        let table =
            |status: &str, most: usize| json!({ "TableStatus": status, "GlobalSecondaryIndexes": indexes[..most] });
        assert!(matches!(whole("t", &table("ACTIVE", 4)), Standing::Done(_)));
        assert!(matches!(whole("t", &table("CREATING", 4)), Standing::ToDo(_)));
        let Standing::Blocked(why) = whole("t", &table("ACTIVE", 3)) else { panic!("an index is missing") };
        assert!(why.contains("ledgers"), "{why}");
    }
}
