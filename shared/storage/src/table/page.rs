//! Pages of lists. Each reads one entry more than wanted, to know whether there is another page.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::operation::query::QueryInput;
use aws_sdk_dynamodb::operation::query::builders::QueryInputBuilder;
use aws_sdk_dynamodb::types::Select;
use consigne_core::Fault;
use consigne_core::ports::{Listed, PageAsk};

use crate::table::Table;
use crate::table::item::{Item, text};

/// Most queries for one page, if a filter leaves out entries.
pub(crate) const QUERIES_MAX: u32 = 20;

impl Table {
    /// Builds a query of one partition, of the table or of one of its indexes.
    pub(crate) fn partition(&self, index: Option<&str>, pk: String) -> QueryInputBuilder {
        let query = QueryInput::builder()
            .table_name(&self.name)
            .set_index_name(index.map(str::to_owned))
            .expression_attribute_names("#pk", format!("{}pk", index.unwrap_or_default()))
            .expression_attribute_values(":pk", text(pk));
        // DynamoDB has consistent reads of the table, but not of its global indexes.
        if index.is_none() { query.consistent_read(true) } else { query }
    }

    /// Returns all pages of a query, one after the other.
    pub(crate) fn pages(&self, query: QueryInputBuilder) -> Pages<'_> {
        Pages { table: self, query, over: false }
    }

    /// Reads all items of a query. Only for queries that find few.
    pub(crate) async fn all(&self, query: QueryInputBuilder) -> Result<Vec<Item>, Fault> {
        let (mut pages, mut items) = (self.pages(query), Vec::new());
        while let Some(page) = pages.next().await? {
            items.extend(page);
        }
        Ok(items)
    }

    /// Counts the entries of a query. Returns `None` if there are more than one query reads, which is one megabyte.
    async fn count_entries(&self, query: QueryInputBuilder) -> Result<Option<u64>, Fault> {
        let count = self.client.send(query.select(Select::Count)).await.map_err(Fault::unavailable)?;
        Ok(if count.last_evaluated_key.is_none() { u64::try_from(count.count).ok() } else { None })
    }

    /// Reads a page of a query, with the total number of its entries.
    pub(crate) async fn page<T>(
        &self,
        index: Option<&str>,
        query: QueryInputBuilder,
        ask: &PageAsk,
        read: impl Fn(&Item) -> Result<T, Fault>,
    ) -> Result<Listed<T>, Fault> {
        let position = ask.after.as_deref().map(ListPosition::parse).transpose()?;
        let (entries, more) = self
            .entries(index, &query, ask.limit, position.as_ref().map(|position| position.start.clone()), read)
            .await?;
        let total = match &position {
            Some(position) => position.total,
            None if more.is_none() => Some(entries.len() as u64),
            None => self.count_entries(query).await?,
        };
        let next = more.map(|start| ListPosition { start, total }.encode());
        Ok(Listed { items: entries, next, total })
    }

    /// Reads a page of a query, without the total number of its entries.
    pub(crate) async fn page_without_total<T>(
        &self,
        index: Option<&str>,
        query: QueryInputBuilder,
        ask: &PageAsk,
        read: impl Fn(&Item) -> Result<T, Fault>,
    ) -> Result<Listed<T>, Fault> {
        let start = ask.after.as_deref().map(ListPosition::parse).transpose()?.map(|position| position.start);
        let (items, more) = self.entries(index, &query, ask.limit, start, read).await?;
        Ok(Listed { items, next: more.map(|start| ListPosition { start, total: None }.encode()), total: None })
    }

    /// Reads the entries of one page. Returns them with the key after which the next page starts, if there is one.
    pub(crate) async fn entries<T>(
        &self,
        index: Option<&str>,
        query: &QueryInputBuilder,
        limit: u32,
        start: Option<Item>,
        read: impl Fn(&Item) -> Result<T, Fault>,
    ) -> Result<(Vec<T>, Option<Item>), Fault> {
        self.entries_within(QUERIES_MAX, index, query, limit, start, read).await
    }

    /// Reads the entries of one page with at most `queries` queries, each of which reads at most one megabyte.
    pub(crate) async fn entries_within<T>(
        &self,
        queries: u32,
        index: Option<&str>,
        query: &QueryInputBuilder,
        limit: u32,
        mut start: Option<Item>,
        read: impl Fn(&Item) -> Result<T, Fault>,
    ) -> Result<(Vec<T>, Option<Item>), Fault> {
        let wanted = limit as usize;
        let mut entries: Vec<T> = Vec::new();
        let mut last: Option<Item> = None;
        for _ in 0..queries {
            let limit = i32::try_from(wanted + 1).unwrap_or(i32::MAX);
            let query = query.clone().limit(limit).set_exclusive_start_key(start);
            let page = self.client.send(query).await.map_err(Fault::unavailable)?;
            for item in page.items() {
                if entries.len() == wanted {
                    return Ok((entries, last));
                }
                entries.push(read(item)?);
                last = Some(position(index, item));
            }
            start = page.last_evaluated_key;
            if start.is_none() {
                return Ok((entries, None));
            }
        }
        // The filter has left out most entries, or they are large: the page is short, and the list continues.
        Ok((entries, start))
    }
}

/// All pages of a query.
pub(crate) struct Pages<'a> {
    table: &'a Table,
    query: QueryInputBuilder,
    over: bool,
}

impl Pages<'_> {
    /// Reads the next page, which may be empty. Returns `None` after the last one.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Item>>, Fault> {
        if self.over {
            return Ok(None);
        }
        let page = self.table.client.send(self.query.clone()).await.map_err(Fault::unavailable)?;
        self.over = page.last_evaluated_key.is_none();
        self.query = self.query.clone().set_exclusive_start_key(page.last_evaluated_key);
        Ok(Some(page.items.unwrap_or_default()))
    }
}

/// Returns the key of an item after which a query of the table or of an index continues. It has only the key
/// attributes, because DynamoDB refuses others.
///
/// Source: API reference, `Query`, `ExclusiveStartKey`.
fn position(index: Option<&str>, item: &Item) -> Item {
    let of_index = index.map(|index| [format!("{index}pk"), format!("{index}sk")]);
    let names = ["pk".to_owned(), "sk".to_owned()].into_iter().chain(of_index.into_iter().flatten());
    names.filter_map(|name| item.get(&name).cloned().map(|value| (name, value))).collect()
}

/// The position after which a page starts, and the total that was counted with the first page.
struct ListPosition {
    start: Item,
    total: Option<u64>,
}

impl ListPosition {
    /// Encodes the position as text. Handlers make a sealed cursor of it before a caller sees it.
    fn encode(&self) -> String {
        let texts = self.start.iter().filter_map(|(name, value)| Some((name, value.as_s().ok()?)));
        serde_json::json!({ "start": texts.collect::<BTreeMap<_, _>>(), "total": self.total }).to_string()
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        let position: serde_json::Value = serde_json::from_str(text).map_err(|_| Fault::invalid_cursor())?;
        let start = position["start"].as_object().ok_or_else(Fault::invalid_cursor)?;
        let texts =
            start.iter().filter_map(|(name, value)| Some((name.clone(), crate::table::item::text(value.as_str()?))));
        Ok(Self { start: texts.collect(), total: position["total"].as_u64() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_starts_after_the_keys_of_its_own_index_and_no_others() {
        let names = ["pk", "sk", "gsi1pk", "gsi1sk", "gsi2pk", "gsi2sk", "credits"];
        let item: Item = names.iter().map(|name| ((*name).to_owned(), text(*name))).collect();
        let names_of = |index| {
            let mut names: Vec<String> = position(index, &item).into_keys().collect();
            names.sort();
            names
        };
        assert_eq!(names_of(None), ["pk", "sk"]);
        assert_eq!(names_of(Some("gsi1")), ["gsi1pk", "gsi1sk", "pk", "sk"]);
        assert_eq!(names_of(Some("gsi2")), ["gsi2pk", "gsi2sk", "pk", "sk"]);
    }

    #[test]
    fn a_position_reads_back_with_its_total() {
        let start = Item::from([("pk".to_owned(), text("ORG#1")), ("sk".to_owned(), text("KEY#é"))]);
        for total in [Some(7), None] {
            let position = ListPosition { start: start.clone(), total };
            let parsed = ListPosition::parse(&position.encode()).unwrap();
            assert_eq!((parsed.start, parsed.total), (position.start, total));
        }
        assert!(ListPosition::parse("elsewhere").is_err());
    }
}
