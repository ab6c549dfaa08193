//! Charges: the request to the table and its outcome.

use super::{LotKind, Receipt, TEST_CREDITS, Wallet, WalletId, WalletRefusal};
use crate::audit::AuditEntry;
use crate::events::Event;
use crate::keys::{ApiKey, Ask, KeyFacts, Limiter, Refusal, RefusalCode};
use crate::{LotId, OrgId, Timestamp};

/// A charge of one key and its wallet, with the receipt to write.
#[derive(Clone, Debug, PartialEq)]
pub struct Charge {
    /// The key to charge.
    pub key: KeyFacts,
    /// What the call requires of the key.
    pub ask: Ask,
    /// The receipt. Its `credits` are the cost, at least 1.
    pub receipt: Receipt,
}

impl Charge {
    /// Returns the wallet that pays.
    pub fn wallet(&self) -> WalletId {
        self.key.wallet()
    }
}

impl KeyFacts {
    /// Returns the wallet that pays: a person's test wallet for test keys, else the organisation's.
    pub fn wallet(&self) -> WalletId {
        match &self.spender {
            Some(user) => WalletId::Test(user.clone()),
            None => WalletId::Organisation(self.org),
        }
    }
}

/// The outcome of a charge. Only `Charged` means that something was written.
#[derive(Debug, PartialEq)]
pub enum ChargeOutcome {
    /// Key, wallet and receipt were written.
    Charged,
    /// The same request was charged before. This is its receipt.
    Replayed(Box<Receipt>),
    /// The idempotency key was used with a different request.
    KeyReused,
    /// The key or its wallet refuses the charge.
    Refused(Refusal),
    /// The key's wallet is not the one that the charge assumed, because its payer has left, perhaps just now. Look up
    /// the key again and repeat the charge.
    PayerChanged,
}

/// A key with its wallet and its organisation's state, read for a check that charges nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct KeySnapshot {
    /// The key that is checked.
    pub key: ApiKey,
    /// Its wallet, without lots that had expired at the time of the check.
    pub wallet: Wallet,
    /// Whether the organisation is suspended.
    pub suspended: bool,
}

impl KeySnapshot {
    /// Returns why a call would be refused. A charge would get the same refusal.
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
    /// Converts a wallet's refusal to the refusal in the answer.
    pub fn refused(&self, refusal: WalletRefusal, cost: u64) -> Refusal {
        if refusal == WalletRefusal::Closed {
            return Refusal::of(RefusalCode::Suspended, Limiter::Organisation);
        }
        match self.id {
            WalletId::Organisation(_) => Refusal::of(RefusalCode::InsufficientCredits, Limiter::Wallet),
            // A test wallet is refilled each period, but only up to its first amount. A higher cost never fits.
            WalletId::Test(_) => Refusal {
                resets_at: self.next_expiry.filter(|_| cost <= TEST_CREDITS),
                ..Refusal::of(RefusalCode::InsufficientCredits, Limiter::TestWallet)
            },
        }
    }
}

/// Credits given to an organisation.
#[derive(Clone, Debug, PartialEq)]
pub struct CreditGrant {
    /// Id of the credit grant. Each id is granted at most once.
    pub id: LotId,
    /// The organisation that gets the credits.
    pub org: OrgId,
    /// Whether they are paid or promotional.
    pub kind: LotKind,
    /// Number of credits, at least 1.
    pub amount: u64,
    /// When they expire; `None` if never.
    pub expires_at: Option<Timestamp>,
    /// The time of the grant.
    pub now: Timestamp,
    /// Entry of the audit log.
    pub audit: AuditEntry,
    /// The event that announces the top-up.
    pub event: Event,
}

/// The outcome of a grant of credits.
#[derive(Debug, PartialEq)]
pub enum CreditGrantOutcome {
    /// The credits are in the wallet.
    Granted,
    /// They were granted before. Nothing was changed.
    GrantedBefore,
    /// The organisation does not exist.
    NoSuchOrganisation,
}
