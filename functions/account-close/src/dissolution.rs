//! Ends what a deleted organisation had.

use consigne_core::audit::{Actor, AuditAction, AuditEntry, Origin};
use consigne_core::deletions::OrgDeletion;
use consigne_core::keys::{ChangeContext, KeyStep};
use consigne_core::ports::{
    ChangeKey, DeleteEndpoint, DismissMember, ListEndpoints, ListInvitations, ListKeys, ListMembers, PageAsk,
    RevokeInvitation,
};
use consigne_core::{Fault, Timestamp};
use consigne_runtime::{needs, remaining};
use consigne_usecases::orgs::dismiss_members;
use futures_util::future::try_join_all;
use serde_json::json;

use crate::{AT_ONCE, PAGE, RESERVE};

/// The actor in the audit log for what ends.
const ACTOR: &str = "account-close";
/// The reason recorded for the revocation of keys.
const REASON: &str = "The organisation was deleted";

needs! {
    /// The ports that end what an organisation had. Each stands for one IAM action.
    pub trait Dissolve: ListMembers + DismissMember + ListKeys + ChangeKey + ListEndpoints + DeleteEndpoint
        + ListInvitations + RevokeInvitation
}

/// Ends memberships, keys, endpoints and invitations. Returns `false` if time ran short.
pub(crate) async fn dissolve<T: Dissolve>(table: &T, deletion: &OrgDeletion, now: Timestamp) -> Result<bool, Fault> {
    let origin = Origin { actor: Actor::Service(ACTOR.to_owned()), ip: None, user_agent: None, plan: None };
    let members = dismiss_members(table, deletion, now, || remaining() > RESERVE).await?;
    // If one step fails, the others are still tried.
    let keys = revoke_keys(table, deletion, &ChangeContext { origin: &origin, now }).await;
    let endpoints = delete_endpoints(table, deletion, &origin, now).await;
    let invitations = revoke_invitations(table, deletion, &origin, now).await;
    Ok(members && keys? && endpoints? && invitations?)
}

/// Revokes every key. There is no event, and so no mail, for each key: the mail about the deletion says it.
async fn revoke_keys<T: Dissolve>(table: &T, deletion: &OrgDeletion, by: &ChangeContext<'_>) -> Result<bool, Fault> {
    let mut page = PageAsk { limit: PAGE, after: None };
    loop {
        let listed = table.list_keys(deletion.org, &page).await?;
        for some in listed.items.chunks(AT_ONCE) {
            if remaining() < RESERVE {
                return Ok(false);
            }
            let steps = some.iter().map(|key| key.revoke(REASON, by)).collect::<Result<Vec<_>, _>>()?;
            let steps: Vec<KeyStep> = steps.into_iter().flatten().map(|step| KeyStep { event: None, ..step }).collect();
            // A conflict means that the key was revoked or deleted meanwhile.
            try_join_all(steps.iter().map(|step| table.change_key(step))).await?;
        }
        page.after = listed.next;
        if page.after.is_none() {
            return Ok(true);
        }
    }
}

/// Deletes every endpoint. Pending deliveries are cancelled at their next attempt.
async fn delete_endpoints<T: Dissolve>(
    table: &T,
    deletion: &OrgDeletion,
    origin: &Origin,
    now: Timestamp,
) -> Result<bool, Fault> {
    // An organisation has few endpoints, so they are on one page.
    let listed = table.list_endpoints(deletion.org, &PageAsk { limit: PAGE, after: None }).await?;
    for endpoint in &listed.items {
        if remaining() < RESERVE {
            return Ok(false);
        }
        let (id, details) = (endpoint.id.to_string(), json!({ "host": endpoint.url.host(), "cause": "org_deleted" }));
        let entry = AuditEntry::new(deletion.org, AuditAction::EndpointDeleted, id, origin, now, details);
        table.delete_endpoint(endpoint, &entry).await?;
    }
    Ok(true)
}

/// Revokes every open invitation. They could not be accepted since the deletion.
async fn revoke_invitations<T: Dissolve>(
    table: &T,
    deletion: &OrgDeletion,
    origin: &Origin,
    now: Timestamp,
) -> Result<bool, Fault> {
    loop {
        let listed = table.list_invitations(deletion.org, now, &PageAsk { limit: PAGE, after: None }).await?;
        for invitation in &listed.items {
            if remaining() < RESERVE {
                return Ok(false);
            }
            let (id, details) = (invitation.id.to_string(), json!({ "cause": "org_deleted" }));
            let entry = AuditEntry::new(deletion.org, AuditAction::InvitationRevoked, id, origin, now, details);
            table.revoke_invitation(invitation, &entry).await?;
        }
        if listed.next.is_none() {
            return Ok(true);
        }
    }
}
