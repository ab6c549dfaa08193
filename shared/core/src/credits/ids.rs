//! Ids of receipts and holds. Each contains its organisation and 128 bits, which are random or derived from the
//! caller's idempotency key.
//!
//! A retry with the same idempotency key derives the same id. So it finds the record of the first request without
//! another read, and nothing is charged or reserved twice.

use std::fmt;

use serde::{Serialize, Serializer};
use ulid::Ulid;

use crate::ids::digest;
use crate::{EventId, OrgId, Timestamp};

/// Declares the type of such an id: the prefix, the organisation's id without its prefix, and 26 characters.
macro_rules! scoped_id {
    ($(#[$doc:meta])* $name:ident = $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name {
            org: OrgId,
            tail: Ulid,
        }

        impl $name {
            /// Creates a random id, for a request without an idempotency key.
            pub fn fresh(org: OrgId, now: Timestamp) -> Self {
                // `EventId::mint` has 80 random bits. Hashing spreads them over all 128 bits.
                Self { org, tail: tail_of(&[&org.to_string(), "", &EventId::mint(now).to_string()]) }
            }

            /// Parses an id as [`fmt::Display`] writes it.
            pub fn parse(text: &str) -> Option<Self> {
                let (org, tail) = text.strip_prefix($prefix)?.split_once('_')?;
                let id = Self { org: OrgId::parse(&format!("org_{org}"))?, tail: Ulid::from_string(tail).ok()? };
                (id.to_string() == text).then_some(id)
            }

            /// Returns the organisation it belongs to.
            pub fn org(&self) -> OrgId {
                self.org
            }

            /// Returns the part that differs between ids of one organisation.
            pub fn tail(&self) -> String {
                self.tail.to_string()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let org = self.org.to_string();
                write!(f, "{}{}_{}", $prefix, org.trim_start_matches("org_"), self.tail)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    };
}

scoped_id! {
    /// Id of a receipt.
    ReceiptId = "rcpt_"
}

scoped_id! {
    /// Id of a hold of credits, from its opening to its end.
    HoldId = "hold_"
}

impl ReceiptId {
    /// Derives a receipt's id from the service that requests the charge and its idempotency key. Equal keys of two
    /// services give different ids.
    pub fn for_key(org: OrgId, caller: &str, idempotency_key: &str) -> Self {
        Self { org, tail: tail_of(&[&org.to_string(), caller, idempotency_key]) }
    }

    /// Returns the id of a hold's receipt.
    pub fn of_hold(hold: HoldId) -> Self {
        Self { org: hold.org, tail: hold.tail }
    }
}

impl HoldId {
    /// Derives a hold's id from the service that requests it and its idempotency key. It differs from the id of the
    /// receipt with the same key.
    pub fn for_key(org: OrgId, caller: &str, idempotency_key: &str) -> Self {
        Self { org, tail: tail_of(&[&org.to_string(), caller, idempotency_key, "hold"]) }
    }
}

fn tail_of(parts: &[&str]) -> Ulid {
    let mut tail = [0; 16];
    tail.copy_from_slice(&digest(parts)[..16]);
    Ulid::from_bytes(tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_idempotency_key_gives_one_id_of_a_kind() {
        let (now, key) = (Timestamp::from_secs(1), "order 17");
        let (org, other) = (OrgId::mint(now), OrgId::mint(now));
        let hold = HoldId::for_key(org, "pdf-api", key);
        assert_eq!(hold, HoldId::for_key(org, "pdf-api", key));
        for unlike in [HoldId::for_key(other, "pdf-api", key), HoldId::for_key(org, "ai-api", key)] {
            assert_ne!(unlike, hold);
        }
        assert_ne!(ReceiptId::for_key(org, "pdf-api", key), ReceiptId::of_hold(hold));
        assert_ne!(HoldId::fresh(org, now), HoldId::fresh(org, now));
    }

    #[test]
    fn an_id_reads_back_and_has_one_spelling() {
        let id = HoldId::fresh(OrgId::mint(Timestamp::from_secs(1)), Timestamp::from_secs(1));
        let text = id.to_string();
        assert_eq!(HoldId::parse(&text), Some(id));
        for bad in
            [text.to_lowercase().as_str(), &text[..text.len() - 1], &text.replacen("hold", "rcpt", 1), "hold_", ""]
        {
            assert_eq!(HoldId::parse(bad), None, "{bad}");
        }
    }
}
