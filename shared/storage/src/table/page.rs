//! Lists: one query a page, and one entry more than wanted, to know whether there is another page.

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Select};
use consigne_core::ports::{Listed, PageAsk};
use consigne_core::{Code, Fault};

use super::Table;
use super::item::{Item, text};

impl Table {
    /// Starts a query of a partition, of the table or of one of its indexes.
    pub(super) fn partition(&self, index: Option<&str>, pk: String) -> QueryFluentBuilder {
        let query = self
            .client
            .query()
            .table_name(&self.name)
            .set_index_name(index.map(str::to_owned))
            .expression_attribute_names("#pk", format!("{}pk", index.unwrap_or_default()))
            .expression_attribute_values(":pk", text(pk));
        // An index is always a moment behind; only the table itself can be read as it is.
        if index.is_none() { query.consistent_read(true) } else { query }
    }

    /// Reads a page of a query, with the count of all its entries.
    pub(super) async fn page<T>(
        &self,
        query: QueryFluentBuilder,
        ask: &PageAsk,
        read: impl Fn(&Item) -> Result<T, Fault>,
    ) -> Result<Listed<T>, Fault> {
        let mut listed = self.entries(&query, ask, read).await?;
        if ask.after.is_none() && listed.next.is_none() {
            listed.total = Some(listed.items.len() as u64);
            return Ok(listed);
        }
        // What one query counts is a megabyte; a list that is longer has no total, since counting it would cost more than
        // reading the page.
        let count = query.select(Select::Count).send().await.map_err(Fault::unavailable)?;
        if count.last_evaluated_key.is_none() {
            listed.total = u64::try_from(count.count).ok();
        }
        Ok(listed)
    }

    async fn entries<T>(
        &self,
        query: &QueryFluentBuilder,
        ask: &PageAsk,
        read: impl Fn(&Item) -> Result<T, Fault>,
    ) -> Result<Listed<T>, Fault> {
        let wanted = ask.limit as usize;
        let mut start = ask.after.as_deref().map(open).transpose()?;
        let mut items: Vec<T> = Vec::new();
        let mut last: Option<Item> = None;
        loop {
            let limit = i32::try_from(wanted + 1).unwrap_or(i32::MAX);
            let query = query.clone().limit(limit).set_exclusive_start_key(start);
            let page = query.send().await.map_err(Fault::unavailable)?;
            for item in page.items() {
                if items.len() == wanted {
                    return Ok(Listed { items, next: last.as_ref().map(seal), total: None });
                }
                items.push(read(item)?);
                last = Some(position(item));
            }
            start = page.last_evaluated_key;
            if start.is_none() {
                return Ok(Listed { items, next: None, total: None });
            }
        }
    }
}

/// Takes the keys out of an item: of the table, and of the indexes it stands in.
fn position(item: &Item) -> Item {
    let keys = ["pk", "sk", "gsi1pk", "gsi1sk", "gsi2pk", "gsi2sk"];
    keys.iter().filter_map(|name| Some(((*name).to_owned(), item.get(*name)?.clone()))).collect()
}

/// Writes a position as text; the handler seals it before a caller sees it.
fn seal(position: &Item) -> String {
    let texts = position.iter().filter_map(|(name, value)| Some((name.clone(), value.as_s().ok()?.clone().into())));
    serde_json::Value::Object(texts.collect()).to_string()
}

fn open(text: &str) -> Result<Item, Fault> {
    let invalid = || Fault::new(Code::InvalidCursor, "cursor is not one of this list's").detail("field", "cursor");
    let position: std::collections::HashMap<String, String> = serde_json::from_str(text).map_err(|_| invalid())?;
    Ok(position.into_iter().map(|(name, value)| (name, AttributeValue::S(value))).collect())
}
