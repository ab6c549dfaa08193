//! Opens holds and ends them.

use consigne_auth::KeyFinder;
use consigne_core::Fault;
use consigne_core::credits::{
    CallRecord, Hold, HoldEnd, HoldId, Opening, OpeningOutcome, ResolutionOutcome, Resolver, VoidReason, hold_not_found,
};
use consigne_core::keys::Refusal;
use consigne_core::orgs::key_not_found;
use consigne_core::ports::{GetHold, GetKey, OpenHold, ResolveHold};

use crate::ConflictRetry;

/// The outcome of opening a hold. Only `Opened` means that something was written.
#[derive(Debug)]
pub enum HoldOpened {
    /// The hold that was opened.
    Opened(Hold),
    /// The hold that an earlier try of the request opened.
    Replayed(Hold),
    /// The idempotency key was used with a different request.
    KeyReused,
    /// Why the key or its wallet refuses the hold.
    Refused(Refusal),
}

/// Opens a hold on the wallet of a key. `text` is the key's text, under which the finder has cached it.
///
/// A test key may have a new payer since the finder cached the key. Then the key is read again, the cache is corrected,
/// and the hold is opened on the new payer's wallet.
///
/// # Errors
/// `NOT_FOUND` if the key no longer exists; `UNAVAILABLE` if its payer keeps changing or the table does not answer.
pub async fn open<F: GetKey + OpenHold>(
    finder: &KeyFinder,
    keys: &F,
    text: &str,
    opening: &mut Opening,
) -> Result<HoldOpened, Fault> {
    let mut retry = ConflictRetry::of("the key's payer");
    loop {
        match keys.open_hold(opening).await? {
            OpeningOutcome::Opened(hold) => return Ok(HoldOpened::Opened(*hold)),
            OpeningOutcome::Replayed(hold) => return Ok(HoldOpened::Replayed(*hold)),
            OpeningOutcome::KeyReused => return Ok(HoldOpened::KeyReused),
            OpeningOutcome::Refused(refusal) => return Ok(HoldOpened::Refused(refusal)),
            OpeningOutcome::PayerChanged => {
                let mut facts = opening.key.clone();
                let key = keys.get_key(facts.org, facts.id).await?.ok_or_else(key_not_found)?;
                if facts.spender == key.spender {
                    retry.wait().await?;
                }
                facts.spender = key.spender;
                finder.correct(text, &facts, opening.ask.now).await;
                opening.set_key(facts);
            }
        }
    }
}

/// Ends a hold as `how` says.
///
/// If the provider failed but the day's refunds are used up, the hold is ended without a refund. It must not stay open:
/// it would time out, and `sweep` would give all of it back without counting a refund.
///
/// # Errors
/// `NOT_FOUND` if there is no such hold; those of [`Hold::resolve`]; `UNAVAILABLE` if the hold keeps changing.
pub async fn resolve<F: GetHold + ResolveHold>(
    holds: &F,
    id: HoldId,
    mut how: HoldEnd,
    by: &Resolver,
) -> Result<Hold, Fault> {
    let mut retry = ConflictRetry::of("the hold");
    loop {
        let hold = holds.get_hold(id).await?.ok_or_else(hold_not_found)?;
        let Some(step) = hold.resolve(how, by)? else { return Ok(hold) };
        match holds.resolve_hold(&step).await? {
            ResolutionOutcome::Resolved => return Ok(step.hold),
            ResolutionOutcome::NoMoreRefunds => how = HoldEnd::Voided(VoidReason::RefundsSpent),
            ResolutionOutcome::Conflict => retry.wait().await?,
        }
    }
}

/// Ends a hold like [`resolve`], and records its call. The caller has just opened the hold, so it is read only after a
/// lost answer or a conflict.
///
/// # Errors
/// Those of [`resolve`], and that of the table if its write fails twice.
pub async fn resolve_opened<F: GetHold + ResolveHold>(
    holds: &F,
    opened: &Hold,
    how: HoldEnd,
    call: &CallRecord,
    by: &Resolver,
) -> Result<Hold, Fault> {
    let mut retry = ConflictRetry::of("the hold");
    let (mut hold, mut failed) = (opened.clone(), false);
    loop {
        let Some(step) = hold.resolve(how, by)? else { return Ok(hold) };
        let step = step.with_call(call);
        match holds.resolve_hold(&step).await {
            Ok(ResolutionOutcome::Resolved) => return Ok(step.hold),
            // `NoMoreRefunds` does not happen, because these refunds have no daily limit.
            Ok(ResolutionOutcome::NoMoreRefunds | ResolutionOutcome::Conflict) => retry.wait().await?,
            Err(fault) if failed => return Err(fault),
            Err(_) => failed = true,
        }
        hold = holds.get_hold(opened.id).await?.ok_or_else(hold_not_found)?;
    }
}
