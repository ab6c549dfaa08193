//! Walks through the ledgers of all users. They are listed in an index that contains only keys, so that a ledger costs
//! an index write only when it is created.

use aws_sdk_dynamodb::operation::query::QueryInput;
use consigne_core::ports::{GetLedgers, WalkLedgers};
use consigne_core::stats::Ledger;
use consigne_core::{Fault, UserId};

use crate::table::files::ledger_item;
use crate::table::item::{Item, text};
use crate::table::{Table, due};

/// Name of the index. Its sort key is the table's partition key.
///
/// Source: <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html>, "Index projections": an update
/// that changes no projected attribute writes nothing to an index.
pub(crate) const INDEX: &str = "ledgers";
/// Ledgers in one page: the maximum of one `BatchGetItem`.
const PAGE: i32 = 100;

/// Returns the shard in which a user's ledger is listed.
pub(crate) fn shard(owner: &UserId) -> String {
    of_shard(due::shard_of(owner.as_str()))
}

pub(crate) fn of_shard(shard: u8) -> String {
    format!("LEDGERS#{shard}")
}

/// A position in a walk: a shard, and the last user that was read in it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Place {
    shard: u8,
    user: Option<UserId>,
}

impl Place {
    fn encode(&self) -> String {
        format!("{}:{}", self.shard, self.user.as_ref().map_or("", UserId::as_str))
    }

    fn parse(text: &str) -> Option<Self> {
        let (shard, user) = text.split_once(':')?;
        let user = if user.is_empty() { None } else { Some(UserId::parse(user)?) };
        Some(Self { shard: shard.parse().ok().filter(|shard| *shard < due::SHARDS)?, user })
    }

    /// Returns the exclusive start key of the next page.
    fn start(&self) -> Option<Item> {
        let mut key = ledger_item::key(self.user.as_ref()?);
        key.insert("ledger_shard".to_owned(), text(of_shard(self.shard)));
        Some(key)
    }

    /// Returns the position after a page: after its last user `last`, or at the start of the next shard if the page was
    /// the shard's last. `None` at the end of the walk.
    fn next(&self, last: Option<UserId>) -> Option<Self> {
        match last {
            Some(user) => Some(Self { shard: self.shard, user: Some(user) }),
            None if self.shard + 1 < due::SHARDS => Some(Self { shard: self.shard + 1, user: None }),
            None => None,
        }
    }
}

impl WalkLedgers for Table {
    async fn walk_ledgers(&self, after: Option<&str>) -> Result<(Vec<Ledger>, Option<String>), Fault> {
        let place = match after {
            Some(text) => Place::parse(text).ok_or_else(|| Fault::internal("the position of a walk is malformed"))?,
            None => Place::default(),
        };
        let query = QueryInput::builder()
            .table_name(&self.name)
            .index_name(INDEX)
            .key_condition_expression("ledger_shard = :shard")
            .expression_attribute_values(":shard", text(of_shard(place.shard)))
            .limit(PAGE)
            .set_exclusive_start_key(place.start());
        let page = self.client.send(query).await.map_err(Fault::unavailable)?;
        let owners = page.items().iter().map(ledger_item::owner).collect::<Result<Vec<_>, _>>()?;
        let keys: Vec<Item> = owners.iter().map(ledger_item::key).collect();
        // An eventually consistent read is enough, because the totals of a night are not those of an exact moment.
        let found = self.batch_get(&keys, false).await?;
        // One unreadable ledger must not keep the others from being counted.
        let ledgers = found.iter().filter_map(|item| ledger_item::read_ledger(item).ok()).collect();
        let last = page.last_evaluated_key.as_ref().map(ledger_item::owner).transpose()?;
        Ok((ledgers, place.next(last).map(|place| place.encode())))
    }
}

impl GetLedgers for Table {
    async fn get_ledgers(&self, owners: &[UserId]) -> Result<Vec<Ledger>, Fault> {
        let keys: Vec<Item> = owners.iter().map(ledger_item::key).collect();
        let found = self.batch_get(&keys, false).await?;
        // A ledger without a plan was never granted an upload.
        found.iter().filter(|item| item.contains_key("granted_plan")).map(ledger_item::read_ledger).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_reads_back_and_a_walk_visits_every_shard() {
        let user = UserId::parse("user_ann1").unwrap();
        let mut place = Place::default();
        let mut shards = Vec::new();
        loop {
            shards.push(place.shard);
            let within = place.next(Some(user.clone())).unwrap();
            assert_eq!(Place::parse(&within.encode()), Some(within));
            let Some(next) = place.next(None) else { break };
            assert_eq!(Place::parse(&next.encode()).as_ref(), Some(&next));
            place = next;
        }
        assert_eq!(shards, (0..due::SHARDS).collect::<Vec<_>>());
        for bad in ["", "x", "9:", "1", "1:nobody", "-1:"] {
            assert_eq!(Place::parse(bad), None, "{bad}");
        }
    }
}
