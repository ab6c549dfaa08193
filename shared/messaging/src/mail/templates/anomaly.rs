//! `anomaly`: unusual use or creation of API keys, for the organisation's owners.

use consigne_core::{Application, OrgId};
use consigne_core::mail::Topic;
use consigne_core::profiles::Language;

use super::sample;
use crate::mail::template::{MailContent, Quoted, MailTemplate, count};

/// Values of the mail about an anomaly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anomaly {
    /// The organisation. The button leads to its keys.
    pub org: OrgId,
    /// Name of the organisation.
    pub org_name: Quoted,
    /// The anomaly that was detected.
    pub facts: AnomalyFacts,
    /// Whether the key or the organisation was suspended because of it.
    pub suspended: bool,
}

/// The anomaly, with its numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnomalyFacts {
    /// A key was used from many countries within an hour.
    Countries {
        /// Name of the key.
        key_name: Quoted,
        /// Number of countries within the hour.
        countries: u64,
    },
    /// This many keys were created within ten minutes.
    Keys(u64),
    /// A key was used far more often than usual.
    Jump {
        /// Name of the key.
        key_name: Quoted,
        /// Calls of the day.
        calls: u64,
        /// Calls of a usual day.
        median: u64,
    },
}

impl AnomalyFacts {
    fn phrase(&self, language: Language, org: &str) -> String {
        let written = |number: u64| count(language, number);
        match (self, language) {
            (Self::Countries { key_name, countries }, Language::English) => {
                let (key, countries) = (key_name.quoted(language), written(*countries));
                format!("The API key {key} of the organisation {org} was used from {countries} countries in an hour.")
            }
            (Self::Countries { key_name, countries }, Language::French) => {
                let (key, countries) = (key_name.quoted(language), written(*countries));
                format!("La clé d’API {key} de l’organisation {org} a servi depuis {countries} pays en une heure.")
            }
            (Self::Keys(keys), Language::English) => {
                format!("{} API keys were created in the organisation {org} within ten minutes.", written(*keys))
            }
            (Self::Keys(keys), Language::French) => {
                format!("{} clés d’API ont été créées dans l’organisation {org} en dix minutes.", written(*keys))
            }
            (Self::Jump { key_name, calls, median }, Language::English) => {
                let (key, calls, median) = (key_name.quoted(language), written(*calls), written(*median));
                format!("The API key {key} of the organisation {org} made {calls} calls today, compared with {median} on a usual day.")
            }
            (Self::Jump { key_name, calls, median }, Language::French) => {
                let (key, calls, median) = (key_name.quoted(language), written(*calls), written(*median));
                format!(
                    "La clé d’API {key} de l’organisation {org} a fait {calls} appels aujourd’hui, contre {median} un jour \
                     ordinaire."
                )
            }
        }
    }

    /// Returns the sentence about the suspension of the key, or of the organisation if many keys were created.
    fn suspension(&self, language: Language) -> String {
        let of_organisation = matches!(self, Self::Keys(_));
        match language {
            Language::English => {
                let what = if of_organisation { "the organisation" } else { "the key" };
                format!("For safety, {what} was suspended. Its calls are refused until the operator of the service resumes it.")
            }
            Language::French => {
                let what = if of_organisation { "l’organisation" } else { "la clé" };
                format!(
                    "Par sécurité, {what} a été suspendue. Ses appels sont refusés jusqu’à ce que l’opérateur du service \
                     la rétablisse."
                )
            }
        }
    }
}

impl Anomaly {
    pub(super) fn sample() -> Self {
        let facts = AnomalyFacts::Countries { key_name: Quoted::name("Production API"), countries: 11 };
        Self { org: sample::org(), org_name: Quoted::name("Acme"), facts, suspended: true }
    }
}

impl MailTemplate for Anomaly {
    fn name(&self) -> &'static str {
        "anomaly"
    }

    fn topic(&self) -> Option<Topic> {
        None
    }

    fn content(&self, language: Language, application: &Application) -> MailContent {
        let (org, org_name) = (self.org_name.quoted(language), &self.org_name);
        let seen = self.facts.phrase(language, &org);
        let suspended = self.suspended.then(|| self.facts.suspension(language));
        match language {
            Language::English => MailContent::with_subject(org_name.subject_before(language, "unusual use of API keys"))
                .paragraph(seen)
                .optional_paragraph(suspended)
                .paragraph("If this was not you, revoke the keys and issue new ones.")
                .button("See the keys", application.keys(self.org)),
            Language::French => MailContent::with_subject(org_name.subject_before(language, "usage inhabituel des clés d’API"))
                .paragraph(seen)
                .optional_paragraph(suspended)
                .paragraph("Si cela ne vient pas de chez vous, révoquez les clés et créez-en de nouvelles.")
                .button("Voir les clés", application.keys(self.org)),
        }
    }
}
