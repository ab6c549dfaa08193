//! Lists an organisation's audit trail, newest first, to its owners and admins.

use consigne_auth::{Route, SessionVerifier};
use consigne_core::Fault;
use consigne_core::audit::AuditEntry;
use consigne_core::ports::{GetMember, ListAudit};
use consigne_runtime::{Adapters, Answer, HttpFunction, Named, Operation, Paging, Request, function};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// What somebody did.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AuditView {
    /// Id of the entry.
    pub id: String,
    /// What was done: `key.revoked`.
    pub action: &'static str,
    /// What it was done to.
    pub subject: String,
    /// Who did it: a user, or `operator:` and a name.
    pub actor: String,
    /// From which address.
    pub ip: Option<String>,
    /// With which client.
    pub user_agent: Option<String>,
    /// When.
    pub timestamp: String,
    /// Particulars.
    pub details: Value,
}

function! {
    users: SessionVerifier = session_verifier(),
    orgs: A::Table = table(),
    paging: Paging = paging().await,
}

impl<A: Adapters<Table: GetMember + ListAudit>> HttpFunction for Function<A> {
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let (user, org) = request.member(&self.users, &self.orgs, Route::AuditList).await?;
        let id = org.to_string();
        let context = [Self::NAME, user.id.as_str(), &id];
        let page = self.paging.ask(request, &context)?;
        let listed = self.orgs.list_audit(org, &page).await?;
        Ok(self.paging.answer("Audit trail listed", &listed, show, request, &context))
    }

    fn operations() -> Vec<Operation> {
        let operation =
            Operation::new::<Vec<AuditView>>("GET /api/orgs/{org}/audit", "List an organisation's audit trail");
        vec![operation.in_org().paged()]
    }
}

fn show(entry: &AuditEntry) -> AuditView {
    AuditView {
        id: entry.id.to_string(),
        action: entry.action.name(),
        subject: entry.subject.clone(),
        actor: entry.origin.actor.to_string(),
        ip: entry.origin.ip.clone(),
        user_agent: entry.origin.user_agent.clone(),
        timestamp: entry.at.to_string(),
        details: entry.details.clone(),
    }
}
