//! Charges a key: one transaction of key, wallet and receipt.

use consigne_core::credits::{Charge, ChargeOutcome, KeySnapshot, Wallet, WalletId};
use consigne_core::keys::KeyFacts;
use consigne_core::ports::{ChargeKey, ReadKeySnapshot};
use consigne_core::{Fault, Timestamp};

use crate::table::Table;
use crate::table::credits::debit::{Debit, DebitMode, DebitOutcome};
use crate::table::credits::{receipts, wallet_item};
use crate::table::item::{Item, Reader, key, org_pk};
use crate::table::keys::key_item;
use crate::table::people::orgs::member_key;

impl ChargeKey for Table {
    async fn charge_key(&self, charge: &Charge) -> Result<ChargeOutcome, Fault> {
        let mut debit = Debit {
            key: &charge.key,
            ask: &charge.ask,
            ip: charge.receipt.call.ip.as_deref(),
            country: charge.receipt.call.country.as_deref(),
            amount: charge.receipt.credits,
            mode: DebitMode::Spend,
            record_key: receipts::receipt_key(&charge.receipt.id),
            idempotent: !charge.receipt.fingerprint.is_empty(),
        };
        match self.debit(&mut debit, |_| receipts::write(&charge.receipt)).await? {
            DebitOutcome::Applied => Ok(ChargeOutcome::Charged),
            DebitOutcome::Replayed(item) => replay(charge, &item),
            DebitOutcome::Refused(refusal) => Ok(ChargeOutcome::Refused(refusal)),
            DebitOutcome::PayerChanged => Ok(ChargeOutcome::PayerChanged),
        }
    }
}

/// Returns the outcome of a charge whose receipt already exists.
fn replay(charge: &Charge, item: &Item) -> Result<ChargeOutcome, Fault> {
    let receipt = receipts::read(item)?;
    let same = receipt.fingerprint == charge.receipt.fingerprint && receipt.key == charge.receipt.key;
    Ok(if same { ChargeOutcome::Replayed(Box::new(receipt)) } else { ChargeOutcome::KeyReused })
}

impl ReadKeySnapshot for Table {
    async fn read_key_snapshot(&self, facts: &KeyFacts, now: Timestamp) -> Result<Option<KeySnapshot>, Fault> {
        let mut payer = facts.wallet();
        loop {
            let place = match &payer {
                WalletId::Test(user) => Some(member_key(facts.org, user)),
                WalletId::Organisation(_) => None,
            };
            let keys = [
                key_item::key_key(facts.org, facts.id),
                wallet_item::wallet_key(&payer),
                key(org_pk(facts.org), "ORG"),
            ];
            // Not a transaction: a transactional read fails while a charge of the same items is under way.
            let found = self.batch_get(&[&keys[..], place.as_slice()].concat(), true).await?;
            let find = |own: &Item| {
                let same = |item: &&Item| ["pk", "sk"].iter().all(|name| item.get(*name) == own.get(*name));
                found.iter().find(same).cloned().unwrap_or_default()
            };
            let [key, wallet, org] = keys.each_ref().map(find);
            if key.is_empty() {
                return Ok(None);
            }
            let mut suspended = Reader(&org).optional_text("suspended").is_some();
            if !suspended && place.is_some_and(|place| find(&place).is_empty()) {
                if let Some(new_payer) = self.new_payer(facts.org).await? {
                    payer = WalletId::Test(new_payer.user);
                    continue;
                }
                // No owner is left to pay, so every test key is refused.
                suspended = true;
            }
            let wallet = match payer {
                WalletId::Test(user) if wallet.is_empty() => Wallet::of_tester(user, now),
                _ => wallet_item::read(&wallet)?.with_lots_expired(now),
            };
            return Ok(Some(KeySnapshot { key: key_item::read(&key)?, wallet, suspended }));
        }
    }
}
