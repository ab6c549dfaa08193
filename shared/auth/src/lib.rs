//! Who is calling, and what they may do.

mod api_key;
mod carrier;
mod claims;
mod invitation_tokens;
mod key_desk;
mod keys;
mod legacy;
mod peppers;
mod permissions;
mod refreshed;
mod seal;
mod secret;
mod service;
mod session;
mod stripe;
mod unsubscribe;
mod user;
mod webhooks;

pub use api_key::{KeyPrefix, KeyText};
pub use carrier::{Carrier, Credentials};
pub use invitation_tokens::{InvitationToken, InvitationTokens};
pub use key_desk::{KeyFinder, KeyMint};
pub use keys::{FetchError, FetchKeys, KeySource, KeySourceError};
pub use legacy::LegacyText;
pub use peppers::{PepperError, Peppers};
pub use permissions::{MATRIX, Route, member};
pub use refreshed::{Fetch, Refreshed};
pub use seal::Seal;
pub use secret::Secret;
pub use service::{ServiceTokenError, ServiceTokens};
pub use session::{SessionPolicy, SessionVerifier};
pub use stripe::{StripeSecret, StripeSecrets};
pub use unsubscribe::UnsubscribeSeal;
pub use user::{Organisation, Role, User};
pub use webhooks::{WebhookSecret, WebhookSecretError, WebhookSecrets};
