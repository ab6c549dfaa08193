//! Who is calling, and what they may do.

mod carrier;
mod claims;
mod keys;
mod seal;
mod secret;
mod session;
mod user;

pub use carrier::{Carrier, Credentials};
pub use keys::{FetchError, FetchKeys, KeySource, KeySourceError};
pub use seal::Seal;
pub use secret::Secret;
pub use session::{SessionPolicy, SessionVerifier};
pub use user::{Organisation, Role, User};
