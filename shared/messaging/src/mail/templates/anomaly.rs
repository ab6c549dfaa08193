//! `anomaly`: unusual use or creation of API keys, for the organisation's owners.

use consigne_core::OrgId;
use consigne_core::mail::Topic;
use consigne_core::profiles::Language;

use super::sample;
use crate::mail::template::{Application, MailContent, Quoted, MailTemplate, count};

/// Values of the mail about an anomaly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anomaly {
    /// The organisation. The button leads to its keys.
    pub org: OrgId,
    /// Name of the organisation.
    pub org_name: Quoted,
    /// The anomaly that was detected.
    pub oddity: Oddity,
    /// Whether the key or the organisation was suspended because of it.
    pub stopped: bool,
}

/// The anomaly, with its numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Oddity {
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

impl Oddity {
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
                format!("Calls of the API key {key} of the organisation {org} today: {calls}, of a usual day: {median}.")
            }
            (Self::Jump { key_name, calls, median }, Language::French) => {
                let (key, calls, median) = (key_name.quoted(language), written(*calls), written(*median));
                format!(
                    "Appels de la clé d’API {key} de l’organisation {org} aujourd’hui\u{a0}: {calls}, d’un jour \
                     ordinaire\u{a0}: {median}."
                )
            }
        }
    }
}

impl Anomaly {
    pub(super) fn sample() -> Self {
        let oddity = Oddity::Countries { key_name: Quoted::name("Production API"), countries: 11 };
        Self { org: sample::org(), org_name: Quoted::name("Acme"), oddity, stopped: true }
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
        let seen = self.oddity.phrase(language, &org);
        match language {
            Language::English => {
                let stopped = "What is concerned is stopped; its calls are refused until the operator of the service lets it work again.";
                MailContent::about(format!("{org_name}: unusual use of API keys"))
                    .says(seen)
                    .may_say(self.stopped.then(|| stopped.to_owned()))
                    .says("If this is none of yours, revoke the keys and issue new ones.")
                    .leads_to("See the keys", application.keys(self.org))
            }
            Language::French => {
                let stopped = "Ce qui est concerné est suspendu\u{a0}: ses appels sont refusés jusqu’à ce que l’opérateur du service le rétablisse.";
                MailContent::about(format!("{org_name} : usage inhabituel des clés d’API"))
                    .says(seen)
                    .may_say(self.stopped.then(|| stopped.to_owned()))
                    .says("Si cela ne vient pas de chez vous, révoquez les clés et créez-en de nouvelles.")
                    .leads_to("Voir les clés", application.keys(self.org))
            }
        }
    }
}
