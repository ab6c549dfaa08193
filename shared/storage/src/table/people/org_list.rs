//! Lists all organisations for operators, from the index that the nightly walk uses.

use std::cmp::Reverse;

use consigne_core::orgs::Organisation;
use consigne_core::ports::{ListAllOrgs, Listed, PageAsk};
use consigne_core::{Fault, OrgId};

use crate::table::item::text;
use crate::table::people::orgs::read_org;
use crate::table::{Table, due};

impl ListAllOrgs for Table {
    async fn list_all_orgs(&self, suspended: Option<bool>, page: &PageAsk) -> Result<Listed<Organisation>, Fault> {
        let parse = |text: &str| OrgId::parse(text).ok_or_else(Fault::invalid_cursor);
        let after = page.after.as_deref().map(parse).transpose()?;
        let wanted = page.limit as usize;
        // Every shard is sorted, so the newest of all are among the newest of each.
        let mut found = Vec::new();
        for shard in 0..due::SHARDS {
            found.extend(self.newest_of_shard(shard, suspended, wanted + 1, after).await?);
        }
        found.sort_by_key(|org| Reverse(org.id));
        let more = found.len() > wanted;
        found.truncate(wanted);
        let next = found.last().filter(|_| more).map(|org| org.id.to_string());
        Ok(Listed { items: found, next, total: None })
    }
}

impl Table {
    /// Reads up to `wanted` organisations of a shard, newest first, that are older than `after`.
    async fn newest_of_shard(
        &self,
        shard: u8,
        suspended: Option<bool>,
        wanted: usize,
        after: Option<OrgId>,
    ) -> Result<Vec<Organisation>, Fault> {
        let mut query = self.partition(Some("gsi2"), format!("ORGS#{shard}")).scan_index_forward(false);
        query = match after {
            None => query.key_condition_expression("#pk = :pk"),
            Some(after) => query
                .key_condition_expression("#pk = :pk AND gsi2sk < :after")
                .expression_attribute_values(":after", text(after.to_string())),
        };
        query = match suspended {
            None => query.limit(i32::try_from(wanted).unwrap_or(i32::MAX)),
            Some(true) => query.filter_expression("attribute_exists(suspended)"),
            Some(false) => query.filter_expression("attribute_not_exists(suspended)"),
        };
        let (mut pages, mut found) = (self.pages(query), Vec::new());
        while found.len() < wanted
            && let Some(items) = pages.next().await?
        {
            for item in items.iter().take(wanted - found.len()) {
                found.push(read_org(item)?);
            }
        }
        Ok(found)
    }
}
