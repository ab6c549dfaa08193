//! Fakes for holds.

use consigne_core::Fault;
use consigne_core::credits::{Hold, HoldId, Opening, OpeningOutcome, REFUNDS_A_DAY, Resolution, ResolutionOutcome};
use consigne_core::ports::{GetHold, OpenHold, ResolveHold};

use super::credits::{Asked, DebitOutcome};
use super::{State, World};

impl OpenHold for World {
    async fn open_hold(&self, opening: &Opening) -> Result<OpeningOutcome, Fault> {
        self.effect(|state| {
            let hold = &opening.hold;
            if let Some(before) = state.accounts.holds.get(&hold.id) {
                let same = before.fingerprint == hold.fingerprint && before.key == hold.key;
                return if same {
                    OpeningOutcome::Replayed(Box::new(before.clone()))
                } else {
                    OpeningOutcome::KeyReused
                };
            }
            let Opening { key, ask, ip, country, .. } = opening;
            let (ip, country) = (ip.as_deref(), country.as_deref());
            let asked = Asked { key, ask, ip, country, amount: hold.amount };
            match state.take(&asked, |wallet| wallet.hold(hold.amount)) {
                DebitOutcome::Refused(refusal) => OpeningOutcome::Refused(refusal),
                DebitOutcome::PayerChanged => OpeningOutcome::PayerChanged,
                DebitOutcome::Applied { expiry_epoch } => {
                    let hold = Hold { expiry_epoch, ..hold.clone() };
                    state.accounts.holds.insert(hold.id, hold.clone());
                    OpeningOutcome::Opened(Box::new(hold))
                }
            }
        })
    }
}

impl GetHold for World {
    async fn get_hold(&self, id: HoldId) -> Result<Option<Hold>, Fault> {
        self.effect(|state| state.accounts.holds.get(&id).cloned())
    }
}

impl ResolveHold for World {
    async fn resolve_hold(&self, step: &Resolution) -> Result<ResolutionOutcome, Fault> {
        self.effect(|state| {
            let State { accounts, .. } = state;
            let hold = &step.hold;
            if accounts.holds.get(&hold.id).is_none_or(|known| known.end.is_some()) {
                return ResolutionOutcome::Conflict;
            }
            if let Some(day) = step.refund_of {
                let given = accounts.refunds.entry((hold.id.org(), hold.key, day)).or_default();
                if *given >= REFUNDS_A_DAY {
                    return ResolutionOutcome::NoMoreRefunds;
                }
                *given += 1;
            }
            accounts.holds.insert(hold.id, hold.clone());
            if let Some(receipt) = &step.receipt {
                accounts.receipts.insert(receipt.id, receipt.clone());
            }
            state.expire_lots_of(&hold.wallet, step.now);
            let wallet = state.accounts.wallets.get_mut(&hold.wallet).expect("credits were held of it");
            assert!(wallet.release(hold.expiry_epoch, hold.amount, step.used), "the wallet holds what is held of it");
            ResolutionOutcome::Resolved
        })
    }
}
