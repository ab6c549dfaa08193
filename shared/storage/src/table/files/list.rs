//! Lists files, with one query per page.

use aws_sdk_dynamodb::operation::query::builders::QueryInputBuilder;
use aws_sdk_dynamodb::types::Select;
use consigne_core::files::{Kind, LedgerState, Status};
use consigne_core::ports::{Filter, ListFiles, Page, Position};
use consigne_core::{Fault, UserId};

use crate::table::Table;
use crate::table::files::file_item;
use crate::table::item::{Item, text};
use crate::table::page::QUERIES_MAX;

impl ListFiles for Table {
    async fn list_files(
        &self,
        owner: &UserId,
        filter: Filter,
        limit: u32,
        after: Option<&Position>,
    ) -> Result<Page, Fault> {
        let (index, _) = file_item::list_partition(owner, filter);
        let query = self.list_query(owner, filter).scan_index_forward(false);
        let start = after.map(|after| file_item::start_key(owner, filter, after));
        // A page of large records is as long as one query, so that a list of many files costs one call. A filter may leave
        // out all that one query reads.
        let queries = if is_filtered(filter) { QUERIES_MAX } else { 1 };
        let (files, more) = self.entries_within(queries, Some(index), &query, limit, start, file_item::read).await?;
        let last = files.last().filter(|_| more.is_some());
        let next = last.map(|file| Position { changed_at: file.changed_at, file: file.id() });
        Ok(Page { files, next })
    }

    async fn count_files(&self, owner: &UserId, filter: Filter) -> Result<u64, Fault> {
        self.count_matches(&self.list_query(owner, filter)).await
    }

    async fn count_deleting(&self, owner: &UserId, kind: Option<Kind>) -> Result<u64, Fault> {
        let filter = Filter { status: Status::Deleting, kind };
        // A grant that was deleted before its upload is in the same partition, and no file in the ledger.
        let condition = if kind.is_some() { "#kind = :kind AND holding = :kept" } else { "holding = :kept" };
        let query = self.list_query(owner, filter).filter_expression(condition);
        self.count_matches(&query.expression_attribute_values(":kept", text(LedgerState::Kept.name()))).await
    }
}

/// Returns whether a query leaves out files. Only ready files, of which there are many, have an index by kind. Other
/// statuses have few files.
fn is_filtered(filter: Filter) -> bool {
    filter.kind.is_some() && filter.status != Status::Ready
}

impl Table {
    /// Counts the entries of a query.
    async fn count_matches(&self, query: &QueryInputBuilder) -> Result<u64, Fault> {
        let mut count = 0;
        let mut start: Option<Item> = None;
        loop {
            let query = query.clone().select(Select::Count).set_exclusive_start_key(start);
            let page = self.client.send(query).await.map_err(Fault::unavailable)?;
            count += u64::try_from(page.count).unwrap_or(0);
            start = page.last_evaluated_key;
            if start.is_none() {
                return Ok(count);
            }
        }
    }

    fn list_query(&self, owner: &UserId, filter: Filter) -> QueryInputBuilder {
        let (index, partition) = file_item::list_partition(owner, filter);
        let query = self.partition(Some(index), partition).key_condition_expression("#pk = :pk");
        match filter.kind {
            Some(kind) if is_filtered(filter) => query
                .filter_expression("#kind = :kind")
                .expression_attribute_names("#kind", "kind")
                .expression_attribute_values(":kind", text(kind.name())),
            _ => query,
        }
    }
}
