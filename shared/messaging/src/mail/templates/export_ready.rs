//! `export-ready`: the export of a person's data can be downloaded.

use consigne_core::mail::Topic;
use consigne_core::profiles::Language;
use consigne_core::{Application, Timestamp};

use super::sample;
use crate::mail::template::{MailContent, MailTemplate, day};

/// Values of the mail about an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportReady {
    /// When it can no longer be downloaded.
    pub until: Timestamp,
}

impl ExportReady {
    pub(super) fn sample() -> Self {
        Self { until: sample::at() }
    }
}

impl MailTemplate for ExportReady {
    fn name(&self) -> &'static str {
        "export-ready"
    }

    // A security notice: if somebody else has asked for the export, the person must learn of it. So it has no link to
    // unsubscribe.
    fn topic(&self) -> Option<Topic> {
        None
    }

    fn content(&self, language: Language, application: &Application) -> MailContent {
        let until = day(language, self.until);
        match language {
            Language::English => MailContent::with_subject("Your data is ready to download")
                .paragraph("The export of your data is complete.")
                .paragraph(format!("You can download it on the page of your account until {until}. You need to be signed in."))
                .paragraph("If you did not ask for it, please change your password.")
                .button("Download my data", application.account()),
            Language::French => MailContent::with_subject("Vos données sont prêtes à être téléchargées")
                .paragraph("L’export de vos données est terminé.")
                .paragraph(format!("Vous pouvez le télécharger sur la page de votre compte jusqu’au {until}. Vous devez être connecté."))
                .paragraph("Si vous ne l’avez pas demandé, veuillez changer votre mot de passe.")
                .button("Télécharger mes données", application.account()),
        }
    }
}
