//! Lists an organisation's audit log, newest first. Only owners and admins may.

use consigne_auth::{Route, SessionVerifier};
use consigne_core::Fault;
use consigne_core::audit::AuditEntry;
use consigne_core::ports::{GetMember, ListAudit};
use consigne_runtime::{Adapters, Answer, HttpFunction, Named, Operation, Paging, Request, function};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// An entry of the audit log: one thing that somebody did.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AuditView {
    /// Id of the entry.
    pub id: String,
    /// What was done, such as `key.revoked`.
    pub action: &'static str,
    /// Id of what it was done to.
    pub subject: String,
    /// Who did it: the id of a user, `operator:` and a name, or `service:` and a name.
    pub actor: String,
    /// IP address of the request.
    pub ip: Option<String>,
    /// `User-Agent` of the request.
    pub user_agent: Option<String>,
    /// When it was done.
    #[schemars(extend("format" = "date-time"))]
    pub timestamp: String,
    /// Details that depend on the action.
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
        Ok(self.paging.answer("Audit log listed", &listed, show, request, &context))
    }

    fn operations() -> Vec<Operation> {
        let operation =
            Operation::new::<Vec<AuditView>>("GET /api/orgs/{org}/audit", "List an organisation's audit log");
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
