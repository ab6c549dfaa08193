//! Reading and writing the attributes of items.

use std::collections::HashMap;
use std::fmt::Display;

use aws_sdk_dynamodb::types::AttributeValue;
use consigne_core::{Fault, Timestamp, UserId};

/// An item as DynamoDB speaks it.
pub(super) type Item = HashMap<String, AttributeValue>;

pub(super) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(super) fn number(value: impl Display) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub(super) fn user_pk(user: &UserId) -> String {
    format!("USER#{user}")
}

/// Reads attributes by name and says which one is missing or odd.
pub(super) struct Reader<'a>(pub(super) &'a Item);

impl<'a> Reader<'a> {
    pub(super) fn text(&self, name: &str) -> Result<&'a str, Fault> {
        self.optional_text(name).ok_or_else(|| odd(name))
    }

    pub(super) fn optional_text(&self, name: &str) -> Option<&'a str> {
        self.0.get(name).and_then(|value| value.as_s().ok()).map(String::as_str)
    }

    pub(super) fn number<T: std::str::FromStr>(&self, name: &str) -> Result<T, Fault> {
        self.optional_number(name).ok_or_else(|| odd(name))
    }

    pub(super) fn optional_number<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.0.get(name).and_then(|value| value.as_n().ok()).and_then(|digits| digits.parse().ok())
    }

    pub(super) fn time(&self, name: &str) -> Result<Timestamp, Fault> {
        self.number(name).map(Timestamp::from_millis)
    }

    /// Reads text through a parser of its type.
    pub(super) fn parsed<T>(&self, name: &str, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, Fault> {
        parse(self.text(name)?).ok_or_else(|| odd(name))
    }
}

/// Makes the fault of an item that is not as this code writes it. The value stays out of the log.
fn odd(name: &str) -> Fault {
    Fault::internal(format!("attribute {name} is missing or malformed"))
}
