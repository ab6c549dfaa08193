//! Removes a member from an organisation, or lets one leave. Once this has answered, they cannot call any route of the
//! organisation.
//!
//! The keys that they created go on working, unless the request says `keys=revoke`. The next charge of a test key makes an
//! owner its new payer.

use consigne_auth::{Route, SessionVerifier};
use consigne_core::keys::ChangeContext;
use consigne_core::members::{member_in_path, member_not_found};
use consigne_core::orgs::OrgRole;
use consigne_core::ports::{ChangeKey, GetKey, GetMember, ListKeys, RemoveMember};
use consigne_core::{Code, Fault};
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Request, function};
use consigne_usecases::members::{remove, revoke_keys_of};
use schemars::JsonSchema;
use serde::Serialize;

/// Confirms that a member was removed.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Removed {
    /// Id of the user who was removed.
    pub user_id: String,
    /// Number of keys that were revoked because this user had created them.
    pub keys_revoked: u32,
}

/// What happens to the keys that the member has created.
#[derive(Clone, Copy, PartialEq, Eq)]
enum MemberKeys {
    Keep,
    Revoke,
}

impl MemberKeys {
    fn parse(text: Option<&str>) -> Result<Self, Fault> {
        match text {
            None | Some("keep") => Ok(Self::Keep),
            Some("revoke") => Ok(Self::Revoke),
            Some(_) => Err(Fault::field("keys", "keys must be keep or revoke")),
        }
    }
}

function! {
    users: SessionVerifier = session_verifier(),
    orgs: A::Table = table(),
}

impl<A: Adapters<Table: GetMember + RemoveMember + ListKeys + GetKey + ChangeKey>> HttpFunction for Function<A> {
    /// Removes a member, and then revokes their keys if asked to. A second request is answered as not found, unless it
    /// revokes keys that an interrupted one has left.
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let (user, caller) = request.membership(&self.users, &self.orgs, Route::MemberRemove).await?;
        let id = member_in_path(request.parameter("user"))?;
        request.log.field("member.id", &id);
        let keys = MemberKeys::parse(request.query("keys")?.as_deref())?;

        let origin = request.origin(&user);
        let when = ChangeContext { origin: &origin, now: request.now };
        let removed = match remove(&self.orgs, &id, &caller, &when).await {
            Ok(_) => true,
            Err(fault) if fault.code == Code::NotFound && keys == MemberKeys::Revoke => false,
            Err(fault) => return Err(fault),
        };
        let keys_revoked = match keys {
            MemberKeys::Revoke if removed || caller.role.may_manage(OrgRole::Developer) => {
                revoke_keys_of(&self.orgs, caller.org, &id, &when).await?
            }
            _ => 0,
        };
        if !removed && keys_revoked == 0 {
            return Err(member_not_found());
        }
        request.log.field("keys.revoked", keys_revoked);
        Ok(Answer::envelope(200, "Member removed", &Removed { user_id: id.to_string(), keys_revoked }, request.now))
    }

    fn operations() -> Vec<Operation> {
        let operation = Operation::new::<Removed>("DELETE /api/orgs/{org}/members/{user}", "Remove a member, or leave");
        let operation = operation.in_org().parameter("user", "Id of the member", true).refuses(&[Code::Conflict]);
        let operation = operation.parameter("keys", "What happens to the keys they created; `keep` when absent", false);
        vec![operation.one_of(&["keep", "revoke"])]
    }
}
