//! Mail: templates in two languages, their common layout, and sending through SES.
//!
//! A template is a file in `templates/`, with the values it needs and its text in every language. Mails contain no
//! secrets and no signed URLs, except for the token in the mail of an invitation.

mod gathering;
mod mime;
mod ses;
mod template;
pub mod templates;
mod theme;
mod unsubscribe;

pub use consigne_core::Application;
pub use gathering::LastOfHour;
pub use ses::Mailer;
pub use template::{MailContent, MailTemplate, Quoted};
pub use theme::{MailTheme, Reader};
pub use unsubscribe::unsubscribe_page;

#[cfg(test)]
mod templates_tests;
