//! Invitations: sending them within the limits, revoking and accepting them.
//!
//! The limits are checked by counting the invitations of the last days, of which there are few. A stored count would
//! have to be changed whenever an invitation expires. Two concurrent requests must not both rely on the same count. So
//! each new invitation increments a counter in the roster, on condition that the counter has not changed since it was
//! read.

use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use aws_sdk_dynamodb::types::{ConditionCheck, TransactWriteItem, Update};
use consigne_aws::Backoff;
use consigne_core::audit::AuditEntry;
use consigne_core::idempotency::WriteOutcome;
use consigne_core::invitations::{INVITER_DAILY_MAX, Invitation, InvitationStatus, REMEMBERED, inviter_exhausted};
use consigne_core::orgs::OrgRole;
use consigne_core::periods::Day;
use consigne_core::ports::{
    AcceptInvitation, Acceptance, Accepted, CreateInvitation, GetIdempotencyRecord, GetInvitation, ListInvitations,
    Listed, NewInvitation, PageAsk, RevokeInvitation,
};
use consigne_core::{EmailAddress, Fault, InvitationId, OrgId, Timestamp, UserId};

use crate::table::idempotency::TransactionOutcome;
use crate::table::item::{Item, Reader, add, count_one, key, malformed, number, org_pk, text, user_pk};
use crate::table::outbox;
use crate::table::people::members::{member_count, roster_key};
use crate::table::people::orgs::{member_key, org_key};
use crate::table::transact::failed_at;
use crate::table::{Table, audit};

/// Attribute of the roster that counts all invitations ever sent.
const SENT: &str = "invitations_sent";
/// Index of the inviter's count in the transaction that sends an invitation.
const INVITER: usize = 3;
/// Number of invitations that are read to check the limits: the newest. It is more than twice what the limits allow,
/// because DynamoDB may delete expired items days late.
const CHECKED_MAX: u32 = 1_000;

fn invitation_key(org: OrgId, id: InvitationId) -> Item {
    key(org_pk(org), format!("INVITATION#{id}"))
}

pub(crate) fn write(invitation: &Invitation) -> Item {
    let mut item = invitation_key(invitation.org, invitation.id);
    item.insert("email".to_owned(), text(invitation.email.as_str()));
    item.insert("role".to_owned(), text(invitation.role.name()));
    item.insert("invited_by".to_owned(), text(invitation.invited_by.as_str()));
    item.insert("created_at".to_owned(), number(invitation.created_at.as_millis()));
    item.insert("expires_at".to_owned(), number(invitation.expires_at.as_millis()));
    item.insert("invitation_status".to_owned(), text(invitation.status.name()));
    if let InvitationStatus::Accepted(by) = &invitation.status {
        add(&mut item, "accepted_by", Some(text(by.as_str())));
    }
    item.insert("ttl".to_owned(), number(invitation.expires_at.plus(REMEMBERED).as_secs()));
    item
}

fn read(item: &Item) -> Result<Invitation, Fault> {
    let reader = Reader(item);
    let status = match reader.text("invitation_status")? {
        "open" => InvitationStatus::Open,
        "accepted" => InvitationStatus::Accepted(reader.parsed("accepted_by", UserId::parse)?),
        "revoked" => InvitationStatus::Revoked,
        _ => return Err(malformed("invitation_status")),
    };
    Ok(Invitation {
        org: reader.parsed("pk", |pk| OrgId::parse(pk.strip_prefix("ORG#")?))?,
        id: reader.parsed("sk", |sk| InvitationId::parse(sk.strip_prefix("INVITATION#")?))?,
        email: reader.parsed("email", EmailAddress::parse)?,
        role: reader.parsed("role", OrgRole::from_name)?,
        invited_by: reader.parsed("invited_by", UserId::parse)?,
        created_at: reader.time("created_at")?,
        expires_at: reader.time("expires_at")?,
        status,
    })
}

impl CreateInvitation for Table {
    async fn create_invitation(&self, new: &NewInvitation) -> Result<WriteOutcome, Fault> {
        let (invitation, now) = (&new.invitation, new.invitation.created_at);
        let mut backoff = Backoff::of_conflicts();
        loop {
            // Read the counter before the list. An invitation that is sent after this read then changes the counter.
            let roster = self.get(roster_key(invitation.org)).await?.unwrap_or_default();
            let sent = self.invitations(invitation.org).await?;
            if let Err(refusal) = invitation.admit(&sent, member_count(&roster)) {
                // Read the idempotency record after the list: an earlier try of this request may itself have reached
                // the limit.
                let before = match &new.idempotent {
                    Some(idempotent) => self.get_idempotency_record(idempotent, now).await?,
                    None => None,
                };
                return before.ok_or(refusal);
            }
            let mut writes = vec![
                self.count_sent(invitation.org, Reader(&roster).optional_number(SENT))?,
                self.put_new(write(invitation))?,
                self.put(outbox::write(&new.event))?,
                self.update(count_of_inviter(&invitation.invited_by, now))?,
            ];
            writes.extend(self.audited(&new.audit)?);
            match self.transact_action(&new.audit, writes, new.idempotent.as_ref()).await? {
                TransactionOutcome::Written(written) => return Ok(written),
                TransactionOutcome::Refused(failed) if failed_at(&failed, INVITER).is_some() => {
                    return Err(inviter_exhausted(now));
                }
                TransactionOutcome::Refused(_) if backoff.wait().await => {}
                TransactionOutcome::Refused(_) => {
                    return Err(Fault::unavailable("the count of invitations kept changing"));
                }
            }
        }
    }
}

/// Builds the update that counts an invitation of the inviter on this day, on condition that the day's limit is not
/// reached.
fn count_of_inviter(inviter: &UserId, now: Timestamp) -> UpdateBuilder {
    let day = Day::of(now);
    count_one(key(user_pk(inviter), format!("INVITED#{day}")), "sent", INVITER_DAILY_MAX, day.ends())
}

impl GetInvitation for Table {
    async fn get_invitation(&self, org: OrgId, id: InvitationId) -> Result<Option<Invitation>, Fault> {
        self.get(invitation_key(org, id)).await?.as_ref().map(read).transpose()
    }
}

impl ListInvitations for Table {
    async fn list_invitations(&self, org: OrgId, now: Timestamp, page: &PageAsk) -> Result<Listed<Invitation>, Fault> {
        let query = self
            .partition(None, org_pk(org))
            .key_condition_expression("#pk = :pk AND begins_with(sk, :invitation)")
            .filter_expression("invitation_status = :open AND expires_at > :now")
            .expression_attribute_values(":invitation", text("INVITATION#"))
            .expression_attribute_values(":open", text(InvitationStatus::Open.name()))
            .expression_attribute_values(":now", number(now.as_millis()))
            .scan_index_forward(false);
        self.page(None, query, page, read).await
    }
}

impl RevokeInvitation for Table {
    async fn revoke_invitation(&self, invitation: &Invitation, entry: &AuditEntry) -> Result<bool, Fault> {
        let end = self.end(invitation, &InvitationStatus::Revoked, entry.at)?;
        let mut writes = vec![end];
        writes.extend(self.audited(entry)?);
        Ok(matches!(self.transact_action(entry, writes, None).await?, TransactionOutcome::Written(_)))
    }
}

impl AcceptInvitation for Table {
    async fn accept_invitation(&self, acceptance: &Acceptance) -> Result<Accepted, Fault> {
        let Acceptance { invitation, member, seen, audit: entry } = acceptance;
        let [membership, count] = self.join(member)?;
        let accepted = InvitationStatus::Accepted(member.user.clone());
        let writes = vec![
            self.end(invitation, &accepted, entry.at)?,
            membership,
            self.require_inviter(invitation)?,
            count,
            self.check(
                ConditionCheck::builder()
                    .set_key(Some(org_key(member.org)))
                    .condition_expression("attribute_not_exists(deleted_at)"),
            )?,
            self.put(audit::write(entry))?,
            self.seen_or_open(&member.user, seen.as_ref())?,
        ];
        let TransactionOutcome::Refused(failed) = self.transact_action(entry, writes, None).await? else {
            return Ok(Accepted::Joined);
        };
        let is_at = |at| failed_at(&failed, at).is_some();
        if is_at(0) {
            return Ok(Accepted::Conflict);
        }
        if is_at(1) {
            return Ok(Accepted::Member);
        }
        // The invitations of a deleted organisation have ended, too.
        if is_at(2) || is_at(4) {
            return Ok(Accepted::Withdrawn);
        }
        if is_at(3) {
            return Ok(Accepted::Full);
        }
        Err(Fault::internal("an acceptance was refused for no known reason"))
    }
}

impl Table {
    /// Reads the invitations of the last days, including ended ones.
    async fn invitations(&self, org: OrgId) -> Result<Vec<Invitation>, Fault> {
        let query = self
            .partition(None, org_pk(org))
            .key_condition_expression("#pk = :pk AND begins_with(sk, :invitation)")
            .expression_attribute_values(":invitation", text("INVITATION#"))
            .scan_index_forward(false);
        self.entries(None, &query, CHECKED_MAX, None, read).await.map(|(invitations, _)| invitations)
    }

    /// Returns the write that increments the counter of sent invitations, on condition that it is still `seen`.
    fn count_sent(&self, org: OrgId, seen: Option<u64>) -> Result<TransactWriteItem, Fault> {
        let update = Update::builder()
            .set_key(Some(roster_key(org)))
            .update_expression(format!("ADD {SENT} :one"))
            .expression_attribute_values(":one", number(1));
        self.update(match seen {
            Some(seen) => update
                .condition_expression(format!("{SENT} = :seen"))
                .expression_attribute_values(":seen", number(seen)),
            None => update.condition_expression(format!("attribute_not_exists({SENT})")),
        })
    }

    /// Returns the write that ends an invitation, on condition that it is open and has not expired.
    fn end(
        &self,
        invitation: &Invitation,
        status: &InvitationStatus,
        now: Timestamp,
    ) -> Result<TransactWriteItem, Fault> {
        let mut set = "SET invitation_status = :status".to_owned();
        let mut update = Update::builder()
            .set_key(Some(invitation_key(invitation.org, invitation.id)))
            .condition_expression("invitation_status = :open AND expires_at > :now")
            .expression_attribute_values(":status", text(status.name()))
            .expression_attribute_values(":open", text(InvitationStatus::Open.name()))
            .expression_attribute_values(":now", number(now.as_millis()));
        if let InvitationStatus::Accepted(by) = status {
            set.push_str(", accepted_by = :by");
            update = update.expression_attribute_values(":by", text(by.as_str()));
        }
        self.update(update.update_expression(set))
    }

    /// Returns the check that the inviter is still a member, in a role that may send this invitation.
    fn require_inviter(&self, invitation: &Invitation) -> Result<TransactWriteItem, Fault> {
        let mut check = ConditionCheck::builder()
            .set_key(Some(member_key(invitation.org, &invitation.invited_by)))
            .expression_attribute_names("#role", "role");
        let mut names = Vec::new();
        for role in invitation.role.inviters() {
            check = check.expression_attribute_values(format!(":{}", role.name()), text(role.name()));
            names.push(format!(":{}", role.name()));
        }
        self.check(check.condition_expression(format!("#role IN ({})", names.join(", "))))
    }
}
