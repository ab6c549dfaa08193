//! Checkout sessions: the record of each session's offer, with which a payment is compared.

use std::time::Duration;

use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use consigne_core::credits::{
    CHECKOUT_KEPT, CHECKOUTS_AN_HOUR, Checkout, SessionId, checkout_hour, too_many_checkouts,
};
use consigne_core::idempotency::{IdempotentRequest, WriteOutcome};
use consigne_core::ports::{GetCheckout, RecordCheckout};
use consigne_core::{Fault, OrgId, UserId};

use crate::table::Table;
use crate::table::idempotency::TransactionOutcome;
use crate::table::item::{Item, Reader, count_one, key, number, org_pk, text};

fn checkout_key(org: OrgId, session: &SessionId) -> Item {
    key(org_pk(org), format!("CHECKOUT#{}", session.as_str()))
}

pub(crate) fn write(checkout: &Checkout) -> Item {
    let mut item = checkout_key(checkout.org, &checkout.session);
    item.insert("url".to_owned(), text(&checkout.url));
    item.insert("user".to_owned(), text(checkout.user.as_str()));
    item.insert("pack".to_owned(), text(&checkout.pack));
    item.insert("credits".to_owned(), number(checkout.credits));
    item.insert("amount_cents".to_owned(), number(checkout.amount_cents));
    item.insert("currency".to_owned(), text(&checkout.currency));
    item.insert("at".to_owned(), number(checkout.at.as_millis()));
    item.insert("ttl".to_owned(), number(checkout.at.plus(CHECKOUT_KEPT).as_secs()));
    item
}

fn read(item: &Item) -> Result<Checkout, Fault> {
    let reader = Reader(item);
    Ok(Checkout {
        session: reader.parsed("sk", |sk| SessionId::parse(sk.strip_prefix("CHECKOUT#")?))?,
        url: reader.text("url")?.to_owned(),
        org: reader.parsed("pk", |pk| OrgId::parse(pk.strip_prefix("ORG#")?))?,
        user: reader.parsed("user", UserId::parse)?,
        pack: reader.text("pack")?.to_owned(),
        credits: reader.number("credits")?,
        amount_cents: reader.number("amount_cents")?,
        currency: reader.text("currency")?.to_owned(),
        at: reader.time("at")?,
    })
}

/// Builds the update that counts a session in its organisation's hour, if the hour's limit is not reached.
fn count(checkout: &Checkout) -> UpdateBuilder {
    let hour = checkout_hour(checkout.at);
    // The count is not needed after its hour. It is kept a day longer for investigations.
    let forgotten = hour.plus(Duration::from_hours(25));
    count_one(key(org_pk(checkout.org), format!("CHECKOUTS#{hour}")), "opened", CHECKOUTS_AN_HOUR, forgotten)
}

impl RecordCheckout for Table {
    async fn record_checkout(
        &self,
        checkout: &Checkout,
        idempotent: Option<&IdempotentRequest>,
    ) -> Result<WriteOutcome, Fault> {
        // A retry writes the same session again, with the same content. So the write needs no condition.
        let (session, counted) = (self.put(write(checkout))?, self.update(count(checkout))?);
        let writes = vec![session, counted, self.require_open(&checkout.user)?];
        match self.transact_once(writes, idempotent, checkout.at).await? {
            TransactionOutcome::Written(written) => Ok(written),
            TransactionOutcome::Refused(_) => Err(too_many_checkouts(checkout.at)),
        }
    }
}

impl GetCheckout for Table {
    async fn get_checkout(&self, org: OrgId, session: &SessionId) -> Result<Option<Checkout>, Fault> {
        self.get(checkout_key(org, session)).await?.as_ref().map(read).transpose()
    }
}
