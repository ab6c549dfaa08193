//! Fakes for purchases and claw-backs.

use consigne_core::credits::{
    ClawBack, ClawBackOutcome, LotKind, Payment, Purchase, PurchaseOutcome, Wallet, WalletId,
};
use consigne_core::ports::{ClawBackCredits, CreditPurchase, ListPayments, Listed, PageAsk};
use consigne_core::{Fault, OrgId};

use super::accounts::page;
use super::{State, World};

impl State {
    fn payment(&self, id: &consigne_core::credits::PaymentId) -> Payment {
        self.accounts.payments.get(id).cloned().unwrap_or_else(|| Payment::unknown(id.clone()))
    }

    fn wallet_of(&mut self, org: consigne_core::OrgId) -> Option<&mut Wallet> {
        self.accounts.wallets.get_mut(&WalletId::Organisation(org))
    }
}

impl CreditPurchase for World {
    async fn credit_purchase(&self, purchase: &Purchase) -> Result<PurchaseOutcome, Fault> {
        self.effect(|state| {
            let session = (purchase.org, purchase.session.clone());
            if state.accounts.sessions.contains(&session) {
                return Ok(PurchaseOutcome::CreditedBefore);
            }
            if state.wallet_of(purchase.org).is_none() || state.accounts.deleted.contains_key(&purchase.org) {
                return Ok(PurchaseOutcome::NoSuchOrganisation);
            }
            let known = state.payment(&purchase.payment);
            if known.sale.is_some() {
                return Err(Fault::internal("two sessions were paid by one payment"));
            }
            let sold = known.sold(purchase);
            state.accounts.sessions.insert(session);
            state.expire_lots_of(&WalletId::Organisation(purchase.org), purchase.now);
            let early = sold.clawed_back;
            let wallet = state.wallet_of(purchase.org).expect("it was there");
            *wallet = wallet.with_lots_expired(purchase.now);
            wallet.add(purchase.lot, LotKind::Paid, purchase.credits, None);
            if early > 0 {
                wallet.claw_back(purchase.lot, early);
            }
            let early_events = purchase.early_events(&sold, wallet.balance);
            let alert = wallet.alert(purchase.now);
            state.accounts.payments.insert(sold.id.clone(), sold);
            state.accounts.audit.push(purchase.audit.clone());
            if early > 0 {
                state.accounts.audit.push(purchase.audit_of_early_refund(early));
            }
            state.push_event(&purchase.event);
            for event in early_events {
                state.push_event(&event);
            }
            state.publish_alert(alert);
            Ok(PurchaseOutcome::Credited)
        })?
    }
}

impl ClawBackCredits for World {
    async fn claw_back(&self, told: &ClawBack) -> Result<ClawBackOutcome, Fault> {
        self.effect(|state| {
            let before = state.payment(&told.payment);
            let Some(after) = before.with_report(&told.cause) else { return ClawBackOutcome::Unchanged };
            let outcome = ClawBack::outcome(&before, &after);
            if let Some(sale) = &after.sale
                && let Some(entry) = told.audit(sale.org, outcome)
            {
                state.expire_lots_of(&WalletId::Organisation(sale.org), told.now);
                let wallet = state.wallet_of(sale.org).expect("credits were sold to it");
                wallet.apply(sale.lot, outcome);
                let balance = wallet.balance;
                let notice = wallet.alert(told.now);
                if let Some(event) = told.event(sale, outcome, balance) {
                    state.push_event(&event);
                }
                state.publish_alert(notice);
                state.accounts.audit.push(entry);
            }
            state.accounts.payments.insert(after.id.clone(), after);
            outcome
        })
    }
}

impl ListPayments for World {
    async fn list_payments(&self, org: OrgId, ask: &PageAsk) -> Result<Listed<Payment>, Fault> {
        self.effect(|state| {
            let lot_of = |payment: &Payment| payment.sale.as_ref().filter(|sale| sale.org == org).map(|sale| sale.lot);
            let payments = state.accounts.payments.values();
            let mut theirs: Vec<Payment> = payments.filter(|payment| lot_of(payment).is_some()).cloned().collect();
            theirs.sort_by_key(|payment| std::cmp::Reverse(lot_of(payment)));
            page(&theirs, ask).map(|listed| Listed { total: None, ..listed })
        })?
    }
}
