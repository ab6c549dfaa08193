//! Changes the role of an organisation's member.

use consigne_auth::{Route, SessionVerifier};
use consigne_core::keys::ChangeContext;
use consigne_core::members::member_in_path;
use consigne_core::orgs::{MemberView, OrgRole};
use consigne_core::ports::{ChangeRole, GetMember};
use consigne_core::{Code, Fault};
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Request, function};
use consigne_usecases::members::assign;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Request to change a member's role.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleRequest {
    /// The new role. An admin can change only members with the roles developer and billing, and only to one of these.
    pub role: OrgRole,
}

function! {
    users: SessionVerifier = session_verifier(),
    orgs: A::Table = table(),
}

impl<A: Adapters<Table: GetMember + ChangeRole>> HttpFunction for Function<A> {
    /// Changes a member's role. The role they already have changes nothing.
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let (user, caller) = request.membership(&self.users, &self.orgs, Route::MemberUpdate).await?;
        let id = member_in_path(request.parameter("user"))?;
        request.log.field("member.id", &id);
        let body: RoleRequest = request.json()?;

        let origin = request.origin(&user);
        let when = ChangeContext { origin: &origin, now: request.now };
        let member = assign(&self.orgs, &id, body.role, &caller, &when).await?;
        Ok(Answer::envelope(200, "Member updated", &MemberView::of(&member), request.now))
    }

    fn operations() -> Vec<Operation> {
        let operation = Operation::new::<MemberView>("PATCH /api/orgs/{org}/members/{user}", "Change a member's role");
        let operation = operation.in_org().parameter("user", "Id of the member", true);
        vec![operation.takes::<RoleRequest>().refuses(&[Code::Conflict])]
    }
}
