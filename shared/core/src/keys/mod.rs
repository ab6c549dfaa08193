//! API keys: their records, the steps that change them, and why a call is refused.

mod judge;
mod limits;
mod record;
mod refused;
mod request;
mod step;
mod view;

pub use judge::{Ask, Limiter, Refusal, RefusalCode};
pub use limits::{KEYS_AN_HOUR, KEYS_MAX, issuing_hour, too_many_issued, too_many_keys};
pub use record::{ApiKey, KeyFacts, KeyMode, KeyStatus, Pointer};
pub use request::{KEY_NAME_MAX, KeyPatch, KeyRequest, QUOTA_MAX, Quotas};
pub use step::{ChangeContext, GRACE_MAX, KeyGuard, KeyStep, REASON_MAX};
pub use view::{IssuedKey, KeyView};
