//! Takes a member out of an organisation, or lets one leave. From this answer on no route of the organisation knows them.
//!
//! Test keys they made go on working: at its next use each is made over to an owner, within the charge itself.

use consigne_auth::{Route, SessionVerifier};
use consigne_core::keys::ChangeContext;
use consigne_core::members::member_in_path;
use consigne_core::ports::{GetMember, RemoveMember};
use consigne_core::{Code, Fault};
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Request, function};
use consigne_usecases::members::remove;
use schemars::JsonSchema;
use serde::Serialize;

/// A member no more.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Removed {
    /// Who.
    pub user_id: String,
}

function! {
    users: SessionVerifier = session_verifier(),
    orgs: A::Table = table(),
}

impl<A: Adapters<Table: GetMember + RemoveMember>> HttpFunction for Function<A> {
    /// Answers a request to remove a member; a second one finds nothing.
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let (user, caller) = request.place(&self.users, &self.orgs, Route::MemberRemove).await?;
        let id = member_in_path(request.parameter("user"))?;
        request.log.field("member.id", &id);

        let origin = request.origin(&user.id);
        let when = ChangeContext { origin: &origin, now: request.now };
        let member = remove(&self.orgs, &id, &caller, &when).await?;
        Ok(Answer::envelope(200, "Member removed", &Removed { user_id: member.user.to_string() }, request.now))
    }

    fn operations() -> Vec<Operation> {
        let operation = Operation::new::<Removed>("DELETE /api/orgs/{org}/members/{user}", "Remove a member, or leave");
        vec![operation.in_org().parameter("user", "Id of the member", true).refuses(&[Code::Conflict])]
    }
}
