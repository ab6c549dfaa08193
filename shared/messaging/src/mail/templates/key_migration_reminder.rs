//! `key-migration-reminder`: an organisation has not yet replaced its old API keys. The second of two mails.

use consigne_core::mail::Topic;
use consigne_core::profiles::Language;
use consigne_core::{Application, OrgId, Timestamp};

use super::sample;
use crate::mail::template::{MailContent, Quoted, MailTemplate, count, day, listed};

/// Values of the reminder about old keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyMigrationReminder {
    /// The organisation. The button leads to its keys.
    pub org: OrgId,
    /// Name of the organisation.
    pub org_name: Quoted,
    /// Number of keys that are not replaced.
    pub keys: u64,
    /// Names of these keys, possibly not all.
    pub names: Vec<Quoted>,
    /// When they are revoked.
    pub until: Timestamp,
}

impl KeyMigrationReminder {
    pub(super) fn sample() -> Self {
        Self { org: sample::org(), org_name: Quoted::name("Acme"), keys: 1, names: vec![Quoted::name("Production API")], until: sample::at() }
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
        let names = listed(language, &self.names, self.keys);
        match language {
            Language::English => MailContent::with_subject(org_name.subject_before(language, &format!("old API keys end on {until}, last reminder")))
                .paragraph(format!("Old API keys that the organisation {org} has not replaced yet: {keys} ({names})."))
                .paragraph(format!("They will be revoked on {until}. From then on every call with them is refused."))
                .paragraph("Please rotate them before that day.")
                .button("See the keys", application.keys(self.org)),
            Language::French => MailContent::with_subject(org_name.subject_before(language, &format!("fin des anciennes clés le {until}, dernier rappel")))
                .paragraph(format!("Clés que l’organisation {org} n’a pas encore remplacées\u{a0}: {keys} ({names})."))
                .paragraph(format!("Elles seront révoquées le {until}, et tout appel fait avec l’une d’elles sera refusé."))
                .paragraph("Merci de les renouveler avant cette date.")
                .button("Voir les clés", application.keys(self.org)),
        }
    }
}
