//! Deletes an organisation, for its owner.
//!
//! One transaction ends it: it is not found any more, its wallet is closed for good, so no key can spend, and it counts no
//! longer as its founder's. Then the memberships end, each with an event that tells the member. If that is cut short,
//! `account-close` continues within five minutes. It also revokes the keys and ends endpoints and invitations.

use std::time::Duration;

use consigne_auth::{Route, SessionVerifier};
use consigne_core::credits::WalletId;
use consigne_core::deletions::{DeletionAsk, DeletionOutcome};
use consigne_core::orgs::org_not_found;
use consigne_core::ports::{DeleteOrg, DismissMember, FindHolds, GetMember, GetOrg, ListMembers};
use consigne_core::{Code, Fault, OrgId};
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Request, function, needs, remaining};
use consigne_usecases::orgs::dismiss_members;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Time kept for the answer; `account-close` does what is left.
const RESERVE: Duration = Duration::from_secs(2);
/// Most open holds that a refusal names.
const NAMED_MAX: usize = 10;

/// Request to delete an organisation.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeletionRequest {
    /// The organisation's slug, so that nobody deletes another one by mistake.
    pub confirm: String,
}

/// Confirms that an organisation was deleted.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Deleted {
    /// Id of the organisation.
    pub id: String,
    /// Credits that were in its wallet and are lost.
    pub credits_lost: u64,
}

needs! {
    /// The ports this function uses. Each stands for one IAM action.
    pub trait Needs: Adapters<Table: GetMember + GetOrg + DeleteOrg + FindHolds + ListMembers + DismissMember>
}

function! {
    users: SessionVerifier = session_verifier(),
    orgs: A::Table = table(),
}

impl<A: Needs> HttpFunction for Function<A> {
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let (user, org) = request.member(&self.users, &self.orgs, Route::OrgDelete).await?;
        let body: DeletionRequest = request.json()?;
        let known = self.orgs.get_org(org).await?.ok_or_else(org_not_found)?;
        if body.confirm != known.slug {
            return Err(Fault::field("confirm", "confirm must be the organisation's slug"));
        }

        let origin = request.origin(&user);
        let ask = DeletionAsk { org, name: known.name, origin, reason: None, now: request.now };
        let deletion = match self.orgs.delete_org(&ask).await? {
            DeletionOutcome::Deleted(deletion) => deletion,
            DeletionOutcome::HoldsOpen => return Err(self.holds_open(org).await?),
            DeletionOutcome::NotFound => return Err(org_not_found()),
        };
        request.log.field("credits.lost", deletion.credits_lost);
        // The organisation is deleted from here on. If the rest fails, `account-close` finishes it.
        match dismiss_members(&self.orgs, &deletion, request.now, || remaining() > RESERVE).await {
            Ok(all) => request.log.field("members.all_dismissed", all),
            Err(fault) => request.log.field("members.left_to_account_close", fault.chain()),
        }
        let view = Deleted { id: org.to_string(), credits_lost: deletion.credits_lost };
        Ok(Answer::envelope(200, "Organisation deleted", &view, request.now))
    }

    fn operations() -> Vec<Operation> {
        let operation = Operation::new::<Deleted>("DELETE /api/orgs/{org}", "Delete an organisation");
        vec![operation.in_org().takes::<DeletionRequest>().refuses(&[Code::Conflict])]
    }
}

impl<A: Needs> Function<A> {
    /// Returns the 409 for an organisation with open holds, which names them. The index that finds them may lag, so it may
    /// name none.
    async fn holds_open(&self, org: OrgId) -> Result<Fault, Fault> {
        let holds = self.orgs.find_holds(&WalletId::Organisation(org)).await?;
        let named: Vec<String> = holds.iter().take(NAMED_MAX).map(|hold| hold.id.to_string()).collect();
        let first = named.first().map(|id| format!(", such as {id}")).unwrap_or_default();
        let message = format!("organisation has open holds{first}; delete it when they have ended");
        Ok(Fault::new(Code::Conflict, message).detail("holds", json!(named)))
    }
}
