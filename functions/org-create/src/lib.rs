//! Creates an organisation. Its creator becomes its owner. A plan limits how many existing organisations a person has
//! founded.

use consigne_auth::SessionVerifier;
use consigne_core::audit::{AuditAction, AuditEntry};
use consigne_core::credits::Wallet;
use consigne_core::idempotency::{IdempotentRequest, WriteOutcome, key_reused};
use consigne_core::orgs::{Member, ORG_NAME_MAX, OrgRole, OrgView, Organisation, org_in_path};
use consigne_core::ports::{CreateOrg, GetOrg, NewOrg};
use consigne_core::{Code, Fault};
use consigne_runtime::{Adapters, Answer, HttpFunction, Named, Operation, Request, function};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Request to create an organisation.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrgRequest {
    /// Name of the organisation, 1 to 100 characters.
    #[schemars(length(min = 1, max = ORG_NAME_MAX))]
    pub name: String,
}

function! {
    users: SessionVerifier = session_verifier(),
    orgs: A::Table = table(),
}

impl<A: Adapters<Table: CreateOrg + GetOrg>> HttpFunction for Function<A> {
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let user = request.user(&self.users).await?;
        let body: OrgRequest = request.json()?;
        let idempotency_key = request.idempotency_key(&body)?;
        let seen = user.sighting();

        let org = Organisation::create(&body.name, request.now)?;
        let owner = Member { org: org.id, user: user.id.clone(), role: OrgRole::Owner, joined_at: request.now };
        let origin = request.origin(&user);
        let audit = AuditEntry::new(
            org.id,
            AuditAction::OrgCreated,
            org.id.to_string(),
            &origin,
            request.now,
            json!({ "name": org.name }),
        );
        let idempotent = idempotency_key.map(|key| IdempotentRequest {
            key,
            owner: user.id.clone().into(),
            operation: Self::NAME,
            result: org.id.to_string(),
        });
        let wallet = Wallet::of_organisation(org.id, request.now);
        let new = NewOrg { org, owner, wallet, audit, plan: Some(user.plan), seen, idempotent };
        let org = match self.orgs.create_org(&new).await? {
            WriteOutcome::Applied => new.org,
            WriteOutcome::Replayed(id) => created_before(&self.orgs, &id).await?,
            WriteOutcome::KeyReused => return Err(key_reused()),
            WriteOutcome::Conflict => return Err(Fault::internal("a new organisation cannot conflict")),
        };
        request.log.field("org.id", org.id);
        Ok(Answer::envelope(201, "Organisation created", &OrgView::of(&org, &new.owner), request.now))
    }

    fn operations() -> Vec<Operation> {
        let operation = Operation::new::<OrgView>("POST /api/orgs", "Create an organisation");
        let operation = operation.in_envelope().takes::<OrgRequest>().creates().idempotent();
        vec![operation.refuses(&[Code::SubscriptionRequired, Code::Conflict])]
    }
}

/// Finds the organisation that an earlier try of the same request created.
///
/// # Errors
/// `CONFLICT` if it was deleted since.
async fn created_before<F: GetOrg>(orgs: &F, id: &str) -> Result<Organisation, Fault> {
    orgs.get_org(org_in_path(id)?)
        .await?
        .ok_or_else(|| Fault::new(Code::Conflict, "The organisation was created, but has been deleted since"))
}
