//! Listing files: one query a page.

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::Select;
use consigne_core::files::{File, Status};
use consigne_core::ports::{Filter, ListFiles, Page, Position};
use consigne_core::{Fault, UserId};

use super::item::{Item, text};
use super::{Table, file_item};

impl ListFiles for Table {
    async fn list_files(
        &self,
        owner: &UserId,
        filter: Filter,
        limit: u32,
        after: Option<&Position>,
    ) -> Result<Page, Fault> {
        // One more than wanted is read, to know whether there is more without another call.
        let wanted = limit as usize + 1;
        let mut files: Vec<File> = Vec::new();
        let mut start = after.map(|after| file_item::start_key(owner, filter, after));
        loop {
            let page = self
                .list_query(owner, filter)
                .scan_index_forward(false)
                .limit(i32::try_from(wanted).unwrap_or(i32::MAX))
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(Fault::unavailable)?;
            for item in page.items() {
                files.push(file_item::read(item)?);
            }
            // More than one query is needed only when a filter leaves items out, or a page exceeds a megabyte.
            start = page.last_evaluated_key;
            if files.len() >= wanted || start.is_none() {
                return Ok(page_of(files, limit));
            }
        }
    }

    async fn count_files(&self, owner: &UserId, filter: Filter) -> Result<u64, Fault> {
        let mut count = 0;
        let mut start: Option<Item> = None;
        loop {
            let query = self.list_query(owner, filter).select(Select::Count).set_exclusive_start_key(start);
            let page = query.send().await.map_err(Fault::unavailable)?;
            count += u64::try_from(page.count).unwrap_or(0);
            start = page.last_evaluated_key;
            if start.is_none() {
                return Ok(count);
            }
        }
    }
}

impl Table {
    fn list_query(&self, owner: &UserId, filter: Filter) -> QueryFluentBuilder {
        let (index, partition) = file_item::list_partition(owner, filter);
        let query = self
            .client
            .query()
            .table_name(&self.name)
            .index_name(index)
            .key_condition_expression("#pk = :pk")
            .expression_attribute_names("#pk", format!("{index}pk"))
            .expression_attribute_values(":pk", text(partition));
        match filter.kind {
            // Only READY files, the many, have an index by kind; of the others there are few.
            Some(kind) if filter.status != Status::Ready => query
                .filter_expression("#kind = :kind")
                .expression_attribute_names("#kind", "kind")
                .expression_attribute_values(":kind", text(kind.name())),
            _ => query,
        }
    }
}

fn page_of(mut files: Vec<File>, limit: u32) -> Page {
    let more = files.len() > limit as usize;
    files.truncate(limit as usize);
    let last = files.last().filter(|_| more);
    let next = last.map(|file| Position { changed_at: file.changed_at, file: file.id() });
    Page { files, next }
}
