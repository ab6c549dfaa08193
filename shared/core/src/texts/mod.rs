//! Texts that a language model writes: what it is asked, what is made of its answers, and how a text grows chapter by chapter.
//!
//! A text is planned first, and then written one chapter at a time. What was answered is put down in a [`Manuscript`] before
//! anything else happens, so that a worker may be killed anywhere: the next one goes on at the chapter that is missing.

mod form;
mod manuscript;
mod markdown;
mod message;
mod outline;
mod prompt;
mod reply;
mod trouble;

pub use form::Form;
pub use manuscript::{Chapter, LEASE, Lease, Manuscript, Next, Turn};
pub use markdown::{assembled, file_name};
pub use message::TextMessage;
pub use outline::{Heading, Outline};
pub use prompt::Prompt;
pub use reply::{REPLY_MAX, Reply, Tokens, read_reply};
pub use trouble::{Sort, Trouble};
