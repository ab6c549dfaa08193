//! `key-revoked`: an API key was revoked, for the organisation's owners.

use consigne_core::OrgId;
use consigne_core::mail::Topic;
use consigne_core::profiles::Language;

use super::{By, sample};
use crate::mail::template::{Application, MailContent, Quoted, MailTemplate};

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
        match language {
            Language::English => MailContent::about(format!("{org_name}: API key {key} revoked"))
                .says(format!("The API key {key} of the organisation {org} was revoked {by}."))
                .says("Every call made with it is refused from now on, for good. What used it needs a new key.")
                .leads_to("See the keys", application.keys(self.org)),
            Language::French => MailContent::about(format!("{org_name} : clé d’API {key} révoquée"))
                .says(format!("La clé d’API {key} de l’organisation {org} a été révoquée {by}."))
                .says("Tout appel fait avec elle est refusé, et le restera\u{a0}: il faudra une nouvelle clé.")
                .leads_to("Voir les clés", application.keys(self.org)),
        }
    }
}
