//! `endpoint-disabled`: an endpoint was disabled.

use consigne_core::{Application, OrgId};
use consigne_core::mail::Topic;
use consigne_core::profiles::Language;

use super::sample;
use crate::mail::template::{MailContent, Quoted, MailTemplate};

/// Values of the mail about a disabled endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointDisabled {
    /// The organisation. The button leads to its endpoints.
    pub org: OrgId,
    /// Name of the organisation.
    pub org_name: Quoted,
    /// Host of the endpoint. Its path may contain a secret.
    pub host: Quoted,
    /// Whether it was disabled because it answered 410. Otherwise all attempts failed for a week.
    pub gone: bool,
}

impl EndpointDisabled {
    pub(super) fn sample() -> Self {
        let [org_name, host] = ["Acme", "hooks.example.com"].map(Quoted::name);
        Self { org: sample::org(), org_name, host, gone: true }
    }
}

impl MailTemplate for EndpointDisabled {
    fn name(&self) -> &'static str {
        "endpoint-disabled"
    }

    fn topic(&self) -> Option<Topic> {
        None
    }

    fn content(&self, language: Language, application: &Application) -> MailContent {
        let (org, host) = (self.org_name.quoted(language), self.host.quoted(language));
        let org_name = &self.org_name;
        match language {
            Language::English => {
                let why = if self.gone { "it answered that it is gone (410)" } else { "every attempt has failed for a week" };
                MailContent::with_subject(org_name.subject_before(language, "webhooks are no longer delivered"))
                    .paragraph(format!("The organisation {org} receives no more webhooks at {host}, because {why}."))
                    .paragraph("Once it works again, enable the endpoint and redeliver the events that were missed.")
                    .button("See the endpoints", application.endpoints(self.org))
            }
            Language::French => {
                let gone = "elle a répondu qu’elle n’existe plus (410)";
                let why = if self.gone { gone } else { "toutes les tentatives échouent depuis une semaine" };
                MailContent::with_subject(org_name.subject_before(language, "les webhooks ne sont plus livrés"))
                    .paragraph(format!("L’organisation {org} ne reçoit plus de webhooks à l’adresse {host}, car {why}."))
                    .paragraph("Une fois le problème résolu, réactivez l’adresse et relancez la livraison des événements manqués.")
                    .button("Voir les adresses", application.endpoints(self.org))
            }
        }
    }
}
