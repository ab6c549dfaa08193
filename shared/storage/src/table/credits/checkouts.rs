//! Checkout sessions: the place that each takes within the limits, and the record of its offer, with which a payment is
//! compared.

use std::time::Duration;

use aws_sdk_dynamodb::types::{ConditionCheck, Delete, Update};
use consigne_core::credits::{
    CHECKOUT_KEPT, CHECKOUTS_A_DAY, CHECKOUTS_AN_HOUR, Checkout, CheckoutReservation, SessionId, checkout_hour,
    too_many_checkouts, too_many_checkouts_of_person,
};
use consigne_core::idempotency::{IdempotentRequest, WriteOutcome};
use consigne_core::periods::Day;
use consigne_core::ports::{GetCheckout, RecordCheckout, ReleaseCheckout, ReserveCheckout};
use consigne_core::{Fault, OrgId, Timestamp, UserId};

use crate::table::Table;
use crate::table::idempotency::{TransactionOutcome, record_key};
use crate::table::item::{Item, Reader, count_one, key, number, org_pk, text, user_pk};
use crate::table::transact::failed_at;

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

/// Attribute with the number of places that are taken.
const OPENED: &str = "opened";
/// Index of the organisation's count among the writes of a reservation.
const OF_ORG: usize = 0;

/// Returns the counters of a reservation, the most they may count, and until when each is kept: a day longer than
/// needed, for investigations.
fn counters(reservation: &CheckoutReservation) -> [(Item, u32, Timestamp); 2] {
    let (hour, day) = (checkout_hour(reservation.at), Day::of(reservation.at));
    let later = Duration::from_hours(24);
    [
        (
            key(org_pk(reservation.org), format!("CHECKOUTS#{hour}")),
            CHECKOUTS_AN_HOUR,
            hour.plus(Duration::from_hours(1)).plus(later),
        ),
        (key(user_pk(&reservation.user), format!("CHECKOUTS#{day}")), CHECKOUTS_A_DAY, day.ends().plus(later)),
    ]
}

impl ReserveCheckout for Table {
    async fn reserve_checkout(&self, reservation: &CheckoutReservation) -> Result<WriteOutcome, Fault> {
        let count = |(counter, most, forgotten)| self.update(count_one(counter, OPENED, most, forgotten));
        let mut writes = counters(reservation).map(count).into_iter().collect::<Result<Vec<_>, _>>()?;
        writes.push(self.require_open(&reservation.user)?);
        match self.transact_once(writes, reservation.idempotent.as_ref(), reservation.at).await? {
            TransactionOutcome::Written(written) => Ok(written),
            TransactionOutcome::Refused(failed) if failed_at(&failed, OF_ORG).is_some() => {
                Err(too_many_checkouts(reservation.at))
            }
            TransactionOutcome::Refused(_) => Err(too_many_checkouts_of_person(reservation.at)),
        }
    }
}

impl ReleaseCheckout for Table {
    async fn release_checkout(&self, reservation: &CheckoutReservation) -> Result<(), Fault> {
        let give_back = |(counter, _, _)| {
            let update = Update::builder()
                .set_key(Some(counter))
                .update_expression("ADD #opened :back")
                .condition_expression("#opened > :none")
                .expression_attribute_names("#opened", OPENED)
                .expression_attribute_values(":back", number(-1))
                .expression_attribute_values(":none", number(0));
            self.update(update)
        };
        let mut writes = counters(reservation).map(give_back).into_iter().collect::<Result<Vec<_>, _>>()?;
        if let Some(request) = &reservation.idempotent {
            // Another try of the request may have given the same place back, and even taken a new one.
            let own = Delete::builder()
                .set_key(Some(record_key(request)))
                .condition_expression("#result = :at")
                .expression_attribute_names("#result", "result")
                .expression_attribute_values(":at", text(reservation.at.as_millis().to_string()));
            writes.push(self.delete_if(own)?);
        }
        self.transact(writes).await.map(drop)
    }
}

impl RecordCheckout for Table {
    async fn record_checkout(
        &self,
        checkout: &Checkout,
        idempotent: Option<&IdempotentRequest>,
        reservation: &CheckoutReservation,
    ) -> Result<WriteOutcome, Fault> {
        // A retry writes the same session again, with the same content. So this write needs no condition.
        let mut writes = vec![self.put(write(checkout))?];
        if let Some(request) = &reservation.idempotent {
            let kept = ConditionCheck::builder()
                .set_key(Some(record_key(request)))
                .condition_expression("attribute_exists(pk)");
            writes.push(self.check(kept)?);
        }
        match self.transact_once(writes, idempotent, checkout.at).await? {
            TransactionOutcome::Written(written) => Ok(written),
            TransactionOutcome::Refused(_) => Ok(WriteOutcome::Conflict),
        }
    }
}

impl GetCheckout for Table {
    async fn get_checkout(&self, org: OrgId, session: &SessionId) -> Result<Option<Checkout>, Fault> {
        self.get(checkout_key(org, session)).await?.as_ref().map(read).transpose()
    }
}
