//! Foundations: the organisations that a person has founded and that still exist, which their plan limits.
//!
//! The count is an item of the founder. The organisation's item names its founder, so that its deletion lowers the right
//! count. Organisations that are older than the count name none. The founder's first foundation afterwards finds them
//! among their memberships: a founder joined at the moment of the creation.

use aws_sdk_dynamodb::types::{TransactWriteItem, Update};
use consigne_core::orgs::Member;
use consigne_core::{Fault, Plan, UserId};

use crate::table::Table;
use crate::table::item::{Item, key, number, text, user_pk};
use crate::table::people::orgs::{org_key, orgs_of, read_member};

/// Attribute of the count.
pub(crate) const FOUNDED: &str = "orgs";
/// Attribute that says that organisations older than the count are in it.
pub(crate) const COUNTED: &str = "counted";
/// Attribute of an organisation with the id of its founder.
pub(crate) const FOUNDER: &str = "founder";

fn count_key(founder: &UserId) -> Item {
    key(user_pk(founder), "FOUNDED")
}

impl Table {
    /// Returns the write that counts one more organisation, on condition that the plan allows it and that older
    /// organisations are counted.
    pub(crate) fn found_one(&self, founder: &UserId, plan: Plan) -> Result<TransactWriteItem, Fault> {
        let update = Update::builder()
            .set_key(Some(count_key(founder)))
            .update_expression(format!("ADD {FOUNDED} :one"))
            .condition_expression(format!(
                "attribute_exists({COUNTED}) AND (attribute_not_exists({FOUNDED}) OR {FOUNDED} < :most)"
            ))
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":most", number(plan.allowances().organisations));
        self.update(update)
    }

    /// Returns the write that counts one organisation less.
    pub(crate) fn unfound_one(&self, founder: &UserId) -> Result<TransactWriteItem, Fault> {
        let update = Update::builder()
            .set_key(Some(count_key(founder)))
            .update_expression(format!("ADD {FOUNDED} :back"))
            .expression_attribute_values(":back", number(-1));
        self.update(update)
    }

    /// Counts the organisations that a person founded before there was a count. Each is counted in the transaction that
    /// names its founder, so it is counted once, even if this is cut short and repeated.
    pub(crate) async fn count_older_foundations(&self, founder: &UserId) -> Result<(), Fault> {
        let query = self.partition(Some("gsi1"), orgs_of(founder)).key_condition_expression("#pk = :pk");
        for item in self.all(query).await? {
            self.count_older_foundation(&read_member(&item)?).await?;
        }
        let done = Update::builder()
            .set_key(Some(count_key(founder)))
            .update_expression(format!("SET {COUNTED} = :yes"))
            .expression_attribute_values(":yes", text("yes"));
        self.transact(vec![self.update(done)?]).await.map(drop)
    }

    async fn count_older_foundation(&self, member: &Member) -> Result<(), Fault> {
        let claim = Update::builder()
            .set_key(Some(org_key(member.org)))
            .update_expression(format!("SET {FOUNDER} = :founder"))
            .condition_expression(format!(
                "created_at = :joined AND attribute_not_exists({FOUNDER}) AND attribute_not_exists(deleted_at)"
            ))
            .expression_attribute_values(":founder", text(member.user.as_str()))
            .expression_attribute_values(":joined", number(member.joined_at.as_millis()));
        let count = Update::builder()
            .set_key(Some(count_key(&member.user)))
            .update_expression(format!("ADD {FOUNDED} :one"))
            .expression_attribute_values(":one", number(1));
        // A failed condition means that somebody else founded it, or that it is counted.
        self.transact(vec![self.update(claim)?, self.update(count)?]).await.map(drop)
    }
}
