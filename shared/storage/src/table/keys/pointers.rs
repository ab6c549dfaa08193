//! Pointers from the MAC of a key's text to the key, and the peppers of those MACs.

use std::time::Duration;

use aws_sdk_dynamodb::types::{ConditionCheck, TransactWriteItem, Update};
use consigne_core::audit::AuditEntry;
use consigne_core::keys::{ApiKey, Ask, KeyFacts, KeyMode, Pointer};
use consigne_core::ports::{FindKey, GetKey, KeepPeppers, Repoint};
use consigne_core::{Fault, KeyId, OrgId, Timestamp, UserId};

use crate::table::audit::SYSTEM;
use crate::table::item::{Item, Reader, add, key, number, text};
use crate::table::transact::{Outcome, failed_at};
use crate::table::{Table, audit};

/// How long a replaced pointer of the older installation is kept. A read of several items is not a snapshot. One that
/// reads both pointers during the replacement must find at least one.
const REPLACED_KEPT: Duration = Duration::from_hours(24);

fn pointer_key(pointer: &Pointer) -> Item {
    if pointer.is_hashed() {
        return key(format!("SHA#{}", pointer.mac), "SHA");
    }
    key(format!("MAC#{}#{}", pointer.pepper, pointer.mac), "MAC")
}

fn pepper_partition(version: u32) -> String {
    format!("PEPPER#{version}")
}

fn pepper_key(version: u32) -> Item {
    key(SYSTEM, format!("PEPPER#{version}"))
}

/// Builds the item of a pointer. Its entry in `gsi2` shows that the key needs this pepper, and is removed once the key
/// has a newer pointer. The other attributes never change.
pub(crate) fn write(pointer: &Pointer, facts: &KeyFacts) -> Item {
    let mut item = pointer_key(pointer);
    item.insert("org".to_owned(), text(facts.org.to_string()));
    item.insert("key_id".to_owned(), text(facts.id.to_string()));
    item.insert("environment".to_owned(), text(facts.environment.name()));
    item.insert("generation".to_owned(), number(facts.generation));
    add(&mut item, "spender", facts.spender.as_ref().map(|user| text(user.as_str())));
    item.insert("gsi2pk".to_owned(), text(pepper_partition(pointer.pepper)));
    item.insert("gsi2sk".to_owned(), text(format!("{}#{}#{}", facts.org, facts.id, facts.generation)));
    item
}

fn read(item: &Item) -> Result<KeyFacts, Fault> {
    let reader = Reader(item);
    Ok(KeyFacts {
        org: reader.parsed("org", OrgId::parse)?,
        id: reader.parsed("key_id", KeyId::parse)?,
        environment: reader.parsed("environment", KeyMode::from_name)?,
        generation: reader.number("generation")?,
        spender: reader.optional_parsed("spender", UserId::parse)?,
    })
}

impl FindKey for Table {
    async fn find_key(&self, pointers: &[Pointer]) -> Result<Option<(Pointer, KeyFacts)>, Fault> {
        // The read must be consistent, because a key must be accepted as soon as it is issued.
        let found = self.batch_get(&pointers.iter().map(pointer_key).collect::<Vec<_>>(), true).await?;
        for pointer in pointers {
            let own = pointer_key(pointer);
            if let Some(item) = found.iter().find(|item| item.get("pk") == own.get("pk")) {
                return Ok(Some((pointer.clone(), read(item)?)));
            }
        }
        Ok(None)
    }
}

impl Repoint for Table {
    async fn repoint(&self, old: &Pointer, new: &Pointer, facts: &KeyFacts, now: Timestamp) -> Result<(), Fault> {
        let mut found = Update::builder()
            .set_key(Some(pointer_key(old)))
            .update_expression("REMOVE gsi2pk, gsi2sk")
            // Do nothing for a pointer that was replaced before, perhaps with a newer pepper than this one.
            .condition_expression("attribute_exists(gsi2pk)");
        if old.is_hashed() {
            found = found
                .update_expression("SET #ttl = :gone REMOVE gsi2pk, gsi2sk")
                .expression_attribute_names("#ttl", "ttl")
                .expression_attribute_values(":gone", number(now.plus(REPLACED_KEPT).as_secs()));
        }
        let writes = vec![self.put(write(new, facts))?, self.update(found)?, self.require_open_pepper(new.pepper)?];
        match self.transact(writes).await? {
            Outcome::Refused(failed) if failed_at(&failed, 2).is_some() => {
                Err(Fault::unavailable("the pepper was retired meanwhile"))
            }
            Outcome::Committed | Outcome::Refused(_) => Ok(()),
        }
    }
}

impl Table {
    /// Returns the check that a pepper is not closed, so that new pointers can use it.
    pub(crate) fn require_open_pepper(&self, version: u32) -> Result<TransactWriteItem, Fault> {
        self.check(
            ConditionCheck::builder()
                .set_key(Some(pepper_key(version)))
                .condition_expression("attribute_not_exists(closed)"),
        )
    }
}

/// Number of pointers that one query reads.
const NEEDS_PAGE: u32 = 500;

impl KeepPeppers for Table {
    async fn list_pepper_needs(&self, version: u32, now: Timestamp) -> Result<Vec<ApiKey>, Fault> {
        let (mut needing, mut start) = (Vec::new(), None);
        loop {
            let query = self.partition(Some("gsi2"), pepper_partition(version)).key_condition_expression("#pk = :pk");
            let (found, more) = self.entries(Some("gsi2"), &query, NEEDS_PAGE, start, read).await?;
            for facts in found {
                let key = self.get_key(facts.org, facts.id).await?;
                let ask = Ask { generation: facts.generation, scope: None, now };
                // Expired keys count, because their expiry can be changed, and suspended keys, because they can be
                // resumed.
                needing.extend(key.filter(|key| key.status.is_live() && key.accepts_text(&ask)));
            }
            if more.is_none() {
                return Ok(needing);
            }
            start = more;
        }
    }

    async fn record_pepper(&self, version: u32, closed: bool, entry: &AuditEntry) -> Result<(), Fault> {
        let mut item = pepper_key(version);
        add(&mut item, "closed", closed.then(|| text("yes")));
        let writes = vec![self.put(item)?, self.put(audit::write(entry))?];
        self.transact(writes).await.map(drop)
    }
}
