//! Any number of files of one user, in the order of an index. A query continues from its start key as in DynamoDB,
//! where earlier items cost nothing. The laptop's server sorts a whole partition for every page instead.

use std::collections::BTreeMap;
use std::ops::Bound;

use serde_json::{Value, json};

use crate::files::digits;
use crate::items;

/// When the first file became ready, in milliseconds since 1970.
const BEGAN: usize = 1_795_257_001_000;
/// The common start of all ids.
const ID: &str = "01M7YREWKH7VM7Z3Z2KWS";

/// The files, by their sort key in the index.
#[derive(Debug, Default)]
pub(crate) struct Shelf(BTreeMap<String, Value>);

impl Shelf {
    /// Creates `count` files, one per millisecond.
    pub(crate) fn of(count: usize) -> Self {
        Self((0..count).map(file).map(|file| (text(&file, "gsi1sk"), file)).collect())
    }

    /// Returns the key of the `n`th file, counted from the oldest.
    pub(crate) fn key_of(n: usize) -> String {
        text(&file(n), "s3_key")
    }

    /// Answers a query for the newest files, or for those after its start key.
    pub(crate) fn query(&self, asked: &Value) -> Value {
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

/// Builds the item of a file as the functions do.
fn file(n: usize) -> Value {
    let (id, at) = (format!("{ID}{}", digits(n)), BEGAN + n);
    let mut file = items::file();
    for (name, text) in [
        ("sk", format!("FILE#{id}")),
        ("s3_key", format!("user_ann1/images/{id}-photo-ete.png")),
        ("gsi1pk", "USER#user_ann1#ready".to_owned()),
        ("gsi1sk", format!("{at:013}#{id}")),
    ] {
        file[name] = json!({ "S": text });
    }
    file["changed_at"] = json!({ "N": at.to_string() });
    file
}

fn text(item: &Value, name: &str) -> String {
    item[name]["S"].as_str().unwrap_or_default().to_owned()
}
