//! Who is calling, and what they may do.

mod api_key;
mod carrier;
mod claims;
mod gateway;
mod holding;
mod invitation_tokens;
mod key_desk;
mod keys;
mod peppers;
mod permissions;
mod refreshed;
mod seal;
mod secret;
mod service;
mod session;
mod unsubscribe;
mod user;
mod webhooks;

pub use api_key::{KeyPrefix, KeyText};
pub use carrier::{Carrier, Credentials};
pub use gateway::{GatewaySeal, Identity, body_digest};
pub use holding::HoldOpened;
pub use invitation_tokens::{InvitationToken, InvitationTokens};
pub use key_desk::{KeyFinder, KeyMint};
pub use keys::{FetchError, FetchKeys, KeySource, KeySourceError};
pub use peppers::{PepperError, Peppers};
pub use permissions::{MATRIX, Route, member};
pub use refreshed::{Fetch, Refreshed};
pub use seal::Seal;
pub use secret::Secret;
pub use service::{ServiceTokenError, ServiceTokens};
pub use session::{SessionPolicy, SessionVerifier};
pub use unsubscribe::UnsubscribeSeal;
pub use user::{Organisation, Role, User};
pub use webhooks::{WebhookSecret, WebhookSecretError, WebhookSecrets};
