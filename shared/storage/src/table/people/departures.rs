//! The end of memberships whose person's account is closed. An organisation that thereby loses its last owner is
//! suspended.

use aws_sdk_dynamodb::types::{ConditionCheck, Delete};
use consigne_core::Fault;
use consigne_core::idempotency::CommitOutcome;
use consigne_core::orgs::OrgRole;
use consigne_core::ports::{Departure, EndMembership, Succession};

use crate::table::item::text;
use crate::table::people::orgs::member_key;
use crate::table::{Table, audit};

impl EndMembership for Table {
    async fn end_membership(&self, departure: &Departure) -> Result<CommitOutcome, Fault> {
        let Departure { member, succession, audit: entry } = departure;
        let role = |role: OrgRole| text(role.name());
        let leave = Delete::builder()
            .set_key(Some(member_key(member.org, &member.user)))
            .condition_expression("#role = :role")
            .expression_attribute_names("#role", "role")
            .expression_attribute_values(":role", role(member.role));
        let mut writes = vec![self.delete_if(leave)?, self.count_out(member)?, self.put(audit::write(entry))?];
        match succession {
            Succession::Unchanged => {}
            Succession::Owner(owner) => {
                // Of two owners who leave at the same time, one must be treated as the last.
                let stays = ConditionCheck::builder()
                    .set_key(Some(member_key(member.org, owner)))
                    .condition_expression("#role = :owner")
                    .expression_attribute_names("#role", "role")
                    .expression_attribute_values(":owner", role(OrgRole::Owner));
                writes.push(self.check(stays)?);
            }
            Succession::Nobody(suspended) => {
                writes.extend(self.suspension(member.org, true)?);
                writes.push(self.put(audit::write(suspended))?);
            }
        }
        self.commit(writes).await
    }
}
