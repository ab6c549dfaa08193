//! Opening a hold: the request to the table and its outcome.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::{Hold, HoldId};
use crate::keys::{Ask, KeyFacts, Refusal};
use crate::services::{Service, service, unknown_service};
use crate::{Fault, IdempotencyKey};

/// Shortest and longest time to live of a hold, in seconds.
pub const HOLD_TTL: RangeInclusive<u64> = 60..=86_400;
/// Time to live of a hold if none is given, in seconds.
const TTL_DEFAULT: u64 = 3_600;

/// The terms of a hold, checked against the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldTerms {
    /// The service that will be paid.
    pub service: &'static Service,
    /// Credits, from 1 to the most that the service may reserve.
    pub amount: u64,
    /// How long it stays open at most.
    pub ttl: Duration,
}

impl HoldTerms {
    /// Checks the terms.
    ///
    /// # Errors
    /// `INVALID_REQUEST` naming `service`, `amount` or `ttl_seconds`, with the limit.
    pub fn parse(name: &str, amount: u64, ttl_seconds: Option<u64>) -> Result<Self, Fault> {
        let Some(service) = service(name) else {
            return Err(Fault::field("service", unknown_service(name)).detail("code", "SERVICE_UNKNOWN"));
        };
        let most = service.hold_max;
        if !(1..=most).contains(&amount) {
            return Err(Fault::field("amount", format!("amount must be 1 to {most}")).detail("limit", most));
        }
        let seconds = ttl_seconds.unwrap_or(TTL_DEFAULT);
        if !HOLD_TTL.contains(&seconds) {
            let (least, most) = (HOLD_TTL.start(), HOLD_TTL.end());
            let message = format!("ttl_seconds must be {least} to {most}");
            return Err(Fault::field("ttl_seconds", message).detail("limit", most));
        }
        Ok(Self { service, amount, ttl: Duration::from_secs(seconds) })
    }
}

/// A hold to open. Its key is checked as for a charge.
#[derive(Clone, Debug, PartialEq)]
pub struct Opening {
    /// The key that pays.
    pub key: KeyFacts,
    /// What the call requires of the key.
    pub ask: Ask,
    /// The hold to write.
    pub hold: Hold,
    /// Address of the key's user, if known.
    pub ip: Option<String>,
    /// Country of the key's user as two letters, if known.
    pub country: Option<String>,
}

impl Opening {
    /// Builds the hold that the service `caller` requests. With an idempotency key, the hold's id is derived from the
    /// service and that key.
    pub fn new(
        key: KeyFacts,
        ask: Ask,
        terms: HoldTerms,
        caller: String,
        idempotency_key: Option<IdempotencyKey>,
    ) -> Self {
        let now = ask.now;
        let (id, fingerprint) = match idempotency_key {
            Some(idempotency_key) => {
                (HoldId::for_key(key.org, &caller, &idempotency_key.key), idempotency_key.fingerprint)
            }
            None => (HoldId::fresh(key.org, now), String::new()),
        };
        let hold = Hold {
            id,
            key: key.id,
            environment: key.environment,
            wallet: key.wallet(),
            expiry_epoch: 0,
            amount: terms.amount,
            service: terms.service.name.to_owned(),
            scope: ask.scope.clone(),
            caller,
            fingerprint,
            opened_at: now,
            expires_at: now.plus(terms.ttl),
            end: None,
        };
        Self { key, ask, hold, ip: None, country: None }
    }

    /// Replaces the key's facts and thereby the wallet that pays, after the table answered
    /// [`OpeningOutcome::PayerChanged`].
    pub fn set_key(&mut self, key: KeyFacts) {
        self.key = key;
        self.hold.wallet = self.key.wallet();
    }
}

/// The outcome of an opening. Only `Opened` means that something was written.
#[derive(Debug, PartialEq)]
pub enum OpeningOutcome {
    /// Key, wallet and hold were written. This is the hold as written.
    Opened(Box<Hold>),
    /// The same request opened this hold before.
    Replayed(Box<Hold>),
    /// The idempotency key was used with a different request.
    KeyReused,
    /// The key or its wallet refuses the hold.
    Refused(Refusal),
    /// The key's wallet is not the one that the opening assumed. Look up the key again and repeat the opening.
    PayerChanged,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_outside_the_limits_are_refused_by_field() {
        let hour = HoldTerms::parse("pdf", 1, None).unwrap();
        assert_eq!((hour.service.name, hour.amount, hour.ttl), ("pdf", 1, Duration::from_hours(1)));
        for (name, amount, ttl) in [("pdf", 1_000, Some(60)), ("ai", 10_000, Some(86_400))] {
            assert!(HoldTerms::parse(name, amount, ttl).is_ok(), "{name} {amount} {ttl:?}");
        }
        for (name, amount, ttl, field, limit) in [
            ("fax", 1, None, "service", None),
            ("pdf", 0, None, "amount", Some(1_000)),
            ("pdf", 1_001, None, "amount", Some(1_000)),
            ("ai", 10_001, None, "amount", Some(10_000)),
            ("pdf", 1, Some(59), "ttl_seconds", Some(86_400)),
            ("pdf", 1, Some(86_401), "ttl_seconds", Some(86_400)),
        ] {
            let fault = HoldTerms::parse(name, amount, ttl).unwrap_err();
            assert_eq!((&fault.details["field"], fault.code.as_str()), (&field.into(), "INVALID_REQUEST"));
            assert_eq!(
                fault.details.get("limit").and_then(serde_json::Value::as_u64),
                limit,
                "{name} {amount} {ttl:?}"
            );
        }
    }
}
