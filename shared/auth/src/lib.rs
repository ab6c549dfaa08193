//! Finds out who is calling and what they may do: session tokens, API keys, service tokens, signed webhooks,
//! permissions.

mod api_key;
mod buckets;
mod carrier;
mod claims;
mod cursors;
mod endpoint_secrets;
mod gateway;
mod invitation_tokens;
mod key_lookup;
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
pub use cursors::CursorSeal;
pub use endpoint_secrets::{EndpointSecret, EndpointSecrets};
pub use gateway::{GatewaySeal, Identity, body_digest};
pub use invitation_tokens::{InvitationToken, InvitationTokens};
pub use key_lookup::{KeyFinder, KeyMint};
pub use keys::{FetchError, FetchKeys, KeySource, KeySourceError};
pub use legacy::LegacyText;
pub use peppers::{PepperError, Peppers};
pub use permissions::{MATRIX, Route, member};
pub use refreshed::{Fetch, Refreshed};
pub use secret::Secret;
pub use service::{ServiceTokenError, ServiceTokens};
pub use session::{SessionPolicy, SessionVerifier};
pub use stripe::{StripeSecret, StripeSecrets};
pub use unsubscribe::UnsubscribeSeal;
pub use user::{Organisation, Role, User};
pub use webhooks::{WebhookSecret, WebhookSecretError, WebhookSecrets};
