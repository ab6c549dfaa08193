//! `key-revoked`: an API key was revoked, for the organisation's owners.

use consigne_core::{Application, OrgId};
use consigne_core::mail::Topic;
use consigne_core::profiles::Language;

use super::{By, sample};
use crate::mail::template::{MailContent, Quoted, MailTemplate};

/// Values of the mail about a revoked key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRevoked {
    /// The organisation. The button leads to its keys.
    pub org: OrgId,
    /// Name of the organisation.
    pub org_name: Quoted,
    /// Name of the key.
    pub key_name: Quoted,
    /// Who revoked the key.
    pub by: By,
}

impl KeyRevoked {
    pub(super) fn sample() -> Self {
        let [org_name, key_name] = ["Acme", "Production API"].map(Quoted::name);
        Self { org: sample::org(), org_name, key_name, by: By::Member }
    }
}

impl MailTemplate for KeyRevoked {
    fn name(&self) -> &'static str {
        "key-revoked"
    }

    fn topic(&self) -> Option<Topic> {
        None
    }

    fn content(&self, language: Language, application: &Application) -> MailContent {
        let (org, key) = (self.org_name.quoted(language), self.key_name.quoted(language));
        let (org_name, by) = (&self.org_name, self.by.phrase(language));
        let in_subject = self.key_name.quoted_in_subject(language);
        match language {
            Language::English => MailContent::with_subject(org_name.subject_before(language, &format!("API key{in_subject} revoked")))
                .paragraph(format!("The API key {key} of the organisation {org} was revoked {by}."))
                .paragraph("Every call with it is refused from now on. Programs that used it need a new key.")
                .button("See the keys", application.keys(self.org)),
            Language::French => MailContent::with_subject(org_name.subject_before(language, &format!("clé d’API{in_subject} révoquée")))
                .paragraph(format!("La clé d’API {key} de l’organisation {org} a été révoquée {by}."))
                .paragraph("Tout appel fait avec elle est désormais refusé. Les programmes qui l’utilisaient ont besoin d’une nouvelle clé.")
                .button("Voir les clés", application.keys(self.org)),
        }
    }
}
