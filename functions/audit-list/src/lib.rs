//! Lists an organisation's audit trail, newest first, to its owners and admins.

use consigne_auth::{Route, SessionVerifier};
use consigne_core::Fault;
use consigne_core::audit::AuditEntry;
use consigne_core::ports::{GetMember, ListAudit};
use consigne_runtime::http::{Operation, Paging};
use consigne_runtime::{Answer, Request};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// What the handler works with.
#[derive(Debug)]
pub struct Deps<F> {
    /// Who is calling.
    pub users: SessionVerifier,
    /// The organisations.
    pub orgs: F,
    /// Pages.
    pub paging: Paging,
}

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

/// Answers a request for an organisation's audit trail.
pub async fn handle<F: GetMember + ListAudit>(deps: &Deps<F>, request: &Request) -> Result<Answer, Fault> {
    let (user, org) = request.member(&deps.users, &deps.orgs, Route::AuditList).await?;
    let id = org.to_string();
    let context = ["audit-list", user.id.as_str(), &id];
    let page = deps.paging.ask(request, &context)?;
    let listed = deps.orgs.list_audit(org, &page).await?;
    Ok(deps.paging.answer("Audit trail listed", &listed, show, request, &context))
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

/// Describes the route.
pub fn operations() -> Vec<Operation> {
    let operation = Operation::new::<Vec<AuditView>>("GET /api/orgs/{org}/audit", "List an organisation's audit trail");
    vec![operation.in_org().paged()]
}
