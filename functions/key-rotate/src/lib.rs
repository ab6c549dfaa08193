//! Rotates a key: gives it a new text. The previous text also works for a grace period, within the same quotas.

use std::time::Duration;

use consigne_auth::{KeyMint, KeyText, Route, SessionVerifier, User};
use consigne_core::idempotency::{IdempotentRequest, WriteOutcome, key_reused};
use consigne_core::keys::{ApiKey, ChangeContext, GRACE_MAX, IssuedKey, KeyStatus, KeyView, Pointer};
use consigne_core::orgs::{key_in_path, key_not_found};
use consigne_core::ports::{ChangeKey, GetIdempotencyRecord, GetKey, GetMember};
use consigne_core::{Code, Fault, IdempotencyKey, KeyId, OrgId};
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Request, function, needs};
use consigne_usecases::keys::{Changed, change};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const OPERATION: &str = "key-rotate";
/// Grace period when the request names none, in seconds: one day.
const GRACE_DEFAULT: u64 = 24 * 60 * 60;

/// Request to rotate a key.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "KeyRotateRequest")]
pub struct RotateRequest {
    /// How long the previous text also works, in seconds; at most 30 days, one day when absent.
    #[schemars(range(max = GRACE_MAX.as_secs()))]
    pub grace_seconds: Option<u64>,
}

/// One rotation: what the new text is derived from, apart from the pepper and the generation.
struct Rotation<'a> {
    org: OrgId,
    id: KeyId,
    user: &'a User,
    idempotency_key: Option<IdempotencyKey>,
    secret: String,
    grace: Duration,
}

needs! {
    /// The ports this function uses. Each stands for one IAM action.
    pub trait Needs: Adapters<Table: GetMember + GetKey + ChangeKey + GetIdempotencyRecord>
}

function! {
    users: SessionVerifier = session_verifier(),
    keys: A::Table = table(),
    mint: KeyMint = key_mint().await,
}

impl<A: Needs> HttpFunction for Function<A> {
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let (user, org) = request.member(&self.users, &self.keys, Route::KeyRotate).await?;
        let id = key_in_path(request.parameter("key"))?;
        request.log.field("key.id", id);
        let body: RotateRequest = request.json()?;
        let idempotency_key = request.idempotency_key(&body)?;
        let grace = ApiKey::grace(body.grace_seconds.unwrap_or(GRACE_DEFAULT))?;

        let secret =
            idempotency_key.as_ref().map_or_else(KeyMint::nonce, |idempotency_key| idempotency_key.key.clone());
        let rotation = Rotation { org, id, user: &user, idempotency_key, secret, grace };
        let (key, text) = match self.rotate(&rotation, request).await? {
            (Changed::Applied(key), text) => (*key, text),
            (Changed::Replayed(result), _) => self.rotated_before(&rotation, &result, request).await?,
        };
        let issued = IssuedKey { key: text.expose().to_owned(), view: KeyView::of(&key, request.now) };
        Ok(Answer::envelope(201, "Key rotated. Store it now: it is not shown again", &issued, request.now))
    }

    fn operations() -> Vec<Operation> {
        let operation = Operation::new::<IssuedKey>(
            "POST /api/orgs/{org}/keys/{key}/rotate",
            "Rotate a key. Only the answer shows its new text",
        );
        let operation = operation.in_org().parameter("key", "Id of the key", true);
        vec![operation.takes::<RotateRequest>().creates().idempotent().refuses(&[Code::Conflict, Code::RateLimited])]
    }
}

impl<A: Needs> Function<A> {
    /// Rotates the key, unless an earlier try of the same request has done so.
    async fn rotate(&self, rotation: &Rotation<'_>, request: &Request) -> Result<(Changed, KeyText), Fault> {
        let key = self.keys.get_key(rotation.org, rotation.id).await?.ok_or_else(key_not_found)?;
        let (pepper, next) = (self.mint.current(request.now).await, key.generation + 1);
        let (text, pointer) = self.text(rotation, pepper, &key, next, request).await?;
        let idempotent = rotation.idempotent(&format!("{next}#{pepper}"));
        if let Some(idempotent) = &idempotent {
            // A key with an open rotation refuses another one, so first check whether an earlier try of this request opened it.
            match self.keys.get_idempotency_record(idempotent, request.now).await? {
                Some(WriteOutcome::Replayed(result)) => return Ok((Changed::Replayed(result), text)),
                Some(_) => return Err(key_reused()),
                None => {}
            }
        }
        let origin = request.origin(rotation.user);
        let by = ChangeContext { origin: &origin, now: request.now };
        let changed = change(&self.keys, rotation.org, rotation.id, |key| {
            if key.generation + 1 != next {
                return Err(Fault::new(Code::Conflict, "Somebody else is rotating the key"));
            }
            key.rotate(pointer.clone(), text.hint(), rotation.grace, idempotent.clone(), &by).map(Some)
        });
        let changed = changed.await;
        if changed.as_ref().is_err_and(|fault| fault.code == Code::Unavailable) {
            // The pepper may have been retired since this execution environment read it.
            self.mint.refresh(request.now).await;
        }
        Ok((changed?, text))
    }

    /// Returns the key and the text that an earlier try of the same request has returned.
    ///
    /// # Errors
    /// `NOT_FOUND` when the key is deleted, `CONFLICT` when it was rotated again since.
    async fn rotated_before(
        &self,
        rotation: &Rotation<'_>,
        result: &str,
        request: &Request,
    ) -> Result<(ApiKey, KeyText), Fault> {
        let malformed = || Fault::internal("the idempotency record of key-rotate is malformed");
        let (generation, pepper) = result.split_once('#').ok_or_else(malformed)?;
        let (generation, pepper): (u32, u32) =
            (generation.parse().map_err(|_| malformed())?, pepper.parse().map_err(|_| malformed())?);
        let key = self.keys.get_key(rotation.org, rotation.id).await?.ok_or_else(key_not_found)?;
        if key.status == KeyStatus::Deleted {
            return Err(key_not_found());
        }
        if key.generation != generation {
            return Err(Fault::new(Code::Conflict, "The key was rotated, but has been rotated again since"));
        }
        let (text, _) = self.text(rotation, pepper, &key, generation, request).await?;
        Ok((key, text))
    }

    async fn text(
        &self,
        rotation: &Rotation<'_>,
        pepper: u32,
        key: &ApiKey,
        generation: u32,
        request: &Request,
    ) -> Result<(KeyText, Pointer), Fault> {
        let (org, id, generation) = (rotation.org.to_string(), rotation.id.to_string(), generation.to_string());
        let parts = [OPERATION, &org, &id, &generation, rotation.user.id.as_str(), &rotation.secret];
        self.mint.text(pepper, key.environment, &parts, request.now).await
    }
}

impl Rotation<'_> {
    fn idempotent(&self, result: &str) -> Option<IdempotentRequest> {
        let key = self.idempotency_key.clone()?;
        Some(IdempotentRequest {
            key,
            owner: self.user.id.clone().into(),
            operation: OPERATION,
            result: result.to_owned(),
        })
    }
}
