//! `job-failed`: a generation job failed.

use consigne_core::Application;
use consigne_core::files::Kind;
use consigne_core::mail::Topic;
use consigne_core::profiles::Language;

use super::sample;
use crate::mail::template::{MailContent, Quoted, MailTemplate};

/// Values of the mail about a failed job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobFailed {
    /// Id of the job.
    pub job: String,
    /// Kind of the requested result.
    pub kind: Kind,
    /// Title of the job.
    pub title: Quoted,
    /// The reason the generator gave.
    pub reason: Option<Quoted>,
}

impl JobFailed {
    pub(super) fn sample() -> Self {
        let reason = Some(Quoted::sentence("The topic is too short"));
        Self { job: sample::job(), kind: Kind::Book, title: Quoted::name("Artificial intelligence"), reason }
    }
}

impl MailTemplate for JobFailed {
    fn name(&self) -> &'static str {
        "job-failed"
    }

    fn topic(&self) -> Option<Topic> {
        Some(Topic::Jobs)
    }

    fn content(&self, language: Language, application: &Application) -> MailContent {
        let title = self.title.quoted(language);
        let reason = self.reason.as_ref().map(|reason| reason.quoted(language));
        match language {
            Language::English => {
                let thing = match self.kind {
                    Kind::Image => "image",
                    Kind::Video => "video",
                    Kind::Book => "book",
                    Kind::Blog => "article",
                    Kind::Document | Kind::Audio => "file",
                };
                MailContent::with_subject(self.title.subject_after(language, &format!("Your {thing} could not be made")))
                    .paragraph(format!("We are sorry: your {thing} {title} could not be made."))
                    .optional_paragraph(reason.map(|reason| format!("The reason given: {reason}.")))
                    .paragraph("You can try again in the application, with the same request or a different one.")
                    .button("See the job", application.job(&self.job))
            }
            Language::French => {
                let (thing, made) = match self.kind {
                    Kind::Image => ("image", "créée"),
                    Kind::Video => ("vidéo", "créée"),
                    Kind::Book => ("livre", "créé"),
                    Kind::Blog => ("article", "créé"),
                    Kind::Document | Kind::Audio => ("fichier", "créé"),
                };
                MailContent::with_subject(self.title.subject_after(language, &format!("Votre {thing} n’a pas pu être {made}")))
                    .paragraph(format!("Nous sommes désolés\u{a0}: votre {thing} {title} n’a pas pu être {made}."))
                    .optional_paragraph(reason.map(|reason| format!("La raison indiquée\u{a0}: {reason}.")))
                    .paragraph("Vous pouvez réessayer dans l’application, avec la même demande ou une autre.")
                    .button("Voir la demande", application.job(&self.job))
            }
        }
    }
}
