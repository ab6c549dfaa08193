//! A charge: what is asked of the table, and what it answers.

use super::{LotKind, Receipt, TEST_CREDITS, Wallet, WalletId, WalletRefusal};
use crate::audit::AuditEntry;
use crate::events::Event;
use crate::keys::{ApiKey, Ask, KeyFacts, Limiter, Refusal, RefusalCode};
use crate::{LotId, OrgId, Timestamp};

/// A charge of one key and its wallet, with the receipt it leaves.
#[derive(Clone, Debug, PartialEq)]
pub struct Charge {
    /// The key.
    pub key: KeyFacts,
    /// What is asked of it.
    pub ask: Ask,
    /// The receipt; its `credits` are the cost, at least 1.
    pub receipt: Receipt,
}

impl Charge {
    /// Gives the wallet that pays.
    pub fn wallet(&self) -> WalletId {
        self.key.wallet()
    }
}

impl KeyFacts {
    /// Gives the wallet that pays.
    pub fn wallet(&self) -> WalletId {
        match &self.spender {
            Some(user) => WalletId::Test(user.clone()),
            None => WalletId::Organisation(self.org),
        }
    }
}

/// What became of a charge. Only `Charged` has changed anything.
#[derive(Debug, PartialEq)]
pub enum ChargeOutcome {
    /// Key, wallet and receipt were written.
    Charged,
    /// The same request was charged before; this is its receipt.
    Replayed(Box<Receipt>),
    /// The idempotency key stands for another request.
    KeyReused,
    /// The key or its wallet refuses.
    Refused(Refusal),
    /// The key spends another wallet than was remembered, perhaps only now: who spent it has left. Look it up again.
    PayerChanged,
}

/// Everything a check without a charge reads: the key, its wallet, and whether its organisation is stopped.
#[derive(Clone, Debug, PartialEq)]
pub struct KeySnapshot {
    /// The key.
    pub key: ApiKey,
    /// Its wallet, settled as of the check.
    pub wallet: Wallet,
    /// Whether the organisation is suspended.
    pub suspended: bool,
}

impl KeySnapshot {
    /// Says why a call would be refused; the same words a charge would get.
    pub fn refusal(&self, ask: &Ask, cost: u64) -> Option<Refusal> {
        if let Some(refusal) = self.key.refusal(ask) {
            return Some(refusal);
        }
        if self.suspended {
            return Some(Refusal::of(RefusalCode::Suspended, Limiter::Organisation));
        }
        self.wallet.refusal(cost, ask.now).map(|refusal| self.wallet.refused(refusal, cost))
    }
}

impl Wallet {
    /// Puts a wallet's refusal into the caller's words.
    pub fn refused(&self, refusal: WalletRefusal, cost: u64) -> Refusal {
        if refusal == WalletRefusal::Closed {
            return Refusal::of(RefusalCode::Suspended, Limiter::Organisation);
        }
        match self.id {
            WalletId::Organisation(_) => Refusal::of(RefusalCode::InsufficientCredits, Limiter::Wallet),
            // Time alone fills a test wallet again, but never with more than it begins with.
            WalletId::Test(_) => Refusal {
                resets_at: self.next_expiry.filter(|_| cost <= TEST_CREDITS),
                ..Refusal::of(RefusalCode::InsufficientCredits, Limiter::TestWallet)
            },
        }
    }
}

/// Credits for an organisation.
#[derive(Clone, Debug, PartialEq)]
pub struct CreditGrant {
    /// Names the grant; the same one is given once.
    pub id: LotId,
    /// To whom.
    pub org: OrgId,
    /// What kind.
    pub kind: LotKind,
    /// How many, at least 1.
    pub amount: u64,
    /// Until when.
    pub expires_at: Option<Timestamp>,
    /// When it is given.
    pub now: Timestamp,
    /// Entry of the audit trail.
    pub audit: AuditEntry,
    /// What the world is told.
    pub event: Event,
}

/// What became of a grant of credits.
#[derive(Debug, PartialEq)]
pub enum CreditGrantOutcome {
    /// They are in the wallet.
    Granted,
    /// They were before; nothing was changed.
    GrantedBefore,
    /// There is no such organisation.
    NoSuchOrganisation,
}
