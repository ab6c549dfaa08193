//! Organisations and their members.

use aws_sdk_dynamodb::types::{TransactWriteItem, Update};
use consigne_core::anomalies::OnAnomaly;
use consigne_core::audit::AuditEntry;
use consigne_core::idempotency::WriteOutcome;
use consigne_core::orgs::{Member, OrgRole, Organisation, too_many_organisations};
use consigne_core::ports::{
    CreateOrg, GetMember, GetOrg, ListMembers, ListOrgs, Listed, NewOrg, PageAsk, RenameOrg, SuspendOrg,
};
use consigne_core::{Fault, OrgId, UserId};

use crate::table::credits::wallet_item;
use crate::table::credits::wallets::in_time;
use crate::table::idempotency::TransactionOutcome;
use crate::table::item::{Item, Reader, add, key, number, org_pk, text};
use crate::table::people::deletions::DELETED_AT;
use crate::table::people::foundations::{COUNTED, FOUNDER};
use crate::table::people::org_walk;
use crate::table::transact::{Outcome, failed_at};
use crate::table::{Table, audit};

/// Sort key of every organisation.
pub(crate) const ORG: &str = "ORG";

pub(crate) fn org_key(org: OrgId) -> Item {
    key(org_pk(org), ORG)
}

pub(crate) fn write_org(org: &Organisation) -> Item {
    let mut item = org_key(org.id);
    item.insert("name".to_owned(), text(&org.name));
    item.insert("slug".to_owned(), text(&org.slug));
    item.insert("created_at".to_owned(), number(org.created_at.as_millis()));
    item.insert("on_anomaly".to_owned(), text(org.on_anomaly.name()));
    add(&mut item, "suspended", org.suspended.then(|| text("yes")));
    item.extend(org_walk::index_keys(org.id));
    item
}

pub(crate) fn read_org(item: &Item) -> Result<Organisation, Fault> {
    let reader = Reader(item);
    Ok(Organisation {
        id: reader.parsed("pk", |pk| OrgId::parse(pk.strip_prefix("ORG#")?))?,
        name: reader.text("name")?.to_owned(),
        slug: reader.text("slug")?.to_owned(),
        created_at: reader.time("created_at")?,
        suspended: reader.optional_text("suspended").is_some(),
        on_anomaly: reader.optional_parsed("on_anomaly", OnAnomaly::from_name)?.unwrap_or_default(),
    })
}

pub(crate) fn member_key(org: OrgId, user: &UserId) -> Item {
    key(org_pk(org), format!("MEMBER#{user}"))
}

pub(crate) fn write_member(member: &Member) -> Item {
    let mut item = member_key(member.org, &member.user);
    item.insert("role".to_owned(), text(member.role.name()));
    item.insert("joined_at".to_owned(), number(member.joined_at.as_millis()));
    item.insert("gsi1pk".to_owned(), text(orgs_of(&member.user)));
    item.insert("gsi1sk".to_owned(), text(member.org.to_string()));
    item
}

pub(crate) fn read_member(item: &Item) -> Result<Member, Fault> {
    let reader = Reader(item);
    Ok(Member {
        org: reader.parsed("pk", |pk| OrgId::parse(pk.strip_prefix("ORG#")?))?,
        user: reader.parsed("sk", |sk| UserId::parse(sk.strip_prefix("MEMBER#")?))?,
        role: reader.parsed("role", OrgRole::from_name)?,
        joined_at: reader.time("joined_at")?,
    })
}

pub(crate) fn orgs_of(user: &UserId) -> String {
    format!("USER#{user}#ORGS")
}

impl CreateOrg for Table {
    async fn create_org(&self, new: &NewOrg) -> Result<WriteOutcome, Fault> {
        let founder = &new.owner.user;
        loop {
            let mut org = write_org(&new.org);
            add(&mut org, FOUNDER, new.plan.map(|_| text(founder.as_str())));
            let mut writes = vec![
                self.put_new(org)?,
                self.put_new(write_member(&new.owner))?,
                self.put_new(wallet_item::write(&new.wallet))?,
                self.put(audit::write(&new.audit))?,
            ];
            writes.push(self.seen_or_open(founder, new.seen.as_ref())?);
            let foundation = new.plan.map(|_| writes.len());
            if let Some(plan) = new.plan {
                writes.push(self.found_one(founder, plan)?);
            }
            let failed = match self.transact_action(&new.audit, writes, new.idempotent.as_ref()).await? {
                TransactionOutcome::Written(written) => return Ok(written),
                TransactionOutcome::Refused(failed) => failed,
            };
            let Some((plan, count)) = new.plan.zip(foundation.and_then(|at| failed_at(&failed, at))) else {
                return Err(Fault::internal("an organisation with this id exists, or existed and was deleted"));
            };
            if count.contains_key(COUNTED) {
                return Err(too_many_organisations(plan));
            }
            self.count_older_foundations(founder).await?;
            in_time()?;
        }
    }
}

impl GetOrg for Table {
    async fn get_org(&self, org: OrgId) -> Result<Option<Organisation>, Fault> {
        let found = self.get(org_key(org)).await?;
        found.as_ref().filter(|item| !item.contains_key(DELETED_AT)).map(read_org).transpose()
    }
}

impl RenameOrg for Table {
    async fn rename_org(&self, org: OrgId, name: &str, entry: &AuditEntry) -> Result<bool, Fault> {
        let rename = Update::builder()
            .set_key(Some(org_key(org)))
            .update_expression("SET #name = :name")
            .condition_expression("attribute_exists(pk) AND attribute_not_exists(deleted_at)")
            .expression_attribute_names("#name", "name")
            .expression_attribute_values(":name", text(name));
        let mut writes = vec![self.update(rename)?];
        writes.extend(self.audited(entry)?);
        Ok(matches!(self.transact_action(entry, writes, None).await?, TransactionOutcome::Written(_)))
    }
}

/// Returns the condition on which an organisation exists and is not yet in the wanted state.
const fn changes(suspended: bool) -> &'static str {
    if suspended {
        "attribute_exists(pk) AND attribute_not_exists(suspended)"
    } else {
        // A deleted organisation counts as suspended, and cannot be resumed.
        "attribute_exists(suspended) AND attribute_not_exists(deleted_at)"
    }
}

impl SuspendOrg for Table {
    async fn suspend_org(&self, org: OrgId, suspended: bool, entry: &AuditEntry) -> Result<bool, Fault> {
        loop {
            let mut writes = self.suspension_if(org, suspended, changes(suspended))?.to_vec();
            writes.push(self.put(audit::write(entry))?);
            let Outcome::Refused(_) = self.transact(writes).await? else { return Ok(true) };
            match self.get_org(org).await? {
                None => return Ok(false),
                Some(found) if found.suspended == suspended => return Ok(true),
                // Somebody else changed it in between.
                Some(_) => in_time()?,
            }
        }
    }
}

impl Table {
    /// Returns the writes that suspend an organisation or resume it, on condition that it exists.
    pub(crate) fn suspension(&self, org: OrgId, suspended: bool) -> Result<[TransactWriteItem; 2], Fault> {
        self.suspension_if(org, suspended, "attribute_exists(pk)")
    }

    /// Returns the same writes on another condition of the organisation's item.
    fn suspension_if(&self, org: OrgId, suspended: bool, condition: &str) -> Result<[TransactWriteItem; 2], Fault> {
        let mark = if suspended { "SET suspended = :yes" } else { "REMOVE suspended" };
        let mut stop =
            Update::builder().set_key(Some(org_key(org))).update_expression(mark).condition_expression(condition);
        if suspended {
            stop = stop.expression_attribute_values(":yes", text("yes"));
        }
        // All production keys are charged to this wallet. So closing it refuses all of them at once.
        let close = Update::builder()
            .set_key(Some(key(org_pk(org), wallet_item::WALLET)))
            .update_expression("SET wallet_status = :status")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_values(":status", text(wallet_item::status(!suspended)));
        Ok([self.update(stop)?, self.update(close)?])
    }
}

impl GetMember for Table {
    async fn get_member(&self, org: OrgId, user: &UserId) -> Result<Option<Member>, Fault> {
        self.get(member_key(org, user)).await?.as_ref().map(read_member).transpose()
    }
}

impl ListMembers for Table {
    async fn list_members(&self, org: OrgId, page: &PageAsk) -> Result<Listed<Member>, Fault> {
        let query = self
            .partition(None, org_pk(org))
            .key_condition_expression("#pk = :pk AND begins_with(sk, :member)")
            .expression_attribute_values(":member", text("MEMBER#"));
        self.page(None, query, page, read_member).await
    }
}

impl ListOrgs for Table {
    async fn list_orgs(&self, user: &UserId, page: &PageAsk) -> Result<Listed<(Organisation, Member)>, Fault> {
        let query = self.partition(Some("gsi1"), orgs_of(user)).key_condition_expression("#pk = :pk");
        let memberships = self.page(Some("gsi1"), query, page, read_member).await?;
        let keys: Vec<Item> = memberships.items.iter().map(|member| org_key(member.org)).collect();
        let orgs = self.batch_get(&keys, false).await?;
        let living = orgs.iter().filter(|item| !item.contains_key(DELETED_AT));
        let orgs = living.map(read_org).collect::<Result<Vec<_>, _>>()?;
        let pair = |member: Member| {
            let org = orgs.iter().find(|org| org.id == member.org)?.clone();
            Some((org, member))
        };
        Ok(Listed {
            items: memberships.items.into_iter().filter_map(pair).collect(),
            next: memberships.next,
            total: memberships.total,
        })
    }
}
