//! `key-created`: an API key was issued, for the organisation's owners.

use consigne_core::{Application, OrgId};
use consigne_core::mail::Topic;
use consigne_core::profiles::Language;

use super::{By, sample};
use crate::mail::template::{MailContent, Quoted, MailTemplate};

/// Values of the mail about a new key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyCreated {
    /// The organisation. The button leads to its keys.
    pub org: OrgId,
    /// Name of the organisation.
    pub org_name: Quoted,
    /// Name of the key.
    pub key_name: Quoted,
    /// Who issued the key.
    pub by: By,
}

impl KeyCreated {
    pub(super) fn sample() -> Self {
        let [org_name, key_name, actor] = ["Acme", "Production API", "Marie Curie"].map(Quoted::name);
        Self { org: sample::org(), org_name, key_name, by: By::Person(actor) }
    }
}

impl MailTemplate for KeyCreated {
    fn name(&self) -> &'static str {
        "key-created"
    }

    fn topic(&self) -> Option<Topic> {
        None
    }

    fn gathered(&self) -> Option<OrgId> {
        Some(self.org)
    }

    fn no_more(&self, language: Language) -> Option<&'static str> {
        Some(match language {
            Language::English => {
                "Many keys are being created. You get no more mails about new keys of this organisation in this hour; its audit log lists all of them."
            }
            Language::French => {
                "De nombreuses clés sont en cours de création. Vous ne recevrez plus de messages sur les nouvelles clés de cette organisation pendant cette heure ; son journal d’audit les énumère toutes."
            }
        })
    }

    fn content(&self, language: Language, application: &Application) -> MailContent {
        let (org, key) = (self.org_name.quoted(language), self.key_name.quoted(language));
        let (org_name, by) = (&self.org_name, self.by.phrase(language));
        let in_subject = self.key_name.quoted_in_subject(language);
        match language {
            Language::English => MailContent::with_subject(org_name.subject_before(language, &format!("new API key{in_subject}")))
                .paragraph(format!("The API key {key} was created in the organisation {org} {by}."))
                .paragraph("If this was not meant to happen, revoke the key at once.")
                .button("See the keys", application.keys(self.org)),
            Language::French => MailContent::with_subject(org_name.subject_before(language, &format!("nouvelle clé d’API{in_subject}")))
                .paragraph(format!("La clé d’API {key} a été créée dans l’organisation {org} {by}."))
                .paragraph("Si ce n’était pas prévu, révoquez-la sans attendre.")
                .button("Voir les clés", application.keys(self.org)),
        }
    }
}
