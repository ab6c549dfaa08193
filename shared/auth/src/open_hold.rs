//! Opening a hold with a key that was found, whoever it spends by now.

use consigne_core::Fault;
use consigne_core::credits::{Hold, Opening, OpeningOutcome};
use consigne_core::keys::Refusal;
use consigne_core::orgs::key_not_found;
use consigne_core::ports::{GetKey, OpenHold};

use crate::KeyFinder;

/// What became of the opening of a hold. Only `Now` has changed anything.
#[derive(Debug)]
pub enum HoldOpened {
    /// This one was opened.
    Opened(Hold),
    /// The same request opened this one before.
    Replayed(Hold),
    /// The idempotency key stands for another request.
    KeyReused,
    /// The key or its wallet refuses.
    Refused(Refusal),
}

impl KeyFinder {
    /// Opens a hold, looking up its wallet again should the key's spender have left.
    pub async fn open_hold<F: GetKey + OpenHold>(
        &self,
        keys: &F,
        text: &str,
        opening: &mut Opening,
    ) -> Result<HoldOpened, Fault> {
        loop {
            match keys.open_hold(opening).await? {
                OpeningOutcome::Opened(hold) => return Ok(HoldOpened::Opened(*hold)),
                OpeningOutcome::Replayed(hold) => return Ok(HoldOpened::Replayed(*hold)),
                OpeningOutcome::KeyReused => return Ok(HoldOpened::KeyReused),
                OpeningOutcome::Refused(refusal) => return Ok(HoldOpened::Refused(refusal)),
                OpeningOutcome::PayerChanged => {
                    let mut facts = opening.key.clone();
                    let key = keys.get_key(facts.org, facts.id).await?.ok_or_else(key_not_found)?;
                    facts.spender = key.spender;
                    self.correct(text, &facts, opening.ask.now).await;
                    opening.respend(facts);
                }
            }
        }
    }
}
