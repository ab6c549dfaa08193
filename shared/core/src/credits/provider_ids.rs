//! Ids that the payment provider assigns.

use serde::{Serialize, Serializer};

/// Longest id of the payment provider, in bytes.
const ID_MAX: usize = 255;

/// Declares the type of an id that the payment provider assigns: letters, digits, `_` and `-`, which are safe in a
/// table key.
macro_rules! provider_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Parses an id of 1 to 255 characters.
            pub fn parse(text: &str) -> Option<Self> {
                let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
                (plain && (1..=ID_MAX).contains(&text.len())).then(|| Self(text.to_owned()))
            }

            /// Returns the id as the provider writes it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
    };
}

provider_id! {
    /// Id of a checkout session. A session is paid at most once.
    SessionId
}

provider_id! {
    /// Id of a payment (Stripe: payment intent).
    PaymentId
}

impl Serialize for PaymentId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

read_from_json_string!(PaymentId, crate::json_text::opaque());

provider_id! {
    /// Id of a dispute of a payment.
    DisputeId
}

provider_id! {
    /// Id of one refund of a payment.
    RefundId
}
