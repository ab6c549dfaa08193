//! The text of a part, which grows record by record.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Export;

/// Size in bytes from which a part is full. The records that were read with the last one still go into it.
pub const PART_BYTES: usize = 4_000_000;

/// The records of a part, as JSON.
#[derive(Clone, Debug)]
pub struct PartText {
    head: String,
    records: String,
    counts: BTreeMap<String, u64>,
}

impl PartText {
    /// Starts the next part of an export.
    pub fn of(export: &Export) -> Self {
        let head =
            json!({ "export_id": export.id, "user_id": export.user, "part": export.parts.len() + 1 }).to_string();
        Self { head, records: String::new(), counts: BTreeMap::new() }
    }

    /// Adds a record, a JSON object with its `type`.
    pub fn push(&mut self, record: &Value) {
        self.records.push_str(if self.records.is_empty() { "\n" } else { ",\n" });
        self.records.push_str(&record.to_string());
        *self.counts.entry(record["type"].as_str().unwrap_or("unknown").to_owned()).or_default() += 1;
    }

    /// Returns whether it is large enough.
    pub fn is_full(&self) -> bool {
        self.records.len() >= PART_BYTES
    }

    /// Returns whether it has no records.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Returns the numbers of its records by type.
    pub fn counts(&self) -> &BTreeMap<String, u64> {
        &self.counts
    }

    /// Returns the number of its records.
    pub fn len(&self) -> u64 {
        self.counts.values().sum()
    }

    /// Returns the number of its records about files.
    pub fn files(&self) -> u64 {
        self.counts.get("file").copied().unwrap_or_default()
    }

    /// Returns the whole part as JSON, with a record in each line.
    pub fn text(&self) -> String {
        format!("{},\"records\":[{}\n]}}\n", self.head.trim_end_matches('}'), self.records)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Timestamp, UserId};

    #[test]
    fn a_part_is_json_with_a_record_in_each_line() {
        let export = Export::begin(UserId::parse("user_ann1").unwrap(), Timestamp::from_secs(5));
        let mut part = PartText::of(&export);
        assert!(part.is_empty());
        for record in [json!({ "type": "file", "name": "a\nb" }), json!({ "type": "job" })] {
            part.push(&record);
        }
        let read: Value = serde_json::from_str(&part.text()).unwrap();
        assert_eq!((&read["part"], &read["records"][0]["name"]), (&json!(1), &json!("a\nb")));
        assert_eq!((part.len(), part.files(), part.text().lines().count()), (2, 1, 4));
        while !part.is_full() {
            part.push(&json!({ "type": "chapter", "text": "x".repeat(100_000) }));
        }
        assert!(part.text().len() < PART_BYTES + 200_000);
    }
}
