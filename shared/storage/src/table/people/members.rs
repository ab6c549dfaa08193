//! Memberships: joining, changing a role and leaving, with the counts of members and owners.
//!
//! The counts are in an item of their own, the roster, which changes in the transaction of the membership. An
//! organisation without a roster has one member, its owner. The counts are not in the organisation's item: every charge
//! of a test key checks that item, and would conflict with each change of the counts.

use aws_sdk_dynamodb::types::{Delete, TransactWriteItem, Update};
use consigne_core::audit::AuditEntry;
use consigne_core::members::{MEMBERS_MAX, Removal, RoleStep, Stepped, full, new_payer};
use consigne_core::orgs::{Member, OrgRole};
use consigne_core::ports::{ChangeRole, PutMember, RemoveMember};
use consigne_core::{Code, Fault, OrgId};

use crate::table::Table;
use crate::table::idempotency::TransactionOutcome;
use crate::table::item::{Item, Reader, key, number, org_pk, text};
use crate::table::people::orgs::{member_key, read_member, write_member};
use crate::table::transact::{Outcome, failed_at};

/// Attribute of the roster with the number of members; 1 if it is missing.
const MEMBERS: &str = "member_count";
/// Attribute of the roster with the number of owners; 1 if it is missing.
const OWNERS: &str = "owner_count";

pub(crate) fn roster_key(org: OrgId) -> Item {
    key(org_pk(org), "ROSTER")
}

/// Reads the number of members from a roster, which may be empty.
pub(crate) fn member_count(roster: &Item) -> u32 {
    Reader(roster).optional_number(MEMBERS).unwrap_or(1)
}

impl PutMember for Table {
    async fn put_member(&self, member: &Member, entry: &AuditEntry) -> Result<(), Fault> {
        let [membership, count] = self.join(member)?;
        let mut writes = vec![membership, count];
        writes.extend(self.audited(entry)?);
        match self.transact(writes).await? {
            Outcome::Committed => Ok(()),
            Outcome::Refused(failed) if failed_at(&failed, 0).is_some() => {
                Err(Fault::new(Code::Conflict, "This person is already a member"))
            }
            Outcome::Refused(_) => Err(full()),
        }
    }
}

impl ChangeRole for Table {
    async fn change_role(&self, step: &RoleStep) -> Result<Stepped, Fault> {
        let seen = &step.seen;
        let membership = Update::builder()
            .set_key(Some(member_key(seen.org, &seen.user)))
            .update_expression("SET #role = :role")
            .condition_expression("#role = :seen")
            .expression_attribute_names("#role", "role")
            .expression_attribute_values(":role", text(step.role.name()))
            .expression_attribute_values(":seen", text(seen.role.name()));
        let owners = i32::from(step.role == OrgRole::Owner) - i32::from(seen.role == OrgRole::Owner);
        self.step(self.update(membership)?, self.count(seen.org, 0, owners)?, &step.audit).await
    }
}

impl RemoveMember for Table {
    async fn remove_member(&self, removal: &Removal) -> Result<Stepped, Fault> {
        let seen = &removal.seen;
        let membership = Delete::builder()
            .table_name(&self.name)
            .set_key(Some(member_key(seen.org, &seen.user)))
            .condition_expression("#role = :seen")
            .expression_attribute_names("#role", "role")
            .expression_attribute_values(":seen", text(seen.role.name()))
            .build()
            .map_err(Fault::internal)?;
        let membership = TransactWriteItem::builder().delete(membership).build();
        let owners = -i32::from(seen.role == OrgRole::Owner);
        self.step(membership, self.count(seen.org, -1, owners)?, &removal.audit).await
    }
}

impl Table {
    /// Returns the two writes of a new membership: the membership and the counts.
    pub(crate) fn join(&self, member: &Member) -> Result<[TransactWriteItem; 2], Fault> {
        let owners = i32::from(member.role == OrgRole::Owner);
        let count = self
            .count(member.org, 1, owners)?
            .ok_or_else(|| Fault::internal("the roster does not count a new member"))?;
        Ok([self.put_new(write_member(member))?, count])
    }

    /// Returns the write that changes the counts, or `None` if none changes. Its condition is that the organisation has
    /// at most [`MEMBERS_MAX`] members and at least one owner afterwards.
    fn count(&self, org: OrgId, members: i32, owners: i32) -> Result<Option<TransactWriteItem>, Fault> {
        let (mut sets, mut conditions) = (Vec::new(), Vec::new());
        let mut update = Update::builder().set_key(Some(roster_key(org)));
        for (name, change) in [(MEMBERS, members), (OWNERS, owners)].into_iter().filter(|(_, change)| *change != 0) {
            sets.push(format!("{name} = if_not_exists({name}, :one) + :{name}"));
            update = update.expression_attribute_values(format!(":{name}"), number(change));
        }
        if sets.is_empty() {
            return Ok(None);
        }
        if members > 0 {
            conditions.push(format!("(attribute_not_exists({MEMBERS}) OR {MEMBERS} < :most)"));
            update = update.expression_attribute_values(":most", number(MEMBERS_MAX));
        }
        if owners < 0 {
            conditions.push(format!("{OWNERS} > :one"));
        }
        update = update
            .update_expression(format!("SET {}", sets.join(", ")))
            .expression_attribute_values(":one", number(1))
            .set_condition_expression((!conditions.is_empty()).then(|| conditions.join(" AND ")));
        self.update(update).map(Some)
    }

    /// Returns the write that removes a member whose account is closed from the counts. It has no condition, because an
    /// account is closed even if the organisation loses its last owner.
    pub(crate) fn count_out(&self, member: &Member) -> Result<TransactWriteItem, Fault> {
        let owners = i32::from(member.role == OrgRole::Owner);
        let update = Update::builder()
            .set_key(Some(roster_key(member.org)))
            .update_expression(format!(
                "SET {MEMBERS} = if_not_exists({MEMBERS}, :one) - :one, {OWNERS} = if_not_exists({OWNERS}, :one) - :owners"
            ))
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":owners", number(owners));
        self.update(update)
    }

    /// Applies the change of a membership together with the change of the counts.
    async fn step(
        &self,
        membership: TransactWriteItem,
        count: Option<TransactWriteItem>,
        entry: &AuditEntry,
    ) -> Result<Stepped, Fault> {
        let mut writes = vec![membership];
        writes.extend(count);
        writes.extend(self.audited(entry)?);
        match self.transact_action(entry, writes, None).await? {
            TransactionOutcome::Written(_) => Ok(Stepped::Done),
            TransactionOutcome::Refused(failed) if failed_at(&failed, 0).is_some() => Ok(Stepped::Conflict),
            TransactionOutcome::Refused(_) => Ok(Stepped::LastOwner),
        }
    }

    /// Finds the owner whose test wallet pays after a payer has left. Returns `None` if no owner is left.
    pub(crate) async fn new_payer(&self, org: OrgId) -> Result<Option<Member>, Fault> {
        let query = self
            .partition(None, org_pk(org))
            .key_condition_expression("#pk = :pk AND begins_with(sk, :member)")
            .filter_expression("#role = :owner")
            .expression_attribute_names("#role", "role")
            .expression_attribute_values(":member", text("MEMBER#"))
            .expression_attribute_values(":owner", text(OrgRole::Owner.name()));
        let (owners, _) = self.entries(None, &query, MEMBERS_MAX, None, read_member).await?;
        Ok(new_payer(&owners).cloned())
    }
}
