//! Issues an API key. The key's text is in this answer only; it is not stored.

use std::collections::BTreeMap;

use consigne_auth::{KeyMint, Route, SessionVerifier, User};
use consigne_core::audit::{AuditAction, AuditEntry};
use consigne_core::events::{Event, EventData, KeyEvent};
use consigne_core::idempotency::{IdempotentRequest, WriteOutcome, key_reused};
use consigne_core::keys::{
    ApiKey, IssuedKey, KEY_NAME_MAX, KeyMode, KeyRequest, KeyStatus, KeyView, QUOTA_MAX, Quotas,
};
use consigne_core::orgs::key_in_path;
use consigne_core::ports::{GetKey, GetMember, IssueKey, NewKey};
use consigne_core::{Code, Fault, KeyId, OrgId, services};
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Request, function};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

const OPERATION: &str = "key-issue";

/// Request to issue a key.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IssueRequest {
    /// Name for people, 1 to 100 characters.
    #[schemars(length(min = 1, max = KEY_NAME_MAX))]
    pub name: String,
    /// Whether the key is for production or for tests.
    pub environment: KeyMode,
    /// What the key may be used for: at least one scope from the catalogue of services.
    #[schemars(length(min = 1), extend("items" = json!({ "enum": services::scopes() })))]
    pub scopes: Vec<String>,
    /// Most charged calls in a minute, from the first of them; no limit when absent or null.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = QUOTA_MAX))]
    pub minute_quota: Option<u64>,
    /// Most charged calls in a day (UTC); no limit when absent or null.
    #[schemars(range(min = 1, max = QUOTA_MAX))]
    pub daily_quota: Option<u64>,
    /// Most charged calls in a month (UTC); no limit when absent or null.
    #[schemars(range(min = 1, max = QUOTA_MAX))]
    pub monthly_quota: Option<u64>,
    /// When the key expires; never when absent or null.
    #[schemars(extend("format" = "date-time"))]
    pub expires_at: Option<String>,
}

function! {
    users: SessionVerifier = session_verifier(),
    keys: A::Table = table(),
    mint: KeyMint = key_mint().await,
}

impl<A: Adapters<Table: GetMember + GetKey + IssueKey>> HttpFunction for Function<A> {
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let (user, org) = request.member(&self.users, &self.keys, Route::KeyIssue).await?;
        let body: IssueRequest = request.json()?;
        let idempotency_key = request.idempotency_key(&body)?;
        let ask = body.parse(request)?;

        let (environment, pepper, id) =
            (ask.environment, self.mint.current(request.now).await, KeyId::mint(request.now));
        let secret =
            idempotency_key.as_ref().map_or_else(KeyMint::nonce, |idempotency_key| idempotency_key.key.clone());
        let (text, pointer) = self.text(pepper, environment, org, id, &user, &secret, request).await?;
        let key = key_of(ask, org, id, &user, &self.mint, text.hint(), request);
        let origin = request.origin(&user);
        let details = json!({ "name": key.name, "environment": environment.name(), "scopes": key.scopes });
        let new = NewKey {
            audit: AuditEntry::new(org, AuditAction::KeyIssued, id.to_string(), &origin, request.now, details),
            event: Event::new(request.now, EventData::KeyIssued(KeyEvent::of(&key, &origin.actor))),
            idempotent: idempotency_key.map(|key| IdempotentRequest {
                key,
                owner: user.id.clone().into(),
                operation: OPERATION,
                result: format!("{id}#{pepper}"),
            }),
            key,
            pointer,
        };
        let (key, text) = match self.keys.issue_key(&new).await? {
            WriteOutcome::Applied => (new.key, text),
            WriteOutcome::Replayed(result) => {
                self.issued_before(&result, org, environment, &user, &secret, request).await?
            }
            WriteOutcome::KeyReused => return Err(key_reused()),
            WriteOutcome::Conflict => {
                self.mint.refresh(request.now).await;
                return Err(Fault::unavailable("the pepper was retired while the key was issued"));
            }
        };
        request.log.field("key.id", key.id);
        let issued = IssuedKey { key: text.expose().to_owned(), view: KeyView::of(&key, request.now) };
        Ok(Answer::envelope(201, "Key issued. Store it now: it is not shown again", &issued, request.now))
    }

    fn operations() -> Vec<Operation> {
        let operation =
            Operation::new::<IssuedKey>("POST /api/orgs/{org}/keys", "Issue a key. Only the answer shows it");
        vec![
            operation
                .in_org()
                .takes::<IssueRequest>()
                .creates()
                .idempotent()
                .refuses(&[Code::Conflict, Code::RateLimited]),
        ]
    }
}

impl IssueRequest {
    fn parse(&self, request: &Request) -> Result<KeyRequest, Fault> {
        let quotas = Quotas { minute: self.minute_quota, daily: self.daily_quota, monthly: self.monthly_quota };
        let expires_at = self.expires_at.as_deref();
        KeyRequest::parse(&self.name, self.environment, &self.scopes, quotas, expires_at, request.now)
    }
}

impl<A: Adapters> Function<A> {
    /// Derives the key's text from the request, so that a retry with the same idempotency key gets the same text.
    #[allow(clippy::too_many_arguments)] // The text is derived from all of them.
    async fn text(
        &self,
        pepper: u32,
        environment: KeyMode,
        org: OrgId,
        id: KeyId,
        user: &User,
        secret: &str,
        request: &Request,
    ) -> Result<(consigne_auth::KeyText, consigne_core::keys::Pointer), Fault> {
        let (org, id) = (org.to_string(), id.to_string());
        let parts = [OPERATION, &org, &id, user.id.as_str(), secret];
        self.mint.text(pepper, environment, &parts, request.now).await
    }
}

impl<A: Adapters<Table: GetKey>> Function<A> {
    /// Returns the key that an earlier try of the same request issued, with its text.
    ///
    /// # Errors
    /// `CONFLICT` when the key was rotated or deleted since.
    async fn issued_before(
        &self,
        result: &str,
        org: OrgId,
        environment: KeyMode,
        user: &User,
        secret: &str,
        request: &Request,
    ) -> Result<(ApiKey, consigne_auth::KeyText), Fault> {
        let malformed = || Fault::internal("the idempotency record of key-issue is malformed");
        let (id, pepper) = result.split_once('#').ok_or_else(malformed)?;
        let (id, pepper) = (key_in_path(id)?, pepper.parse().map_err(|_| malformed())?);
        let key = self.keys.get_key(org, id).await?.ok_or_else(malformed)?;
        if key.generation != 1 || key.status == KeyStatus::Deleted {
            return Err(Fault::new(Code::Conflict, "The key was issued, but has been rotated or deleted since"));
        }
        let (text, _) = self.text(pepper, environment, org, id, user, secret, request).await?;
        Ok((key, text))
    }
}

fn key_of(
    ask: KeyRequest,
    org: OrgId,
    id: KeyId,
    user: &User,
    mint: &KeyMint,
    hint: &str,
    request: &Request,
) -> ApiKey {
    ApiKey {
        org,
        id,
        name: ask.name,
        environment: ask.environment,
        scopes: ask.scopes,
        minute_quota: ask.quotas.minute,
        daily_quota: ask.quotas.daily,
        monthly_quota: ask.quotas.monthly,
        expires_at: ask.expires_at,
        status: KeyStatus::Active,
        generation: 1,
        previous_until: None,
        prefix: mint.prefix(ask.environment),
        hint: hint.to_owned(),
        spender: (ask.environment == KeyMode::Test).then(|| user.id.clone()),
        created_by: user.id.clone(),
        created_at: request.now,
        migrated_at: None,
        revoked: None,
        last_used: None,
        used: BTreeMap::new(),
        minute: None,
        revision: 1,
    }
}
