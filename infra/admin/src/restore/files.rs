//! The step about files: records name the version of their object, and a copy of an object has another version.
//!
//! S3 replication keeps versions. AWS Backup and other copies do not, so records are linked to the copies.

use std::sync::PoisonError;

use futures_util::StreamExt as _;
use futures_util::stream::iter;
use serde_json::{Value, json};

use super::{Restore, Standing};
use crate::aws::xml::{Row, rows, value};
use crate::aws::{DYNAMODB, Refusal, encoded};
use crate::complain;

/// Objects that are looked at at once.
const AT_ONCE: usize = 16;
/// Calls that may fail in a walk. If more do, something is wrong that another walk does not mend.
const FAILURES: u64 = 1000;
/// Lost keys that are shown to people.
const SHOWN: usize = 20;

/// A record, or one of its derived copies, and the object it names.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Link {
    /// Key of the item.
    pk: String,
    sk: String,
    /// With what the object's key begins: the whole key of a file, or that of a copy without its extension.
    key: String,
    /// The name of the copy; `None` for the file itself.
    copy: Option<String>,
    version: String,
    /// Size in bytes, where it is known.
    size: Option<u64>,
}

/// What became of the object of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Found {
    /// The version is there.
    Same,
    /// A copy is there, under another version: version and `ETag`.
    Moved(String, String),
    /// There is no object of the right size under the key.
    Lost,
}

/// What a walk over all records found.
#[derive(Debug, Default)]
struct Tally {
    /// Objects that were looked at.
    objects: u64,
    /// Those of which a copy is there.
    moved: u64,
    lost: Lost,
    /// Those of which a call failed, and why the first one did.
    failed: u64,
    why: String,
}

/// Keys without an object.
#[derive(Debug, Default)]
pub(crate) struct Lost {
    /// Files. Nothing brings them back.
    files: Vec<String>,
    /// Their thumbnails and copies for display, each without its extension.
    thumbnails: Vec<String>,
}

impl Tally {
    /// Counts a link. One failed call does not end a walk of hours; a missing right does, and so do very many failures.
    fn add(&mut self, link: Link, found: Result<Found, Refusal>) -> Result<(), String> {
        self.objects += 1;
        match found {
            Ok(Found::Same) => {}
            Ok(Found::Moved(..)) => self.moved += 1,
            Ok(Found::Lost) if link.copy.is_some() => self.lost.thumbnails.push(link.key),
            Ok(Found::Lost) => self.lost.files.push(link.key),
            Err(refusal @ Refusal::Denied(_)) => return Err(refusal.into()),
            Err(refusal) => {
                self.failed += 1;
                if self.failed == 1 {
                    self.why = refusal.to_string();
                }
                if self.failed > FAILURES {
                    return Err(format!("{FAILURES} calls failed, the first because: {}.", self.why));
                }
            }
        }
        Ok(())
    }

    fn standing(&self) -> Standing {
        let Self { objects, moved, lost, failed, why } = self;
        let mut more = String::new();
        if !lost.files.is_empty() || !lost.thumbnails.is_empty() {
            more = format!("; lost: {} files, {} thumbnails", lost.files.len(), lost.thumbnails.len());
        }
        if *failed > 0 {
            return Standing::ToDo(format!(
                "link {moved} of {objects} records, and look again at {failed} objects, because calls failed: {why}{more}"
            ));
        }
        if *moved > 0 {
            return Standing::ToDo(format!("link {moved} of {objects} records to the copies of their objects{more}"));
        }
        Standing::Done(format!("{objects} objects looked at, no record is left to link{more}"))
    }
}

/// Looks which records name versions that the bucket does not have.
pub(crate) async fn look(restore: &Restore) -> Result<Standing, String> {
    let tally = walk(restore, false).await?;
    for key in tally.lost.files.iter().take(SHOWN) {
        complain(&format!("files: lost: {key}"));
    }
    if tally.lost.files.len() > SHOWN {
        complain(&format!("files: lost: {} more, which --json lists", tally.lost.files.len() - SHOWN));
    }
    let standing = tally.standing();
    *restore.lost.lock().unwrap_or_else(PoisonError::into_inner) = tally.lost;
    Ok(standing)
}

/// Returns all keys that the last look found lost.
pub(crate) fn lost(restore: &Restore) -> Value {
    let lost = restore.lost.lock().unwrap_or_else(PoisonError::into_inner);
    json!({ "files": lost.files, "thumbnails": lost.thumbnails })
}

/// Links records to the copies of their objects. A record that somebody else changes meanwhile is left alone, and so is one of
/// which a call fails: the next look finds both.
pub(crate) async fn relink(restore: &Restore) -> Result<(), String> {
    walk(restore, true).await.map(drop)
}

/// Finds the object of a link, and links the record to a copy if `relinks`.
async fn visit(restore: &Restore, link: &Link, relinks: bool) -> Result<Found, Refusal> {
    let found = find(restore, link).await?;
    if let (Found::Moved(version, etag), true) = (&found, relinks) {
        let ask = change(restore, link, version, etag);
        match restore.aws.json(DYNAMODB, "dynamodb:UpdateItem", "UpdateItem", ask).await {
            Err(Refusal::Failed(why)) if why.contains("ConditionalCheckFailed") => {}
            other => drop(other?),
        }
    }
    Ok(found)
}

/// Returns the change of a record that names another version, if it still names the old one.
fn change(restore: &Restore, link: &Link, version: &str, etag: &str) -> Value {
    let key = json!({ "pk": { "S": link.pk }, "sk": { "S": link.sk } });
    let mut values = json!({ ":old": { "S": link.version }, ":new": { "S": version } });
    let mut ask = json!({ "TableName": restore.table, "Key": key });
    if let Some(copy) = &link.copy {
        ask["UpdateExpression"] = "SET derived.#copy.version_id = :new".into();
        ask["ConditionExpression"] = "derived.#copy.version_id = :old".into();
        ask["ExpressionAttributeNames"] = json!({ "#copy": copy });
    } else {
        // The revision makes a step that read the old record start again.
        ask["UpdateExpression"] = "SET version_id = :new, etag = :etag, revision = revision + :one".into();
        ask["ConditionExpression"] = "version_id = :old".into();
        values[":etag"] = json!({ "S": etag });
        values[":one"] = json!({ "N": "1" });
    }
    ask["ExpressionAttributeValues"] = values;
    ask
}

/// Visits every record with a version.
async fn walk(restore: &Restore, relinks: bool) -> Result<Tally, String> {
    let mut tally = Tally::default();
    let mut start = Value::Null;
    loop {
        let mut ask = json!({
            "TableName": restore.table,
            "FilterExpression": "attribute_exists(version_id) AND attribute_exists(s3_key) AND #status <> :gone",
            "ProjectionExpression": "pk, sk, s3_key, version_id, #size, derived",
            "ExpressionAttributeNames": { "#status": "status", "#size": "size" },
            "ExpressionAttributeValues": { ":gone": { "S": "deleted" } },
        });
        if start.is_object() {
            ask["ExclusiveStartKey"] = start;
        }
        let page = restore.aws.json(DYNAMODB, "dynamodb:Scan", "Scan", ask).await?;
        let links: Vec<Link> = page["Items"].as_array().into_iter().flatten().flat_map(links).collect();
        let visits = iter(links).map(|link| async move {
            let found = visit(restore, &link, relinks).await;
            (link, found)
        });
        let mut visits = std::pin::pin!(visits.buffer_unordered(AT_ONCE));
        while let Some((link, found)) = visits.next().await {
            tally.add(link, found)?;
        }
        start = page["LastEvaluatedKey"].clone();
        if !start.is_object() {
            return Ok(tally);
        }
    }
}

/// Reads what a record names: its object, and those of its derived copies.
fn links(item: &Value) -> Vec<Link> {
    let text = |value: &Value| value["S"].as_str().unwrap_or_default().to_owned();
    let (pk, sk) = (text(&item["pk"]), text(&item["sk"]));
    let size = item["size"]["N"].as_str().and_then(|size| size.parse().ok());
    let of = |key: String, copy: Option<String>, version: String, size| Link {
        pk: pk.clone(),
        sk: sk.clone(),
        key,
        copy,
        version,
        size,
    };
    let mut links = vec![of(text(&item["s3_key"]), None, text(&item["version_id"]), size)];
    let (owner, file) = (pk.strip_prefix("USER#").unwrap_or(&pk), sk.strip_prefix("FILE#").unwrap_or(&sk));
    let copies = item["derived"]["M"].as_object().into_iter().flatten();
    links.extend(copies.map(|(name, copy)| {
        let key = format!("derived/{owner}/{file}/{name}.");
        of(key, Some(name.clone()), text(&copy["M"]["version_id"]), None)
    }));
    links
}

async fn find(restore: &Restore, link: &Link) -> Result<Found, Refusal> {
    if link.copy.is_none() {
        let key: Vec<String> = link.key.split('/').map(encoded).collect();
        let path = format!("{}/{}?versionId={}", restore.bucket, key.join("/"), encoded(&link.version));
        match restore.aws.s3("s3:GetObjectVersion", "HEAD", &path, Vec::new(), String::new()).await {
            Ok(_) => return Ok(Found::Same),
            Err(refusal @ Refusal::Denied(_)) => return Err(refusal),
            // An answer to HEAD has no body. 400 stands for a version that could not be one of this bucket.
            Err(Refusal::Missing(_)) => {}
            Err(Refusal::Failed(code)) if code == "400" || code == "405" => {}
            Err(other) => return Err(other),
        }
    }
    let path = format!("{}?versions&prefix={}&max-keys=100", restore.bucket, encoded(&link.key));
    let list = restore.aws.s3("s3:ListBucketVersions", "GET", &path, Vec::new(), String::new()).await?;
    let list = rows(&list, "Version", &["Key", "VersionId", "ETag", "Size", "IsLatest"]);
    Ok(choose(link, &list))
}

/// Chooses among the versions that S3 lists, newest first, those of the right key and size: the one that the record names, or
/// the newest.
fn choose(link: &Link, list: &[Row]) -> Found {
    let of_key = |row: &&Row| {
        let key = value(row, "Key");
        if link.copy.is_some() { key.starts_with(&link.key) } else { key == link.key }
    };
    let of_size = |row: &&Row| link.size.is_none_or(|size| value(row, "Size").parse() == Ok(size));
    let right: Vec<&Row> = list.iter().filter(of_key).filter(of_size).collect();
    if right.iter().any(|row| value(row, "VersionId") == link.version) {
        return Found::Same;
    }
    let Some(newest) = right.first() else { return Found::Lost };
    let etag = value(newest, "ETag").trim_matches('"').to_owned();
    Found::Moved(value(newest, "VersionId").to_owned(), etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(key: &str, version: &str, size: &str) -> Row {
        let pairs = [("Key", key), ("VersionId", version), ("Size", size), ("ETag", "\"e\"")];
        pairs.into_iter().map(|(name, value)| (name.to_owned(), vec![value.to_owned()])).collect()
    }

    #[test]
    fn lost_thumbnails_are_counted_apart_and_failed_calls_are_looked_at_again() {
        let link = |key: &str, copy: Option<&str>| Link {
            pk: "USER#user_ann".to_owned(),
            sk: "FILE#01".to_owned(),
            key: key.to_owned(),
            copy: copy.map(str::to_owned),
            version: "v1".to_owned(),
            size: None,
        };
        let mut tally = Tally::default();
        tally.add(link("user_ann/a.png", None), Ok(Found::Lost)).unwrap();
        tally.add(link("derived/user_ann/01/small.", Some("small")), Ok(Found::Lost)).unwrap();
        tally.add(link("user_ann/b.png", None), Ok(Found::Same)).unwrap();
        let Standing::Done(what) = tally.standing() else { panic!("nothing is left to do") };
        assert!(what.contains("3 objects") && what.ends_with("; lost: 1 files, 1 thumbnails"), "{what}");

        let failed = || Err(Refusal::Failed("no answer within 8 s".to_owned()));
        tally.add(link("user_ann/c.png", None), failed()).unwrap();
        let Standing::ToDo(what) = tally.standing() else { panic!("one is to be looked at again") };
        assert!(what.contains("look again at 1 objects") && what.contains("no answer within 8 s"), "{what}");
        let last = (1..=FAILURES).map(|_| tally.add(link("user_ann/c.png", None), failed())).last().unwrap();
        assert!(last.unwrap_err().starts_with("1000 calls failed"));
        assert!(Tally::default().add(link("user_ann/d.png", None), Err(Refusal::Denied("s3:X"))).is_err());
    }

    #[test]
    fn a_record_is_linked_to_the_newest_copy_of_its_size_and_to_no_other_object() {
        let item = json!({
            "pk": { "S": "USER#user_ann" }, "sk": { "S": "FILE#01" }, "s3_key": { "S": "user_ann/a.png" },
            "version_id": { "S": "v1" }, "size": { "N": "10" },
            "derived": { "M": { "small": { "M": { "version_id": { "S": "d1" } } } } }
        });
        let links = links(&item);
        assert_eq!(
            (links.len(), links[1].key.as_str(), links[1].copy.as_deref()),
            (2, "derived/user_ann/01/small.", Some("small"))
        );
        let file = &links[0];
        assert_eq!(choose(file, &[row("user_ann/a.png", "v1", "10")]), Found::Same);
        let copies =
            [row("user_ann/a.png", "v9", "11"), row("user_ann/a.png", "v8", "10"), row("user_ann/a.png", "v7", "10")];
        assert_eq!(choose(file, &copies), Found::Moved("v8".to_owned(), "e".to_owned()));
        assert_eq!(choose(file, &[row("user_ann/a.png2", "v8", "10")]), Found::Lost, "another key that begins with it");
        assert_eq!(choose(file, &[row("user_ann/a.png", "v8", "11")]), Found::Lost, "another size");
        let derived = choose(&links[1], &[row("derived/user_ann/01/small.webp", "d5", "7")]);
        assert_eq!(derived, Found::Moved("d5".to_owned(), "e".to_owned()));
    }
}
