//! `key-migration-reminder`: an organisation has not yet replaced its old API keys. The second of two mails.

use consigne_core::mail::Topic;
use consigne_core::profiles::Language;
use consigne_core::{OrgId, Timestamp};

use super::sample;
use crate::mail::template::{Application, MailContent, Quoted, MailTemplate, count, day};

/// Values of the reminder about old keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyMigrationReminder {
    /// The organisation. The button leads to its keys.
    pub org: OrgId,
    /// Name of the organisation.
    pub org_name: Quoted,
    /// Number of keys that are not replaced.
    pub keys: u64,
    /// When they are revoked.
    pub until: Timestamp,
}

impl KeyMigrationReminder {
    pub(super) fn sample() -> Self {
        Self { org: sample::org(), org_name: Quoted::name("Acme"), keys: 1, until: sample::at() }
    }
}

impl MailTemplate for KeyMigrationReminder {
    fn name(&self) -> &'static str {
        "key-migration-reminder"
    }

    fn topic(&self) -> Option<Topic> {
        None
    }

    fn content(&self, language: Language, application: &Application) -> MailContent {
        let (org, until) = (self.org_name.quoted(language), day(language, self.until));
        let (org_name, keys) = (&self.org_name, count(language, self.keys));
        match language {
            Language::English => MailContent::about(format!("{org_name}: old API keys end on {until}, last reminder"))
                .says(format!("Keys that the organisation {org} has not replaced yet: {keys}."))
                .says(format!("They are revoked on {until}, and every call made with them is refused from then on."))
                .says("Please rotate them before that day.")
                .leads_to("See the keys", application.keys(self.org)),
            Language::French => MailContent::about(format!("{org_name} : fin des anciennes clés le {until}, dernier rappel"))
                .says(format!("Clés que l’organisation {org} n’a pas encore remplacées\u{a0}: {keys}."))
                .says(format!("Elles seront révoquées le {until}, et tout appel fait avec l’une d’elles sera refusé."))
                .says("Merci de les renouveler avant cette date.")
                .leads_to("Voir les clés", application.keys(self.org)),
        }
    }
}
