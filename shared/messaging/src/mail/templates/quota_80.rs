//! `quota-80`: most of a quota is used.

use consigne_core::{Application, OrgId};
use consigne_core::mail::Topic;
use consigne_core::profiles::Language;

use super::sample;
use crate::mail::template::{MailContent, Quoted, MailTemplate, bytes, count};

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
            Language::English => MailContent::with_subject(format!("{percent}% of your storage is used"))
                .paragraph(format!("Your files take {used} of the {limit} of your plan, which is {percent}%."))
                .paragraph("Once it is full, nothing more can be uploaded or generated. Deleting a file makes room at once.")
                .button("See the files", application.files()),
            Language::French => MailContent::with_subject(format!("{percent} % de votre espace est utilisé"))
                .paragraph(format!("Vos fichiers occupent {used} sur les {limit} de votre forfait, soit {percent}\u{a0}%."))
                .paragraph("Une fois l’espace plein, rien ne peut plus être envoyé ni créé.")
                .paragraph("Supprimer un fichier libère aussitôt sa place.")
                .button("Voir les fichiers", application.files()),
        }
    }

    fn of_key(&self, org: OrgId, name: &Quoted, language: Language, application: &Application) -> MailContent {
        let (used, limit) = (count(language, self.used), count(language, self.limit));
        let (percent, key) = (self.percent, name.quoted(language));
        match language {
            Language::English => MailContent::with_subject(name.subject_before(language, &format!("{percent}% of the quota is used")))
                .paragraph(format!("The API key {key} has made {used} of its {limit} calls of this month."))
                .paragraph("After that its calls are refused until the next month (UTC), or until the quota is raised.")
                .button("See the keys", application.keys(org)),
            Language::French => MailContent::with_subject(name.subject_before(language, &format!("{percent} % du quota est utilisé")))
                .paragraph(format!("La clé d’API {key} a fait {used} de ses {limit} appels de ce mois."))
                .paragraph("Ensuite, ses appels seront refusés jusqu’au mois suivant (UTC), ou jusqu’à un quota plus élevé.")
                .button("Voir les clés", application.keys(org)),
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
