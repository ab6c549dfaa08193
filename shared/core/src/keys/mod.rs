//! API keys: their records, the steps that change them, and why a call is refused.

mod judge;
mod record;
mod refused;
mod request;
mod step;
mod view;

pub use judge::{Ask, Limiter, Refusal, RefusalCode};
pub use record::{ApiKey, KeyFacts, KeyMode, KeyStatus, Pointer};
pub use request::{KeyPatch, KeyRequest, Quotas};
pub use step::{ChangeContext, KeyGuard, KeyStep};
pub use view::{IssuedKey, KeyView};
