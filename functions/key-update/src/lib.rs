//! Changes a key's name, scopes, quotas or expiry. An absent field stays as it is, null removes a limit, and a value
//! replaces the old one.

use consigne_auth::{Route, SessionVerifier};
use consigne_core::keys::{ChangeContext, KEY_NAME_MAX, KeyPatch, KeyView, QUOTA_MAX};
use consigne_core::orgs::key_in_path;
use consigne_core::ports::{ChangeKey, GetKey, GetMember};
use consigne_core::{Code, Fault, services};
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Request, function};
use consigne_usecases::keys::change;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;

/// Changes to a key. A field that is absent stays as it is.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "KeyUpdateRequest")]
pub struct UpdateRequest {
    /// New name; null is refused.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = KEY_NAME_MAX))]
    pub name: Option<Option<String>>,
    /// New scopes, all of them; null is refused.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<String>", length(min = 1), extend("items" = json!({ "enum": services::scopes() })))]
    pub scopes: Option<Option<Vec<String>>>,
    /// Most charged calls in a minute, from the first of them; null for no limit.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<u64>", range(min = 1, max = QUOTA_MAX))]
    pub minute_quota: Option<Option<u64>>,
    /// Most charged calls in a day (UTC); null for no limit.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<u64>", range(min = 1, max = QUOTA_MAX))]
    pub daily_quota: Option<Option<u64>>,
    /// Most charged calls in a month (UTC); null for no limit.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<u64>", range(min = 1, max = QUOTA_MAX))]
    pub monthly_quota: Option<Option<u64>>,
    /// When the key expires; null for never.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub expires_at: Option<Option<String>>,
}

/// Deserializes a field that is present, even if it is null. Only an absent field becomes `None`.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

function! {
    users: SessionVerifier = session_verifier(),
    keys: A::Table = table(),
}

impl<A: Adapters<Table: GetMember + GetKey + ChangeKey>> HttpFunction for Function<A> {
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let (user, org) = request.member(&self.users, &self.keys, Route::KeyUpdate).await?;
        let id = key_in_path(request.parameter("key"))?;
        request.log.field("key.id", id);
        let body: UpdateRequest = request.json()?;
        let patch = body.parse(request)?;

        let origin = request.origin(&user);
        let by = ChangeContext { origin: &origin, now: request.now };
        let key = change(&self.keys, org, id, |key| key.update(&patch, &by)).await?.key()?;
        Ok(Answer::envelope(200, "Key updated", &KeyView::of(&key, request.now), request.now))
    }

    fn operations() -> Vec<Operation> {
        let operation = Operation::new::<KeyView>("PATCH /api/orgs/{org}/keys/{key}", "Change a key");
        let operation = operation.in_org().parameter("key", "Id of the key", true);
        vec![operation.takes::<UpdateRequest>().refuses(&[Code::Conflict])]
    }
}

impl UpdateRequest {
    fn parse(&self, request: &Request) -> Result<KeyPatch, Fault> {
        let patch = KeyPatch::parse(
            self.name.as_ref().map(Option::as_deref),
            self.scopes.as_ref().map(Option::as_deref),
            self.minute_quota,
            self.daily_quota,
            self.monthly_quota,
            self.expires_at.as_ref().map(Option::as_deref),
            request.now,
        )?;
        if patch.is_empty() {
            return Err(Fault::new(Code::InvalidRequest, "body must name at least one field to change"));
        }
        Ok(patch)
    }
}
