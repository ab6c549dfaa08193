//! Mail: letters in two languages, the layout they share, and the way to SES.
//!
//! A letter is a file in `letters/`: what it must know, and its words in every language. Nothing in it is a secret or a
//! signed URL, but for the token of an invitation, which is what that letter is for.

mod layout;
pub mod letters;
mod mime;
mod ses;
mod unsubscribe;
mod words;

pub use layout::{Reader, Stationery};
pub use ses::Mailer;
pub use unsubscribe::unsubscribe_page;
pub use words::{Application, Letter, Quoted, Words};

#[cfg(test)]
mod letters_tests;
