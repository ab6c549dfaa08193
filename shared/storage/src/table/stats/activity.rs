//! Activity marks: the keys that were charged and the organisations that issued keys, in spans of an hour.
//! `anomaly-detect` reads them, so that it need not check every key.
//!
//! A mark is one more write in the transaction of a charge or a new key. An execution environment writes it only when
//! it first sees the key, or another country of the key, in a span. Its other charges in the span cost no extra write.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem, Update};
use consigne_core::anomalies::{Activity, LOOK_BACK, SPAN};
use consigne_core::ports::ListActivity;
use consigne_core::{Fault, KeyId, OrgId, Timestamp};

use crate::table::item::{Item, Reader, key, malformed, number, sortable};
use crate::table::{Table, due};

/// Replaces the key in marks of an organisation that has issued keys.
const ITSELF: &str = "-";
/// How long marks are kept. By then no run reads them any more.
const KEPT: Duration = LOOK_BACK.saturating_mul(4);

/// A mark: the span and the organisation; for a call also the key and, if known, the country.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Mark {
    span: Timestamp,
    org: OrgId,
    key: Option<KeyId>,
    country: Option<String>,
}

impl Mark {
    /// Returns the mark of a charge or a hold of a key.
    pub(crate) fn charged(org: OrgId, key: KeyId, country: Option<&str>, at: Timestamp) -> Self {
        Self { span: at.floor(SPAN), org, key: Some(key), country: country.map(str::to_owned) }
    }

    /// Returns the mark of a new key.
    pub(crate) fn issued(org: OrgId, at: Timestamp) -> Self {
        Self { span: at.floor(SPAN), org, key: None, country: None }
    }

    fn item_key(&self) -> Item {
        let sharded_by = self.key.map_or_else(|| self.org.to_string(), |key| key.to_string());
        let what = self.key.map_or_else(|| ITSELF.to_owned(), |key| key.to_string());
        key(partition(self.span, due::shard_of(&sharded_by)), format!("{}#{what}", self.org))
    }
}

fn partition(span: Timestamp, shard: u8) -> String {
    format!("ACTIVITY#{}#{shard}", sortable(span))
}

impl Table {
    /// Returns the write of a mark, or `None` if this execution environment has written it before.
    pub(crate) fn mark(&self, mark: &Mark) -> Result<Option<TransactWriteItem>, Fault> {
        if self.marks.get(mark).is_some() {
            return Ok(None);
        }
        let update = Update::builder()
            .set_key(Some(mark.item_key()))
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":ttl", number(mark.span.plus(KEPT).as_secs()));
        let update = match &mark.country {
            None => update.update_expression("SET #ttl = :ttl"),
            Some(country) => update
                .update_expression("SET #ttl = :ttl ADD countries :country")
                .expression_attribute_values(":country", AttributeValue::Ss(vec![country.clone()])),
        };
        self.update(update).map(Some)
    }

    /// Records that this execution environment has written a mark.
    pub(crate) fn set_marked(&self, mark: &Mark) {
        self.marks.set(mark, ());
    }
}

impl ListActivity for Table {
    async fn list_activity(&self, from: Timestamp, to: Timestamp) -> Result<Vec<Activity>, Fault> {
        let mut found: BTreeMap<(OrgId, Option<KeyId>), BTreeSet<String>> = BTreeMap::new();
        let mut span = from.floor(SPAN);
        while span <= to {
            for shard in 0..due::SHARDS {
                let query = self.partition(None, partition(span, shard)).key_condition_expression("#pk = :pk");
                let mut pages = self.pages(query);
                while let Some(items) = pages.next().await? {
                    for item in &items {
                        let (source, countries) = read(item)?;
                        found.entry(source).or_default().extend(countries);
                    }
                }
            }
            span = span.plus(SPAN);
        }
        Ok(found.into_iter().map(|((org, key), countries)| Activity { org, key, countries }).collect())
    }
}

type Read = ((OrgId, Option<KeyId>), Vec<String>);

fn read(item: &Item) -> Result<Read, Fault> {
    let reader = Reader(item);
    let source = |sk: &str| {
        let (org, key) = sk.split_once('#')?;
        let key = if key == ITSELF { None } else { Some(KeyId::parse(key)?) };
        Some((OrgId::parse(org)?, key))
    };
    let countries = match item.get("countries") {
        Some(countries) => countries.as_ss().map_err(|_| malformed("countries"))?.clone(),
        None => Vec::new(),
    };
    Ok((reader.parsed("sk", source)?, countries))
}
