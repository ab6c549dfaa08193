//! Gives a key a new text; the one before goes on working for a grace period, on the same quotas.

use std::time::Duration;

use consigne_auth::{KeyMint, KeyText, Route, SessionVerifier, User};
use consigne_core::idempotency::{IdempotentRequest, WriteOutcome, key_reused};
use consigne_core::keys::{ApiKey, ChangeContext, IssuedKey, KeyStatus, KeyView, Pointer};
use consigne_core::orgs::{key_in_path, key_not_found};
use consigne_core::ports::{ChangeKey, GetIdempotencyRecord, GetKey, GetMember};
use consigne_core::{Code, Fault, IdempotencyKey, KeyId, OrgId};
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Request, function, needs};
use consigne_usecases::keys::{Changed, change};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const OPERATION: &str = "key-rotate";
/// Grace period when none is named, in seconds: a day.
const GRACE_DEFAULT: u64 = 24 * 60 * 60;

/// Asks to rotate a key.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateRequest {
    /// How long the text before goes on working, in seconds, at most 30 days; a day when absent.
    pub grace_seconds: Option<u64>,
}

/// One rotation: everything its new text follows from but the pepper and the generation.
struct Rotation<'a> {
    org: OrgId,
    id: KeyId,
    user: &'a User,
    idempotency_key: Option<IdempotencyKey>,
    secret: String,
    grace: Duration,
}

needs! {
    /// What the function needs.
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
            (Changed::Replayed(result), _) => self.again(&rotation, &result, request).await?,
        };
        let issued = IssuedKey { key: text.expose().to_owned(), view: KeyView::of(&key, request.now) };
        Ok(Answer::envelope(201, "Key rotated; this answer alone shows it", &issued, request.now))
    }

    fn operations() -> Vec<Operation> {
        let operation = Operation::new::<IssuedKey>("POST /api/orgs/{org}/keys/{key}/rotate", "Give a key a new text");
        let operation = operation.in_org().parameter("key", "Id of the key", true);
        vec![operation.takes::<RotateRequest>().creates().idempotent().refuses(&[Code::Conflict])]
    }
}

impl<A: Needs> Function<A> {
    /// Makes the step, unless the same request made it before.
    async fn rotate(&self, rotation: &Rotation<'_>, request: &Request) -> Result<(Changed, KeyText), Fault> {
        let key = self.keys.get_key(rotation.org, rotation.id).await?.ok_or_else(key_not_found)?;
        let (pepper, next) = (self.mint.current(request.now).await, key.generation + 1);
        let (text, pointer) = self.text(rotation, pepper, &key, next, request).await?;
        let idempotent = rotation.idempotent(&format!("{next}#{pepper}"));
        if let Some(idempotent) = &idempotent {
            // An open rotation refuses another one; but it may be the one that was asked for.
            match self.keys.get_idempotency_record(idempotent, request.now).await? {
                Some(WriteOutcome::Replayed(result)) => return Ok((Changed::Replayed(result), text)),
                Some(_) => return Err(key_reused()),
                None => {}
            }
        }
        let origin = request.origin(&rotation.user.id);
        let by = ChangeContext { origin: &origin, now: request.now };
        let changed = change(&self.keys, rotation.org, rotation.id, |key| {
            if key.generation + 1 != next {
                return Err(Fault::new(Code::Conflict, "Somebody else is rotating the key"));
            }
            key.rotate(pointer.clone(), text.hint(), rotation.grace, idempotent.clone(), &by).map(Some)
        });
        let changed = changed.await;
        if changed.as_ref().is_err_and(|fault| fault.code == Code::Unavailable) {
            // It may be the pepper that has moved: retired since this environment read it.
            self.mint.refresh(request.now).await;
        }
        Ok((changed?, text))
    }

    /// Gives what the same request was answered before.
    async fn again(
        &self,
        rotation: &Rotation<'_>,
        result: &str,
        request: &Request,
    ) -> Result<(ApiKey, KeyText), Fault> {
        let odd = || Fault::internal("a promise of key-rotate is malformed");
        let (generation, pepper) = result.split_once('#').ok_or_else(odd)?;
        let (generation, pepper): (u32, u32) =
            (generation.parse().map_err(|_| odd())?, pepper.parse().map_err(|_| odd())?);
        let key = self.keys.get_key(rotation.org, rotation.id).await?.ok_or_else(key_not_found)?;
        if key.status == KeyStatus::Deleted {
            return Err(key_not_found());
        }
        if key.generation != generation {
            return Err(Fault::new(Code::Conflict, "The key was rotated, and rotated again since"));
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
