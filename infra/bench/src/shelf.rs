//! Any number of files of one user, in the order of an index. A query continues from its start key as in DynamoDB,
//! where earlier items cost nothing. The laptop's server sorts a whole partition for every page instead.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::Duration;

use consigne_core::FileId;
use consigne_core::files::{File, ObjectKey};
use consigne_storage::items;
use serde_json::{Value, json};

use crate::Problem;
use crate::files::digits;
use crate::items::to_json;
use crate::records;

/// The common start of all ids.
const ID: &str = "01M7YREWKH7VM7Z3Z2KWS";

/// The files, by their sort key in the index.
#[derive(Debug, Default)]
pub(crate) struct Shelf(BTreeMap<String, Value>);

impl Shelf {
    /// Creates `count` files, one per millisecond.
    pub(crate) fn of(count: usize) -> Result<Self, Problem> {
        let item = |n| {
            let item = to_json(&items::file(&file(n)?))?;
            Ok((item["gsi1sk"]["S"].as_str().unwrap_or_default().to_owned(), item))
        };
        (0..count).map(item).collect::<Result<_, _>>().map(Self)
    }

    /// Returns the object key of the `n`th file, counted from the oldest.
    pub(crate) fn key_of(n: usize) -> Result<String, Problem> {
        Ok(file(n)?.key.to_string())
    }

    /// Answers a query for the newest files, or for those after its start key. Another partition is empty.
    pub(crate) fn query(&self, asked: &Value) -> Value {
        // The files that are being removed are another partition, of which this user has none.
        let partition = &asked["ExpressionAttributeValues"][":pk"];
        if self.0.values().next().is_some_and(|file| !partition.is_null() && file["gsi1pk"] != *partition) {
            return json!({ "Items": [], "Count": 0, "ScannedCount": 0 });
        }
        let limit = asked["Limit"].as_u64().and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
        let start = asked["ExclusiveStartKey"].get("gsi1sk").and_then(|sort| sort["S"].as_str());
        let before = start.map_or(Bound::Unbounded, |start| Bound::Excluded(start.to_owned()));
        let page: Vec<&Value> =
            self.0.range((Bound::Unbounded, before)).rev().take(limit).map(|(_, file)| file).collect();
        let mut answer = json!({ "Items": page, "Count": page.len(), "ScannedCount": page.len() });
        if let Some(last) = page.last().filter(|_| page.len() == limit) {
            let key = ["pk", "sk", "gsi1pk", "gsi1sk"].map(|name| (name.to_owned(), last[name].clone()));
            answer["LastEvaluatedKey"] = Value::Object(key.into_iter().collect());
        }
        answer
    }
}

/// Creates the `n`th file. The first became ready when the stub's own file did.
fn file(n: usize) -> Result<File, Problem> {
    let file = records::file().ok_or("the stub's file is malformed")?;
    let id = FileId::parse(&format!("{ID}{}", digits(n))).ok_or("a number is no end of an id")?;
    let key = ObjectKey::mint(file.owner(), file.kind(), id, &file.name, file.media);
    let later = Duration::from_millis(n.try_into().unwrap_or(u64::MAX));
    Ok(File { key, changed_at: file.changed_at.plus(later), ..file })
}
