//! Identifiers, each with a type of its own, so that one cannot be used in place of another.

use std::fmt;

use serde::{Deserialize as _, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use ulid::Ulid;

use crate::Timestamp;
use crate::credits::PaymentId;

/// The longest user id, in bytes. Clerk's ids have 32.
const USER_ID_MAX: usize = 64;

/// A Clerk user id: `user_` and ASCII letters or digits.
///
/// The narrow alphabet makes it safe in object keys and table keys.
///
/// Files have an owner of this type. The photos of an order belong to the order: their owner is its id, which
/// [`UserId::parse`] refuses, so that nobody can sign in as an order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(String);

impl UserId {
    /// Parses `^user_[A-Za-z0-9]+$`, at most 64 bytes.
    pub fn parse(text: &str) -> Option<Self> {
        let tail = text.strip_prefix("user_")?;
        let plain = !tail.is_empty() && tail.bytes().all(|b| b.is_ascii_alphanumeric());
        (plain && text.len() <= USER_ID_MAX).then(|| Self(text.to_owned()))
    }

    /// Returns the owner of an order's photos: the order.
    pub fn of_order(order: OrderId) -> Self {
        Self(order.to_string())
    }

    /// Parses the owner of a file: a person or an order.
    pub fn parse_owner(text: &str) -> Option<Self> {
        Self::parse(text).or_else(|| OrderId::parse(text).map(Self::of_order))
    }

    /// Returns the order, if this owner is one.
    pub fn as_order(&self) -> Option<OrderId> {
        OrderId::parse(&self.0)
    }

    /// Reads the owner of a file from JSON.
    ///
    /// # Errors
    /// If it is neither a person nor an order.
    pub(crate) fn read_owner<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'_, str>>::deserialize(deserializer)?;
        Self::parse_owner(&text).ok_or_else(|| serde::de::Error::custom("not an owner of files"))
    }

    /// Returns the id as Clerk writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for UserId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

read_from_json_string!(UserId, crate::json_text::matching("^user_[A-Za-z0-9]+$"));

/// Declares an id type around a ULID: 48 bits of time and 80 random bits, written as 26 characters of Crockford's base
/// 32.
///
/// Source: <https://github.com/ulid/spec>.
macro_rules! ulid_id {
    ($(#[$doc:meta])* $name:ident = $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Ulid);

        impl $name {
            /// Creates a random id that sorts by `now`.
            ///
            /// # Panics
            /// Panics if the operating system has no random bytes, without which no id is safe.
            pub fn mint(now: Timestamp) -> Self {
                Self(Ulid::from_parts(u64::try_from(now.as_millis()).unwrap_or(0), random_80_bits()))
            }

            /// Derives an id from these parts. The same parts give the same id. It sorts before all random ids.
            pub fn derive(parts: &[&str]) -> Self {
                Self(Ulid::from_parts(0, first_80_bits(&digest(parts))))
            }

            /// Derives an id from a time and these parts. The same time and parts give the same id. It sorts by the
            /// time.
            pub fn derive_at(at: Timestamp, parts: &[&str]) -> Self {
                Self(Ulid::from_parts(u64::try_from(at.as_millis()).unwrap_or(0), first_80_bits(&digest(parts))))
            }

            /// Returns the id that sorts before all others minted at this time.
            pub fn first_at(at: Timestamp) -> Self {
                Self(Ulid::from_parts(u64::try_from(at.as_millis()).unwrap_or(0), 0))
            }

            /// Parses the canonical form: the prefix and 26 upper-case characters.
            pub fn parse(text: &str) -> Option<Self> {
                let text = text.strip_prefix($prefix)?;
                let id = Ulid::from_string(text).ok()?;
                // The decoder also accepts lower case and overlong numbers. An id must have only one spelling.
                (id.to_string() == text).then_some(Self(id))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}{}", $prefix, self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        read_from_json_string!($name, crate::json_text::prefixed($prefix));
    };
}

ulid_id! {
    /// Id of a user's file, the same from grant to deletion.
    FileId = ""
}

ulid_id! {
    /// Id of an event in the outbox. Consumers remember it, so that each handles the event once.
    EventId = ""
}

ulid_id! {
    /// Id of an organisation.
    OrgId = "org_"
}

ulid_id! {
    /// Id of an organisation's API key, the same through all rotations.
    KeyId = "key_"
}

ulid_id! {
    /// Id of a credit lot in a wallet: the id of the credit grant or purchase that added it.
    LotId = "lot_"
}

ulid_id! {
    /// Id of an entry in the audit log.
    AuditId = "aud_"
}

ulid_id! {
    /// Id of an invitation to an organisation.
    InvitationId = "inv_"
}

ulid_id! {
    /// Id of an organisation's webhook endpoint.
    EndpointId = "ep_"
}

ulid_id! {
    /// Id of a webhook's delivery to one endpoint, the same through all attempts: its `webhook-id`.
    DeliveryId = "dlv_"
}

ulid_id! {
    /// Id of an export of a person's data.
    ExportId = "exp_"
}

ulid_id! {
    /// Id of an order, derived from the payment that it is for.
    OrderId = "order_"
}

impl OrderId {
    /// Returns the order that a payment is for. A payment is for one order.
    pub fn of(payment: &PaymentId) -> Self {
        Self::derive(&["order", payment.as_str()])
    }
}

/// Bits of an id that say that it is a UUID of version 7. Source: RFC 9562, section 5.7.
const UUID_MARKS: u128 = 0x7 << 76 | 0b10 << 62;
/// All bits that [`UUID_MARKS`] decides.
const UUID_MASK: u128 = 0xf << 76 | 0b11 << 62;
/// Length of a UUID as text.
pub(crate) const UUID_LENGTH: usize = 36;

impl FileId {
    /// Creates a random id that sorts by `now` and can be written as a UUID.
    ///
    /// # Panics
    /// As [`FileId::mint`].
    pub fn mint_uuid(now: Timestamp) -> Self {
        Self(Ulid(Self::mint(now).0.0 & !UUID_MASK | UUID_MARKS))
    }

    /// Writes the id as a UUID, in lower case.
    pub fn to_uuid(self) -> String {
        let digits = format!("{:032x}", self.0.0);
        [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
    }

    /// Parses what [`FileId::to_uuid`] returned for an id of [`FileId::mint_uuid`].
    pub fn parse_uuid(text: &str) -> Option<Self> {
        let digits: String = text.split('-').collect();
        let id = Self(Ulid(u128::from_str_radix(&digits, 16).ok()?));
        (id.0.0 & UUID_MASK == UUID_MARKS && id.to_uuid() == text).then_some(id)
    }

    /// Returns when the id was minted.
    pub fn minted_at(self) -> Timestamp {
        Timestamp::from_millis(i64::try_from(self.0.timestamp_ms()).unwrap_or(i64::MAX))
    }
}

ulid_id! {
    /// Id in the address of a published file. Whoever knows it can read the file.
    PublicId = "pub_"
}

impl LotId {
    /// Returns when the id was minted: when the lot was added.
    pub fn minted_at(self) -> Timestamp {
        Timestamp::from_millis(i64::try_from(self.0.timestamp_ms()).unwrap_or(i64::MAX))
    }
}

impl AuditId {
    /// Derives the id of an entry about a fact that may be reported twice. The same time and name give the same id.
    pub fn about(at: Timestamp, name: &str) -> Self {
        let bits = first_80_bits(&Sha256::digest(name));
        Self(Ulid::from_parts(u64::try_from(at.as_millis()).unwrap_or(0), bits))
    }
}

/// Draws 80 random bits from the operating system.
fn random_80_bits() -> u128 {
    let mut bytes = [0; 16];
    // This fails only on systems without a random source, where no answer would be safe.
    #[allow(clippy::expect_used)]
    getrandom::fill(&mut bytes[6..]).expect("the operating system gives random bytes");
    u128::from_be_bytes(bytes)
}

/// Hashes the parts together with their lengths, so that ("ab", "c") and ("a", "bc") differ.
pub(crate) fn digest(parts: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// Returns the first 80 bits of a hash.
fn first_80_bits(hash: &[u8]) -> u128 {
    let mut bytes = [0; 16];
    bytes[6..].copy_from_slice(&hash[..10]);
    u128::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_ids_are_narrow() {
        for good in ["user_a", "user_2abcDEF0", "user_ann12"] {
            assert_eq!(UserId::parse(good).map(|id| id.to_string()).as_deref(), Some(good));
        }
        let long = format!("user_{}", "a".repeat(60));
        for bad in ["", "user_", "ann", "user_a/b", "user_a#b", "USER_a", "user_é", "user_a\n", long.as_str()] {
            assert_eq!(UserId::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn an_order_owns_files_and_cannot_sign_in() {
        let order = OrderId::of(&PaymentId::parse("pi_3Q").unwrap());
        let owner = UserId::of_order(order);
        assert_eq!((UserId::parse(owner.as_str()), owner.as_order()), (None, Some(order)));
        assert_eq!(UserId::parse_owner(owner.as_str()), Some(owner));
        let person = UserId::parse("user_ann1").unwrap();
        assert_eq!((UserId::parse_owner("user_ann1"), person.as_order()), (Some(person.clone()), None));
        for bad in ["order_", "order_1", "ann", &order.to_string().to_lowercase()] {
            assert_eq!(UserId::parse_owner(bad), None, "{bad}");
        }
        assert_ne!(OrderId::of(&PaymentId::parse("pi_3R").unwrap()), order);
    }

    #[test]
    fn the_id_of_an_orders_photo_is_a_uuid_of_version_7() {
        let now = Timestamp::from_millis(1_795_257_000_123);
        let id = FileId::mint_uuid(now);
        let uuid = id.to_uuid();
        assert_eq!((uuid.len(), &uuid[14..15]), (UUID_LENGTH, "7"), "{uuid}");
        assert!(matches!(&uuid[19..20], "8" | "9" | "a" | "b"), "{uuid}");
        assert_eq!((FileId::parse_uuid(&uuid), id.minted_at()), (Some(id), now));
        assert_eq!(FileId::parse(&id.to_string()), Some(id));
        let dashes = uuid.replace('-', "");
        for bad in ["", "0", &uuid.to_uppercase(), &dashes, &format!("+{}", &uuid[1..]), &uuid.replacen('7', "4", 9)] {
            assert_eq!(FileId::parse_uuid(bad), None, "{bad}");
        }
    }

    #[test]
    fn ids_sort_by_time_and_have_one_spelling() {
        let early = FileId::mint(Timestamp::from_secs(1_000));
        let late = FileId::mint(Timestamp::from_secs(2_000));
        assert!(early < late && early.to_string() < late.to_string());
        assert_eq!(FileId::parse(&early.to_string()), Some(early));
        assert_eq!(FileId::parse(&early.to_string().to_lowercase()), None);
    }

    #[test]
    fn a_derived_id_follows_from_its_parts() {
        let derive = |parts: &[&str]| FileId::derive(parts);
        assert_eq!(derive(&["ab", "c"]), derive(&["ab", "c"]));
        assert_ne!(derive(&["ab", "c"]), derive(&["a", "bc"]));
        assert_eq!(FileId::parse(&derive(&["x"]).to_string()), Some(derive(&["x"])));
        assert!(derive(&["x"]) < FileId::mint(Timestamp::from_millis(1)));
    }

    #[test]
    fn an_id_derived_at_a_time_sorts_by_it() {
        let derive = |secs: i64, part: &str| DeliveryId::derive_at(Timestamp::from_secs(secs), &[part]);
        assert_eq!(derive(1, "a"), derive(1, "a"));
        assert!(derive(1, "a") != derive(1, "b") && derive(1, "a") < derive(2, "a"));
        assert_eq!(DeliveryId::parse(&derive(1, "a").to_string()), Some(derive(1, "a")));
    }

    #[test]
    fn two_ids_of_one_moment_differ() {
        let now = Timestamp::from_secs(1);
        assert_ne!(FileId::mint(now), FileId::mint(now));
    }

    #[test]
    fn a_fact_reported_twice_has_the_same_id() {
        let (at, later) = (Timestamp::from_secs(1), Timestamp::from_secs(2));
        let id = AuditId::about(at, "evt_1");
        assert_eq!(AuditId::about(at, "evt_1"), id);
        assert_eq!(AuditId::parse(&id.to_string()), Some(id));
        assert!(AuditId::about(at, "evt_2") != id && AuditId::about(later, "evt_1") > id);
    }
}
