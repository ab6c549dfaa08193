//! `quota-80`: most of a quota is used.

use consigne_core::OrgId;
use consigne_core::mail::Topic;
use consigne_core::profiles::Language;

use super::sample;
use crate::mail::template::{Application, MailContent, Quoted, MailTemplate, bytes, count};

/// Values of the mail about a quota.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota80 {
    /// Which quota is nearly used up.
    pub quota: Quota,
    /// The used part, in percent.
    pub percent: u8,
    /// The used part, in the quota's unit.
    pub used: u64,
    /// The whole quota, in its unit.
    pub limit: u64,
}

/// The kind of a quota.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Quota {
    /// A person's storage, in bytes.
    Storage,
    /// Calls of a key in a month.
    Key {
        /// The organisation of the key.
        org: OrgId,
        /// Name of the key.
        name: Quoted,
    },
}

impl Quota80 {
    pub(super) fn sample() -> Self {
        let quota = Quota::Key { org: sample::org(), name: Quoted::name("Production API") };
        Self { quota, percent: 80, used: 8_000, limit: 10_000 }
    }

    fn of_storage(&self, language: Language, application: &Application) -> MailContent {
        let (used, limit) = (bytes(language, self.used), bytes(language, self.limit));
        let percent = self.percent;
        match language {
            Language::English => MailContent::about(format!("{percent}% of your storage is used"))
                .says(format!("Your files take {used} of the {limit} of your plan, which is {percent}%."))
                .says("Once it is full, nothing more can be uploaded or generated. Deleting a file makes room at once.")
                .leads_to("See the files", application.files()),
            Language::French => MailContent::about(format!("{percent} % de votre espace est utilisé"))
                .says(format!("Vos fichiers occupent {used} sur les {limit} de votre forfait, soit {percent}\u{a0}%."))
                .says("Une fois l’espace plein, rien ne peut plus être envoyé ni créé.")
                .says("Supprimer un fichier libère aussitôt sa place.")
                .leads_to("Voir les fichiers", application.files()),
        }
    }

    fn of_key(&self, org: OrgId, name: &Quoted, language: Language, application: &Application) -> MailContent {
        let (used, limit) = (count(language, self.used), count(language, self.limit));
        let (percent, key) = (self.percent, name.quoted(language));
        match language {
            Language::English => MailContent::about(format!("{name}: {percent}% of the quota is used"))
                .says(format!("The API key {key} has made {used} of its {limit} calls of this month."))
                .says("After that its calls are refused until the next month (UTC), or until the quota is raised.")
                .leads_to("See the keys", application.keys(org)),
            Language::French => MailContent::about(format!("{name} : {percent} % du quota est utilisé"))
                .says(format!("La clé d’API {key} a fait {used} de ses {limit} appels de ce mois."))
                .says("Ensuite, ses appels seront refusés jusqu’au mois suivant (UTC), ou jusqu’à un quota plus élevé.")
                .leads_to("Voir les clés", application.keys(org)),
        }
    }
}

impl MailTemplate for Quota80 {
    fn name(&self) -> &'static str {
        "quota-80"
    }

    fn topic(&self) -> Option<Topic> {
        Some(Topic::Limits)
    }

    fn content(&self, language: Language, application: &Application) -> MailContent {
        match &self.quota {
            Quota::Storage => self.of_storage(language, application),
            Quota::Key { org, name } => self.of_key(*org, name, language, application),
        }
    }
}
