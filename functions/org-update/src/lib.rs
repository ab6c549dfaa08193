//! Renames an organisation. Its slug stays, because it is in URLs.

use consigne_auth::{Route, SessionVerifier};
use consigne_core::audit::{AuditAction, AuditEntry};
use consigne_core::orgs::{OrgView, Organisation, org_not_found};
use consigne_core::ports::{GetMember, GetOrg, RenameOrg};
use consigne_core::{Fault, orgs};
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Request, function};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Change of an organisation.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrgPatch {
    /// New name of the organisation.
    #[schemars(length(min = 1, max = orgs::ORG_NAME_MAX))]
    pub name: String,
}

function! {
    users: SessionVerifier = session_verifier(),
    orgs: A::Table = table(),
}

impl<A: Adapters<Table: GetMember + GetOrg + RenameOrg>> HttpFunction for Function<A> {
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let (user, org) = request.member(&self.users, &self.orgs, Route::OrgUpdate).await?;
        let body: OrgPatch = request.json()?;
        let name = orgs::name_of(&body.name)?;
        let known = self.orgs.get_org(org).await?.ok_or_else(org_not_found)?;
        let member = self.orgs.get_member(org, &user.id).await?.ok_or_else(org_not_found)?;

        let renamed = Organisation { name, ..known.clone() };
        if renamed != known {
            let (origin, details) = (request.origin(&user), json!({ "from": known.name, "name": renamed.name }));
            let entry = AuditEntry::new(org, AuditAction::OrgUpdated, org.to_string(), &origin, request.now, details);
            if !self.orgs.rename_org(org, &renamed.name, &entry).await? {
                return Err(org_not_found());
            }
        }
        Ok(Answer::envelope(200, "Organisation updated", &OrgView::of(&renamed, &member), request.now))
    }

    fn operations() -> Vec<Operation> {
        let operation = Operation::new::<OrgView>("PATCH /api/orgs/{org}", "Rename an organisation");
        vec![operation.in_org().takes::<OrgPatch>()]
    }
}
