//! Purchases, and the credits that refunds and disputes claw back.

use aws_sdk_dynamodb::types::{Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem};
use consigne_core::credits::{
    ClawBack, ClawBackOutcome, LotKind, Payment, PaymentId, Purchase, PurchaseOutcome, Sale, Wallet,
};
use consigne_core::ports::{ClawBackCredits, CreditPurchase, ListPayments, Listed, PageAsk};
use consigne_core::{Fault, OrgId, Timestamp};

use crate::table::credits::payment_item;
use crate::table::credits::wallet_change::WalletChange;
use crate::table::credits::wallets::in_time;
use crate::table::item::{key, number, org_pk, text};
use crate::table::outbox;
use crate::table::transact::{Outcome, failed_at};
use crate::table::{Table, audit};

/// Index of the session in the transaction of a purchase.
const SESSION: usize = 0;

impl CreditPurchase for Table {
    async fn credit_purchase(&self, purchase: &Purchase) -> Result<PurchaseOutcome, Fault> {
        loop {
            let payment = self.payment(&purchase.payment).await?;
            match &payment.sale {
                Some(sale) if sale.session == purchase.session => return Ok(PurchaseOutcome::CreditedBefore),
                Some(_) => return Err(Fault::internal("two sessions were paid by one payment")),
                None => {}
            }
            // Looked up last: a purchase that was credited stays so when its organisation is deleted later.
            let Some(wallet) = self.wallet_to_credit(purchase.org, purchase.now).await? else {
                return Ok(PurchaseOutcome::NoSuchOrganisation);
            };
            let writes = self.purchase_writes(purchase, &wallet, &payment)?;
            let Outcome::Refused(failed) = self.transact(writes).await? else {
                return Ok(PurchaseOutcome::Credited);
            };
            if failed_at(&failed, SESSION).is_some() {
                return Ok(PurchaseOutcome::CreditedBefore);
            }
            in_time()?;
        }
    }
}

impl ClawBackCredits for Table {
    async fn claw_back(&self, report: &ClawBack) -> Result<ClawBackOutcome, Fault> {
        loop {
            let before = self.payment(&report.payment).await?;
            let Some(after) = before.with_report(&report.cause) else { return Ok(ClawBackOutcome::Unchanged) };
            let outcome = ClawBack::outcome(&before, &after);
            let mut writes = vec![self.keep_payment(&before, &after, report.now)?];
            if let Some(sale) = &after.sale {
                writes.extend(self.claw_back_writes(report, sale, outcome).await?);
            }
            if matches!(self.transact(writes).await?, Outcome::Committed) {
                return Ok(outcome);
            }
            // The payment or the wallet has changed since it was read.
            in_time()?;
        }
    }
}

impl ListPayments for Table {
    async fn list_payments(&self, org: OrgId, page: &PageAsk) -> Result<Listed<Payment>, Fault> {
        let query = self.partition(Some("gsi1"), payment_item::of_org(org));
        let query = query.key_condition_expression("#pk = :pk").scan_index_forward(false);
        self.page_without_total(Some("gsi1"), query, page, payment_item::read).await
    }
}

impl Table {
    fn purchase_writes(
        &self,
        purchase: &Purchase,
        seen: &Wallet,
        payment: &Payment,
    ) -> Result<Vec<TransactWriteItem>, Fault> {
        let sold = payment.sold(purchase);
        // This also drops spent lots. In a wallet whose lots never expire, nothing else does.
        let mut wallet = seen.with_lots_expired(purchase.now);
        wallet.add(purchase.lot, LotKind::Paid, purchase.credits, None);
        let mut session = key(org_pk(purchase.org), format!("SESSION#{}", purchase.session.as_str()));
        session.insert("payment".to_owned(), text(purchase.payment.as_str()));
        session.insert("at".to_owned(), number(purchase.now.as_millis()));
        let mut writes = vec![
            self.put_new(session)?,
            self.keep_payment(payment, &sold, purchase.now)?,
            self.put(audit::write(&purchase.audit))?,
            self.put(outbox::write(&purchase.event))?,
        ];
        if sold.clawed_back > 0 {
            wallet.claw_back(purchase.lot, sold.clawed_back);
            writes.push(self.put(audit::write(&purchase.audit_of_early_refund(sold.clawed_back)))?);
        }
        for event in purchase.early_events(&sold, wallet.balance) {
            writes.push(self.put(outbox::write(&event))?);
        }
        let notice = wallet.alert(purchase.now);
        writes.extend(self.wallet_writes(WalletChange::between(seen, &wallet), notice)?);
        Ok(writes)
    }

    /// Returns the writes of a claw-back: wallet, audit entry and events. There are none if the outcome moves no
    /// credits.
    async fn claw_back_writes(
        &self,
        report: &ClawBack,
        sale: &Sale,
        outcome: ClawBackOutcome,
    ) -> Result<Vec<TransactWriteItem>, Fault> {
        let Some(entry) = report.audit(sale.org, outcome) else { return Ok(Vec::new()) };
        let wallet = self.wallet_to_change(sale.org, report.now).await?;
        let seen = wallet.ok_or_else(|| Fault::internal("the organisation that bought credits has no wallet"))?;
        let mut wallet = seen.clone();
        wallet.apply(sale.lot, outcome);
        let notice = wallet.alert(report.now);
        let mut writes = self.wallet_writes(WalletChange::between(&seen, &wallet), notice)?;
        writes.push(self.put(audit::write(&entry))?);
        if let Some(event) = report.event(sale, outcome, wallet.balance) {
            writes.push(self.put(outbox::write(&event))?);
        }
        Ok(writes)
    }

    async fn payment(&self, id: &PaymentId) -> Result<Payment, Fault> {
        let item = self.get(payment_item::payment_key(id)).await?;
        Ok(item.as_ref().map(payment_item::read).transpose()?.unwrap_or_else(|| Payment::unknown(id.clone())))
    }

    /// Returns the write of a payment's record, on condition that it has not changed since it was read.
    fn keep_payment(&self, before: &Payment, after: &Payment, now: Timestamp) -> Result<TransactWriteItem, Fault> {
        let put = Put::builder()
            .table_name(&self.name)
            .set_item(Some(payment_item::write(after, now)))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let put = if before.revision == 0 {
            put.condition_expression("attribute_not_exists(pk)")
        } else {
            put.condition_expression("revision = :seen").expression_attribute_values(":seen", number(before.revision))
        };
        Ok(TransactWriteItem::builder().put(put.build().map_err(Fault::internal)?).build())
    }
}
