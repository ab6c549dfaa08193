//! Reads and writes attributes of items.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Display;

use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Update};
use consigne_core::{Fault, OrgId, Timestamp, UserId};

/// An item as the SDK represents it: attributes by name.
pub type Item = HashMap<String, AttributeValue>;

pub(crate) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(crate) fn number(value: impl Display) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub(crate) fn user_pk(user: &UserId) -> String {
    format!("USER#{user}")
}

pub(crate) fn org_pk(org: OrgId) -> String {
    format!("ORG#{org}")
}

/// Builds a primary key of the table.
pub(crate) fn key(pk: impl Into<String>, sk: impl Into<String>) -> Item {
    Item::from([("pk".to_owned(), text(pk)), ("sk".to_owned(), text(sk))])
}

/// Formats a time so that it sorts as text: milliseconds in 13 digits, enough until the year 2286. Times before 1970
/// become 0.
pub(crate) fn sortable(at: Timestamp) -> String {
    format!("{:013}", at.as_millis().max(0))
}

/// Adds an attribute if it has a value.
pub(crate) fn add(item: &mut Item, name: &str, value: Option<AttributeValue>) {
    if let Some(value) = value {
        item.insert(name.to_owned(), value);
    }
}

/// Builds the update that increments the attribute `counts` of a counter item, on condition that it is below `most`.
/// The item expires at `forgotten`.
pub(crate) fn count_one(counter: Item, counts: &str, most: u32, forgotten: Timestamp) -> UpdateBuilder {
    Update::builder()
        .set_key(Some(counter))
        .update_expression("ADD #counts :one SET #ttl = :ttl")
        .condition_expression("attribute_not_exists(#counts) OR #counts < :most")
        .expression_attribute_names("#counts", counts)
        .expression_attribute_names("#ttl", "ttl")
        .expression_attribute_values(":one", number(1))
        .expression_attribute_values(":most", number(most))
        .expression_attribute_values(":ttl", number(forgotten.as_secs()))
}

/// Reads attributes by name. Its errors name the attribute that is missing or malformed.
pub(crate) struct Reader<'a>(pub(super) &'a Item);

impl<'a> Reader<'a> {
    pub(crate) fn text(&self, name: &str) -> Result<&'a str, Fault> {
        self.optional_text(name).ok_or_else(|| malformed(name))
    }

    pub(crate) fn optional_text(&self, name: &str) -> Option<&'a str> {
        self.0.get(name).and_then(|value| value.as_s().ok()).map(String::as_str)
    }

    pub(crate) fn number<T: std::str::FromStr>(&self, name: &str) -> Result<T, Fault> {
        self.optional_number(name).ok_or_else(|| malformed(name))
    }

    pub(crate) fn optional_number<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.0.get(name).and_then(|value| value.as_n().ok()).and_then(|digits| digits.parse().ok())
    }

    pub(crate) fn time(&self, name: &str) -> Result<Timestamp, Fault> {
        self.number(name).map(Timestamp::from_millis)
    }

    pub(crate) fn optional_time(&self, name: &str) -> Option<Timestamp> {
        self.optional_number(name).map(Timestamp::from_millis)
    }

    /// Returns a flag; an absent one is `false`.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|value| value.as_bool() == Ok(&true))
    }

    pub(crate) fn owned_text(&self, name: &str) -> Option<String> {
        self.optional_text(name).map(str::to_owned)
    }

    /// Reads a set of texts.
    pub(crate) fn texts(&self, name: &str) -> Result<&'a [String], Fault> {
        self.0.get(name).and_then(|value| value.as_ss().ok()).map(Vec::as_slice).ok_or_else(|| malformed(name))
    }

    /// Reads a map of texts, which is empty if it is missing.
    pub(crate) fn map_of_texts(&self, name: &str) -> Result<BTreeMap<String, String>, Fault> {
        let Some(value) = self.0.get(name) else { return Ok(BTreeMap::new()) };
        let text = |value: &AttributeValue| value.as_s().ok().cloned();
        let texts = |map: &Item| map.iter().map(|(name, value)| Some((name.clone(), text(value)?))).collect();
        value.as_m().ok().and_then(texts).ok_or_else(|| malformed(name))
    }

    /// Returns the attributes whose names begin with `prefix`, without the prefix.
    pub(crate) fn beginning(&self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a AttributeValue)> {
        self.0.iter().filter_map(move |(name, value)| Some((name.strip_prefix(prefix)?, value)))
    }

    /// Reads a text that may be missing, and parses it.
    pub(crate) fn optional_parsed<T>(
        &self,
        name: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Fault> {
        self.optional_text(name).map(|text| parse(text).ok_or_else(|| malformed(name))).transpose()
    }

    /// Reads a text and parses it.
    pub(crate) fn parsed<T>(&self, name: &str, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, Fault> {
        parse(self.text(name)?).ok_or_else(|| malformed(name))
    }
}

/// Returns the fault for a missing or malformed attribute. It does not contain the value, because faults are logged.
pub(crate) fn malformed(name: &str) -> Fault {
    Fault::internal(format!("attribute {name} is missing or malformed"))
}
