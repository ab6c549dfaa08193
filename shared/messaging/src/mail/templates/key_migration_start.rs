//! `key-migration-start`: the old API keys of an organisation must be replaced. The first of two mails.

use consigne_core::mail::Topic;
use consigne_core::profiles::Language;
use consigne_core::{Application, OrgId, Timestamp};

use super::sample;
use crate::mail::template::{MailContent, Quoted, MailTemplate, count, day, listed};

/// Values of the first mail about old keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyMigrationStart {
    /// The organisation. The button leads to its keys.
    pub org: OrgId,
    /// Name of the organisation.
    pub org_name: Quoted,
    /// Number of old keys.
    pub keys: u64,
    /// Names of these keys, possibly not all.
    pub names: Vec<Quoted>,
    /// When keys that are not replaced are revoked.
    pub until: Timestamp,
}

impl KeyMigrationStart {
    pub(super) fn sample() -> Self {
        Self { org: sample::org(), org_name: Quoted::name("Acme"), keys: 3, names: ["Production API", "Batch", "Tests"].map(Quoted::name).to_vec(), until: sample::at() }
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
        let names = listed(language, &self.names, self.keys);
        match language {
            Language::English => MailContent::with_subject(org_name.subject_before(language, &format!("please replace your API keys by {until}")))
                .paragraph(format!("API keys of the old kind work until {until}. Keys that are not replaced by then are revoked."))
                .paragraph(format!("Keys of the old kind in the organisation {org}: {keys} ({names})."))
                .paragraph("Rotate each key and put its new text wherever the old one is used.")
                .button("See the keys", application.keys(self.org)),
            Language::French => MailContent::with_subject(org_name.subject_before(language, &format!("clés d’API à remplacer avant le {until}")))
                .paragraph(format!("Les clés de l’ancienne sorte fonctionnent jusqu’au {until}, puis seront révoquées."))
                .paragraph(format!("Clés de l’ancienne sorte dans l’organisation {org}\u{a0}: {keys} ({names})."))
                .paragraph("Renouvelez chaque clé et remplacez l’ancien texte partout où il est utilisé.")
                .button("Voir les clés", application.keys(self.org)),
        }
    }
}
