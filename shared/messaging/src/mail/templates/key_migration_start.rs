//! `key-migration-start`: the old API keys of an organisation must be replaced. The first of two mails.

use consigne_core::mail::Topic;
use consigne_core::profiles::Language;
use consigne_core::{OrgId, Timestamp};

use super::sample;
use crate::mail::template::{Application, MailContent, Quoted, MailTemplate, count, day};

/// Values of the first mail about old keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyMigrationStart {
    /// The organisation. The button leads to its keys.
    pub org: OrgId,
    /// Name of the organisation.
    pub org_name: Quoted,
    /// Number of old keys.
    pub keys: u64,
    /// When keys that are not replaced are revoked.
    pub until: Timestamp,
}

impl KeyMigrationStart {
    pub(super) fn sample() -> Self {
        Self { org: sample::org(), org_name: Quoted::name("Acme"), keys: 3, until: sample::at() }
    }
}

impl MailTemplate for KeyMigrationStart {
    fn name(&self) -> &'static str {
        "key-migration-start"
    }

    fn topic(&self) -> Option<Topic> {
        None
    }

    fn content(&self, language: Language, application: &Application) -> MailContent {
        let (org, until) = (self.org_name.quoted(language), day(language, self.until));
        let (org_name, keys) = (&self.org_name, count(language, self.keys));
        match language {
            Language::English => MailContent::about(format!("{org_name}: please replace your API keys by {until}"))
                .says(format!("Keys of the old kind work until {until}. Those that are left by then are revoked."))
                .says(format!("Keys of the old kind in the organisation {org}: {keys}."))
                .says("Rotate each of them, put its new text where the old one is used, and you are done.")
                .leads_to("See the keys", application.keys(self.org)),
            Language::French => MailContent::about(format!("{org_name} : clés d’API à remplacer avant le {until}"))
                .says(format!("Les clés de l’ancienne sorte fonctionnent jusqu’au {until}, puis seront révoquées."))
                .says(format!("Clés de l’ancienne sorte dans l’organisation {org}\u{a0}: {keys}."))
                .says("Renouvelez chacune d’elles, remplacez l’ancien texte partout où il est utilisé, et c’est tout.")
                .leads_to("Voir les clés", application.keys(self.org)),
        }
    }
}
