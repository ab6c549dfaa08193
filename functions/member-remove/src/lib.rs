//! Removes a member from an organisation, or lets one leave. Once this has answered, they cannot call any route of the
//! organisation.
//!
//! Test keys that they created go on working: the next charge of each key makes an owner its new payer.

use consigne_auth::{Route, SessionVerifier};
use consigne_core::keys::ChangeContext;
use consigne_core::members::member_in_path;
use consigne_core::ports::{GetMember, RemoveMember};
use consigne_core::{Code, Fault};
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Request, function};
use consigne_usecases::members::remove;
use schemars::JsonSchema;
use serde::Serialize;

/// Confirms that a member was removed.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Removed {
    /// Id of the user who was removed.
    pub user_id: String,
}

function! {
    users: SessionVerifier = session_verifier(),
    orgs: A::Table = table(),
}

impl<A: Adapters<Table: GetMember + RemoveMember>> HttpFunction for Function<A> {
    /// Removes a member. A second request is answered as not found.
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let (user, caller) = request.membership(&self.users, &self.orgs, Route::MemberRemove).await?;
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
