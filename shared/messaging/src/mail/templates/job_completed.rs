//! `job-completed`: the result of a generation job is ready.

use consigne_core::Application;
use consigne_core::files::Kind;
use consigne_core::mail::Topic;
use consigne_core::profiles::Language;

use super::sample;
use crate::mail::template::{MailContent, Quoted, MailTemplate};

/// Values of the mail about a completed job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobCompleted {
    /// Id of the job.
    pub job: String,
    /// Kind of the result.
    pub kind: Kind,
    /// Title of the job.
    pub title: Quoted,
}

impl JobCompleted {
    pub(super) fn sample() -> Self {
        Self { job: sample::job(), kind: Kind::Image, title: Quoted::name("A lighthouse at dawn") }
    }
}

impl MailTemplate for JobCompleted {
    fn name(&self) -> &'static str {
        "job-completed"
    }

    fn topic(&self) -> Option<Topic> {
        Some(Topic::Jobs)
    }

    fn content(&self, language: Language, application: &Application) -> MailContent {
        let title = self.title.quoted(language);
        match language {
            Language::English => {
                let thing = match self.kind {
                    Kind::Image => "image",
                    Kind::Video => "video",
                    Kind::Book => "book",
                    Kind::Blog => "article",
                    Kind::Document | Kind::Audio => "file",
                };
                MailContent::with_subject(self.title.subject_after(language, &format!("Your {thing} is ready")))
                    .paragraph(format!("Your {thing} {title} is ready."))
                    .paragraph("You can look at it, download it or delete it in the application.")
                    .button("See the result", application.job(&self.job))
            }
            Language::French => {
                let (thing, ready) = match self.kind {
                    Kind::Image => ("image", "prête"),
                    Kind::Video => ("vidéo", "prête"),
                    Kind::Book => ("livre", "prêt"),
                    Kind::Blog => ("article", "prêt"),
                    Kind::Document | Kind::Audio => ("fichier", "prêt"),
                };
                MailContent::with_subject(self.title.subject_after(language, &format!("Votre {thing} est {ready}")))
                    .paragraph(format!("Votre {thing} {title} est {ready}."))
                    .paragraph("Vous pouvez consulter, télécharger ou supprimer le résultat dans l’application.")
                    .button("Voir le résultat", application.job(&self.job))
            }
        }
    }
}
