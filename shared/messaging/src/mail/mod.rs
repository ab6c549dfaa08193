//! Mail: letters in two languages, the layout they share, and the way to SES.
//!
//! A letter is a file in `letters/`: what it must know, and its words in every language. Nothing in it is a secret or a
//! signed URL, but for the token of an invitation, which is what that letter is for.

mod mime;
mod ses;
mod template;
pub mod templates;
mod theme;
mod unsubscribe;

pub use ses::Mailer;
pub use template::{Application, MailContent, MailTemplate, Quoted};
pub use theme::{MailTheme, Reader};
pub use unsubscribe::unsubscribe_page;

#[cfg(test)]
mod templates_tests;
