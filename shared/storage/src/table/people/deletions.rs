//! Deleted organisations. The organisation's item stays as a tombstone, and a record of the deletion is due until
//! everything that the organisation had is ended.

use aws_sdk_dynamodb::types::builders::ConditionCheckBuilder;
use aws_sdk_dynamodb::types::{ConditionCheck, Delete, TransactWriteItem, Update};
use consigne_core::audit::Actor;
use consigne_core::credits::{Wallet, WalletId};
use consigne_core::deletions::{DeletionAsk, DeletionOutcome, OrgDeletion};
use consigne_core::events::Event;
use consigne_core::idempotency::CommitOutcome;
use consigne_core::orgs::{Member, OrgRole};
use consigne_core::ports::{DeleteOrg, DismissMember, EndDeletion, PostponeDeletion};
use consigne_core::{Fault, OrgId, Timestamp, UserId};

use crate::table::credits::wallet_item;
use crate::table::credits::wallets::in_time;
use crate::table::idempotency::TransactionOutcome;
use crate::table::item::{Item, Reader, key, number, org_pk, text};
use crate::table::people::foundations::FOUNDER;
use crate::table::people::orgs::{member_key, org_key};
use crate::table::transact::failed_at;
use crate::table::{Table, due, outbox};

/// Sort key of every deletion.
const SK: &str = "DELETION";
/// Attribute of a deletion, and of a deleted organisation.
pub(crate) const DELETED_AT: &str = "deleted_at";

fn deletion_key(org: OrgId) -> Item {
    key(org_pk(org), SK)
}

fn write(deletion: &OrgDeletion) -> Item {
    let mut item = deletion_key(deletion.org);
    item.insert("name".to_owned(), text(&deletion.name));
    item.insert("actor".to_owned(), text(deletion.actor.to_string()));
    item.insert("credits_lost".to_owned(), number(deletion.credits_lost));
    item.insert(DELETED_AT.to_owned(), number(deletion.deleted_at.as_millis()));
    item.insert(due::SHARD.to_owned(), text(due::shard(&deletion.org.to_string())));
    item.insert(due::AT.to_owned(), number(deletion.due_at.as_millis()));
    item
}

/// Returns whether a due item is a deletion. A malformed one without `deleted_at` is not, so `sweep` reports it as
/// unreadable.
pub(crate) fn is_deletion(item: &Item) -> bool {
    Reader(item).optional_text("sk") == Some(SK) && item.contains_key(DELETED_AT)
}

/// Reads a deletion from its item.
pub(crate) fn read(item: &Item) -> Result<OrgDeletion, Fault> {
    let reader = Reader(item);
    Ok(OrgDeletion {
        org: reader.parsed("pk", |pk| OrgId::parse(pk.strip_prefix("ORG#")?))?,
        name: reader.text("name")?.to_owned(),
        actor: reader.parsed("actor", Actor::parse)?,
        credits_lost: reader.number("credits_lost")?,
        deleted_at: reader.time(DELETED_AT)?,
        due_at: reader.time(due::AT)?,
    })
}

/// Checks that a person owns an organisation.
fn owns(org: OrgId, owner: &UserId) -> ConditionCheckBuilder {
    ConditionCheck::builder()
        .set_key(Some(member_key(org, owner)))
        .condition_expression("#role = :owner")
        .expression_attribute_names("#role", "role")
        .expression_attribute_values(":owner", text(OrgRole::Owner.name()))
}

impl DeleteOrg for Table {
    async fn delete_org(&self, ask: &DeletionAsk) -> Result<DeletionOutcome, Fault> {
        let owner = ask.owner()?;
        loop {
            let org = self.get(org_key(ask.org)).await?.filter(|org| !org.contains_key(DELETED_AT));
            let (Some(org), Some(wallet)) = (org, self.wallet_to_change(ask.org, ask.now).await?) else {
                return Ok(DeletionOutcome::NotFound);
            };
            if wallet.held > 0 {
                return Ok(DeletionOutcome::HoldsOpen);
            }
            let founder = Reader(&org).optional_parsed(FOUNDER, UserId::parse)?;
            let deletion = ask.deletion(&wallet);
            let mut writes = self.deletion_writes(ask, &deletion, &wallet, founder.as_ref())?;
            let ownership = writes.len();
            if let Some(owner) = owner {
                writes.push(self.check(owns(ask.org, owner))?);
            }
            match self.transact_action(&ask.audit(&deletion), writes, None).await? {
                TransactionOutcome::Written(_) => return Ok(DeletionOutcome::Deleted(deletion)),
                TransactionOutcome::Refused(failed) if failed_at(&failed, ownership).is_some() => {
                    return Ok(DeletionOutcome::NotFound);
                }
                // The organisation or its wallet has changed since they were read.
                TransactionOutcome::Refused(_) => in_time()?,
            }
        }
    }
}

impl Table {
    fn deletion_writes(
        &self,
        ask: &DeletionAsk,
        deletion: &OrgDeletion,
        wallet: &Wallet,
        founder: Option<&UserId>,
    ) -> Result<Vec<TransactWriteItem>, Fault> {
        // It also counts as suspended, because charges of test keys check that. Without index keys no walk finds it.
        let mut end = Update::builder()
            .set_key(Some(org_key(ask.org)))
            .update_expression(format!("SET {DELETED_AT} = :now, suspended = :yes REMOVE gsi2pk, gsi2sk"))
            .expression_attribute_values(":now", number(ask.now.as_millis()))
            .expression_attribute_values(":yes", text("yes"));
        let living = format!("attribute_exists(pk) AND attribute_not_exists({DELETED_AT})");
        end = match founder {
            None => end.condition_expression(format!("{living} AND attribute_not_exists({FOUNDER})")),
            Some(founder) => end
                .condition_expression(format!("{living} AND {FOUNDER} = :founder"))
                .expression_attribute_values(":founder", text(founder.as_str())),
        };
        // All production keys are charged to this wallet. So closing it refuses all of them at once.
        let close = Update::builder()
            .set_key(Some(wallet_item::wallet_key(&WalletId::Organisation(ask.org))))
            .update_expression(format!(
                "SET wallet_status = :closed, {} = :yes, revision = :next",
                wallet_item::DELETED
            ))
            .condition_expression("revision = :seen AND balance = :balance AND held = :none")
            .expression_attribute_values(":closed", text(wallet_item::status(false)))
            .expression_attribute_values(":yes", text("yes"))
            .expression_attribute_values(":next", number(wallet.revision + 1))
            .expression_attribute_values(":seen", number(wallet.revision))
            .expression_attribute_values(":balance", number(wallet.balance))
            .expression_attribute_values(":none", number(0));
        let mut writes = vec![self.update(end)?, self.update(close)?, self.put(write(deletion))?];
        writes.extend(self.audited(&ask.audit(deletion))?);
        if let Some(founder) = founder {
            writes.push(self.unfound_one(founder)?);
        }
        Ok(writes)
    }
}

impl DismissMember for Table {
    async fn dismiss_member(&self, member: &Member, event: &Event) -> Result<CommitOutcome, Fault> {
        let leave = Delete::builder()
            .set_key(Some(member_key(member.org, &member.user)))
            .condition_expression("attribute_exists(pk)");
        self.commit(vec![self.delete_if(leave)?, self.put(outbox::write(event))?]).await
    }
}

impl PostponeDeletion for Table {
    async fn postpone_deletion(&self, deletion: &OrgDeletion, until: Timestamp) -> Result<(), Fault> {
        self.postpone(deletion_key(deletion.org), until).await
    }
}

impl EndDeletion for Table {
    async fn end_deletion(&self, org: OrgId) -> Result<(), Fault> {
        self.delete(deletion_key(org)).await
    }
}
