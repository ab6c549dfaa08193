//! Texts that a language model writes: the prompts, the parsing of answers, and the draft that grows chapter by
//! chapter.
//!
//! The outline comes first, then one chapter at a time. Each answer is stored in the [`Draft`] before anything else
//! happens. So a worker may crash at any time, and the next one continues with the missing chapter.

mod draft;
mod form;
mod markdown;
mod message;
mod outline;
mod prompt;
mod reply;
mod trouble;

pub use draft::{Chapter, Draft, LEASE, Lease, Next, Turn};
pub use form::Form;
pub use markdown::{assembled, file_name};
pub use message::TextMessage;
pub use outline::{Heading, Outline};
pub use prompt::Prompt;
pub use reply::{REPLY_MAX, Reply, Tokens, read_reply};
pub use trouble::{Sort, Trouble};
