//! Buying credits: the packs for sale, the checkout session in which one is sold, and the checks of a paid session.
//!
//! A session's record has the price that the buyer was shown. A later change of the catalogue does not change it. A
//! session without a record buys nothing, even if the provider's message about it is signed.

use std::time::Duration;

use serde_json::json;

use super::{LotKind, PaymentId, Purchase, SessionId, topped_up};
use crate::audit::{AuditAction, AuditEntry, Origin};
use crate::idempotency::IdempotentRequest;
use crate::ids::digest;
use crate::periods::Day;
use crate::{Code, Fault, LotId, OrgId, Timestamp, UserId, text};

/// Currency of all packs.
pub const CURRENCY: &str = "EUR";
/// How long the record of a session is kept: as long as receipts. A session is open for a day, and some payment methods
/// take two more weeks.
pub const CHECKOUT_KEPT: Duration = Duration::from_hours(24 * 400);

/// Most sessions that an organisation opens in an hour. Each costs a call to the provider and opens a page on which
/// stolen cards can be tried.
pub const CHECKOUTS_AN_HOUR: u32 = 20;
/// Most sessions that a person opens in a day (UTC), over all their organisations. Else the limit of an organisation
/// could be multiplied by founding more of them.
pub const CHECKOUTS_A_DAY: u32 = 40;
/// The span in which sessions are counted.
const HOUR: Duration = Duration::from_hours(1);

/// Returns the start of the hour (UTC) in which a time lies.
pub fn checkout_hour(at: Timestamp) -> Timestamp {
    at.floor(HOUR)
}

/// Returns the 429 for an organisation that has opened [`CHECKOUTS_AN_HOUR`] sessions in this hour.
pub fn too_many_checkouts(now: Timestamp) -> Fault {
    let (limit, resets_at) = (CHECKOUTS_AN_HOUR, checkout_hour(now).plus(HOUR));
    let message = format!("organisation can open at most {limit} checkouts an hour; try again at {resets_at}");
    Fault::new(Code::RateLimited, message).limited(limit.into(), resets_at, now)
}

/// Returns the 429 for a person who has opened [`CHECKOUTS_A_DAY`] sessions in this day.
pub fn too_many_checkouts_of_person(now: Timestamp) -> Fault {
    let (limit, resets_at) = (CHECKOUTS_A_DAY, Day::of(now).ends());
    let message = format!("you can open at most {limit} checkouts a day; try again at {resets_at}");
    Fault::new(Code::RateLimited, message).limited(limit.into(), resets_at, now)
}

/// A place for one session within the limits, taken before the provider is asked to open it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckoutReservation {
    /// The organisation that buys.
    pub org: OrgId,
    /// The member who asks for the session.
    pub user: UserId,
    /// When the place was taken. It is counted in this hour and this day.
    pub at: Timestamp,
    /// The request, if it has an idempotency key. Its retries share the reservation.
    pub idempotent: Option<IdempotentRequest>,
}

impl CheckoutReservation {
    /// Name under which the idempotency record of a reservation is stored. The record of the session has another name.
    const OPERATION: &'static str = "checkout-reservation";

    /// Builds the reservation for a request. `idempotent` is the request, if it has an idempotency key.
    pub fn new(org: OrgId, user: UserId, idempotent: Option<&IdempotentRequest>, now: Timestamp) -> Self {
        let idempotent = idempotent.map(|request| IdempotentRequest {
            operation: Self::OPERATION,
            result: now.as_millis().to_string(),
            ..request.clone()
        });
        Self { org, user, at: now, idempotent }
    }

    /// Returns the reservation that an earlier try has made. `result` is that of its idempotency record.
    ///
    /// # Errors
    /// `INTERNAL` if the result is not a time.
    pub fn made_before(self, result: &str) -> Result<Self, Fault> {
        let millis = result.parse().map_err(|_| Fault::internal("the record of a reservation is malformed"))?;
        Ok(Self { at: Timestamp::from_millis(millis), ..self })
    }
}

/// A pack of credits for sale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pack {
    /// Name in requests, such as `starter`.
    pub name: &'static str,
    /// Credits in the pack.
    pub credits: u64,
    /// Price in cents of a euro.
    pub cents: u64,
}

/// The packs for sale.
pub const PACKS: [Pack; 3] = [
    Pack { name: "starter", credits: 1_000, cents: 1_000 },
    Pack { name: "growth", credits: 10_000, cents: 8_000 },
    Pack { name: "scale", credits: 100_000, cents: 60_000 },
];

impl Pack {
    /// Finds a pack by its name.
    ///
    /// # Errors
    /// `INVALID_REQUEST` naming `pack` and the available packs.
    pub fn named(name: &str) -> Result<Self, Fault> {
        PACKS.into_iter().find(|pack| pack.name == name).ok_or_else(|| {
            let names = PACKS.map(|pack| pack.name);
            Fault::field("pack", format!("pack must be one of {}", names.join(", "))).detail("allowed", names)
        })
    }
}

/// The request to the payment provider to open a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckoutAsk {
    /// The organisation that buys.
    pub org: OrgId,
    /// The pack it buys.
    pub pack: Pack,
    /// The idempotency key of the provider: repeated requests with it open one session.
    pub idempotency_key: String,
}

impl CheckoutAsk {
    /// Builds the request. If the caller sent an idempotency key, the provider's key is derived from it. Otherwise it
    /// is derived from `nonce`, which must be different for each request.
    pub fn new(org: OrgId, pack: Pack, idempotent: Option<&IdempotentRequest>, nonce: &str) -> Self {
        let org_text = org.to_string();
        let parts = match idempotent {
            Some(idempotent) => [
                idempotent.operation,
                &org_text,
                idempotent.owner.name(),
                &idempotent.key.key,
                &idempotent.key.fingerprint,
            ],
            None => ["", &org_text, "", nonce, ""],
        };
        Self { org, pack, idempotency_key: text::hex(&digest(&parts)) }
    }
}

/// A session that the payment provider has opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenSession {
    /// Id of the session.
    pub id: SessionId,
    /// URL of the page where the buyer pays.
    pub url: String,
}

/// The answer of the payment provider to a request for a session. A missing or unclear answer is a [`Fault`] instead: a
/// session may have been opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckoutAnswer {
    /// The session is open.
    Opened(OpenSession),
    /// The provider has opened no session, for this reason.
    Refused(String),
}

/// The record of a checkout session: what it offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkout {
    /// Id of the session.
    pub session: SessionId,
    /// URL of the page where the buyer pays.
    pub url: String,
    /// The organisation that buys.
    pub org: OrgId,
    /// The member who asked for the session.
    pub user: UserId,
    /// Name of the pack.
    pub pack: String,
    /// Credits in the pack.
    pub credits: u64,
    /// Price, in hundredths of the currency.
    pub amount_cents: u64,
    /// Currency of the price.
    pub currency: String,
    /// When it was opened.
    pub at: Timestamp,
}

impl Checkout {
    /// Records what a session offers.
    pub fn of(ask: &CheckoutAsk, session: OpenSession, user: UserId, now: Timestamp) -> Self {
        Self {
            session: session.id,
            url: session.url,
            org: ask.org,
            user,
            pack: ask.pack.name.to_owned(),
            credits: ask.pack.credits,
            amount_cents: ask.pack.cents,
            currency: CURRENCY.to_owned(),
            at: now,
        }
    }
}

/// A paid session, as the provider reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaidSession {
    /// Id of the session.
    pub session: SessionId,
    /// Id of the payment.
    pub payment: PaymentId,
    /// The organisation it names as the buyer.
    pub org: OrgId,
    /// The session's metadata: organisation, pack and credits.
    pub metadata: [String; 3],
    /// Amount paid, in hundredths of the currency.
    pub amount_cents: u64,
    /// Currency of the payment.
    pub currency: String,
}

impl PaidSession {
    /// Compares the payment with the offer. Returns the provider's name of the first field that differs.
    pub fn differs(&self, offered: &Checkout) -> Option<&'static str> {
        let metadata = [offered.org.to_string(), offered.pack.clone(), offered.credits.to_string()];
        let checks = [
            ("metadata", self.metadata == metadata),
            ("amount_total", self.amount_cents == offered.amount_cents),
            ("currency", self.currency.eq_ignore_ascii_case(&offered.currency)),
        ];
        checks.into_iter().find(|(_, same)| !same).map(|(name, _)| name)
    }

    /// Builds the purchase of what was offered. `source` is the id of the provider's event.
    pub fn purchase(&self, offered: &Checkout, source: &str, origin: &Origin, now: Timestamp) -> Purchase {
        let (org, credits, lot) = (offered.org, offered.credits, LotId::mint(now));
        let details = json!({
            "credits": credits, "pack": offered.pack, "amount_cents": offered.amount_cents, "currency": offered.currency,
            "payment": self.payment.as_str(), "asked_by": offered.user, "source": source,
        });
        let subject = self.session.as_str();
        Purchase {
            session: self.session.clone(),
            payment: self.payment.clone(),
            org,
            lot,
            pack: offered.pack.clone(),
            credits,
            amount_cents: offered.amount_cents,
            currency: offered.currency.clone(),
            now,
            audit: AuditEntry::new(org, AuditAction::CreditsPurchased, subject, origin, now, details),
            event: topped_up(org, lot, LotKind::Paid, credits, now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::IdempotencyKey;

    const NOW: Timestamp = Timestamp::from_secs(1_000);

    fn idempotent(key: &str, fingerprint: &str, user: &str) -> IdempotentRequest {
        IdempotentRequest {
            key: IdempotencyKey { key: key.to_owned(), fingerprint: fingerprint.to_owned() },
            owner: UserId::parse(user).unwrap().into(),
            operation: "checkout",
            result: String::new(),
        }
    }

    #[test]
    fn packs_have_their_published_prices() {
        let all = PACKS.map(|pack| (pack.name, pack.credits, pack.cents));
        assert_eq!(all, [("starter", 1_000, 1_000), ("growth", 10_000, 8_000), ("scale", 100_000, 60_000)]);
        for pack in PACKS {
            assert_eq!(Pack::named(pack.name).unwrap(), pack);
        }
        for bad in ["", "Starter", "starter ", "free", "1000"] {
            assert_eq!(Pack::named(bad).unwrap_err().details["field"], "pack", "{bad:?}");
        }
    }

    #[test]
    fn checkouts_are_counted_by_the_clock_hour() {
        for (secs, hour) in [(0, 0), (3_599, 0), (3_600, 3_600), (7_199, 3_600)] {
            assert_eq!(checkout_hour(Timestamp::from_secs(secs)), Timestamp::from_secs(hour));
        }
        let refusal = too_many_checkouts(Timestamp::from_secs(3_700));
        assert_eq!(refusal.code, Code::RateLimited);
        assert_eq!(refusal.details["resets_at"], json!(Timestamp::from_secs(7_200)));
        let refusal = too_many_checkouts_of_person(Timestamp::from_secs(3_700));
        assert_eq!((refusal.code, &refusal.details["limit"]), (Code::RateLimited, &json!(CHECKOUTS_A_DAY)));
        assert_eq!(refusal.details["resets_at"], json!(Timestamp::from_secs(86_400)));
    }

    #[test]
    fn a_retry_finds_the_time_of_its_reservation() {
        let request = idempotent("k", "f", "user_a");
        let user = UserId::parse("user_a").unwrap();
        let first = CheckoutReservation::new(OrgId::mint(NOW), user.clone(), Some(&request), NOW);
        let own = first.idempotent.clone().unwrap();
        assert_ne!(own.operation, request.operation, "the session has a record of its own");
        let later = NOW.plus(Duration::from_hours(2));
        let retry = CheckoutReservation::new(first.org, user, Some(&request), later);
        assert_eq!(retry.clone().made_before(&own.result).unwrap().at, NOW);
        assert!(retry.made_before("soon").is_err());
    }

    #[test]
    fn the_providers_key_is_the_same_for_retries_and_differs_between_requests() {
        let (org, other, pack) = (OrgId::mint(NOW), OrgId::mint(NOW), PACKS[0]);
        let key = |org, idempotent: Option<&IdempotentRequest>, nonce: &str| {
            CheckoutAsk::new(org, pack, idempotent, nonce).idempotency_key
        };
        let first = key(org, Some(&idempotent("k", "f", "user_a")), "n1");
        assert_eq!(
            key(org, Some(&idempotent("k", "f", "user_a")), "n2"),
            first,
            "a retry has another nonce and the same key"
        );
        assert_eq!(first.len(), 64);
        for unlike in [
            key(other, Some(&idempotent("k", "f", "user_a")), "n1"),
            key(org, Some(&idempotent("k2", "f", "user_a")), "n1"),
            key(org, Some(&idempotent("k", "f2", "user_a")), "n1"),
            key(org, Some(&idempotent("k", "f", "user_b")), "n1"),
            key(org, None, "n1"),
            key(org, None, "k"),
        ] {
            assert_ne!(unlike, first);
        }
        assert_ne!(key(org, None, "n1"), key(org, None, "n2"));
    }

    #[test]
    fn a_payment_must_match_the_offer() {
        let org = OrgId::mint(NOW);
        let ask = CheckoutAsk::new(org, PACKS[0], None, "n");
        let id = SessionId::parse("cs_test_1").unwrap();
        let session = OpenSession { id: id.clone(), url: "https://checkout.example/1".to_owned() };
        let offered = Checkout::of(&ask, session, UserId::parse("user_ann1").unwrap(), NOW);
        let paid = PaidSession {
            session: id,
            payment: PaymentId::parse("pi_1").unwrap(),
            org,
            metadata: [org.to_string(), "starter".to_owned(), "1000".to_owned()],
            amount_cents: 1_000,
            currency: "eur".to_owned(),
        };
        assert_eq!(paid.differs(&offered), None);
        for at in 0..3 {
            let mut odd = paid.clone();
            odd.metadata[at].push('0');
            assert_eq!(odd.differs(&offered), Some("metadata"));
        }
        for cents in [0, 999, 1_001, 100_000] {
            assert_eq!(PaidSession { amount_cents: cents, ..paid.clone() }.differs(&offered), Some("amount_total"));
        }
        assert_eq!(PaidSession { currency: "usd".to_owned(), ..paid }.differs(&offered), Some("currency"));
    }
}
