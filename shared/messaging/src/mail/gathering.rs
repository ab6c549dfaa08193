//! Gathered mails: of some kinds, only a few go to one person in an hour, and the last one says so.

use consigne_core::Application;
use consigne_core::mail::Topic;
use consigne_core::profiles::Language;

use super::template::{MailContent, MailTemplate};

/// A template as the last mail of its kind in an hour.
pub struct LastOfHour<'a>(pub &'a dyn MailTemplate);

impl MailTemplate for LastOfHour<'_> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn topic(&self) -> Option<Topic> {
        self.0.topic()
    }

    fn content(&self, language: Language, application: &Application) -> MailContent {
        let no_more = self.0.no_more(language).map(str::to_owned);
        self.0.content(language, application).optional_paragraph(no_more)
    }
}
