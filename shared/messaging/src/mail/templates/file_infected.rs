//! `file-infected`: malware was found in a file.

use consigne_core::Application;
use consigne_core::mail::Topic;
use consigne_core::profiles::Language;

use crate::mail::template::{MailContent, Quoted, MailTemplate};

/// Values of the mail about an infected file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileInfected {
    /// Name of the file.
    pub filename: Quoted,
    /// Name of the malware, if the scanner says it.
    pub threat: Option<Quoted>,
}

impl FileInfected {
    pub(super) fn sample() -> Self {
        Self { filename: Quoted::name("invoice.pdf"), threat: Some(Quoted::name("EICAR-Test-File")) }
    }
}

impl MailTemplate for FileInfected {
    fn name(&self) -> &'static str {
        "file-infected"
    }

    // It is about the safety of its reader, so nobody can unsubscribe from it.
    fn topic(&self) -> Option<Topic> {
        None
    }

    fn content(&self, language: Language, application: &Application) -> MailContent {
        let file = self.filename.quoted(language);
        let threat = self.threat.as_ref().map(|threat| threat.quoted(language));
        match language {
            Language::English => {
                MailContent::with_subject(self.filename.subject_after(language, "Malware was found in your file"))
                    .paragraph(format!("A scan has found malware in your file {file}. It was removed and can no longer be read."))
                    .optional_paragraph(threat.map(|threat| format!("Name of the malware: {threat}.")))
                    .paragraph("Please check the device that the file comes from, and do not open copies of it.")
                    .paragraph("The file no longer counts against your storage.")
                    .button("See the files", application.files())
            }
            Language::French => {
                MailContent::with_subject(self.filename.subject_after(language, "Un logiciel malveillant a été trouvé dans votre fichier"))
                    .paragraph(format!("Une analyse a trouvé un logiciel malveillant dans votre fichier {file}. Il a été supprimé et ne peut plus être lu."))
                    .optional_paragraph(threat.map(|threat| format!("Nom du logiciel malveillant\u{a0}: {threat}.")))
                    .paragraph("Veuillez vérifier l’appareil d’où vient le fichier, et n’en ouvrez aucune copie.")
                    .paragraph("Le fichier ne compte plus dans votre espace de stockage.")
                    .button("Voir les fichiers", application.files())
            }
        }
    }
}
