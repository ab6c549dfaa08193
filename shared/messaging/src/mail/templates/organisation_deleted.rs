//! `organisation-deleted`: an organisation was deleted, for each of its members.

use consigne_core::Application;
use consigne_core::mail::Topic;
use consigne_core::profiles::Language;

use super::{By, credits};
use crate::mail::template::{MailContent, MailTemplate, Quoted};

/// Values of the mail about a deleted organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrganisationDeleted {
    /// Name that the organisation had.
    pub org_name: Quoted,
    /// Who deleted it.
    pub by: By,
    /// Credits that were lost with it.
    pub credits_lost: u64,
}

impl OrganisationDeleted {
    pub(super) fn sample() -> Self {
        let [org_name, actor] = ["Acme", "Marie Curie"].map(Quoted::name);
        Self { org_name, by: By::Person(actor), credits_lost: 250 }
    }
}

impl MailTemplate for OrganisationDeleted {
    fn name(&self) -> &'static str {
        "organisation-deleted"
    }

    fn topic(&self) -> Option<Topic> {
        None
    }

    fn content(&self, language: Language, _application: &Application) -> MailContent {
        let (org, by) = (self.org_name.quoted(language), self.by.phrase(language));
        let (org_name, lost) = (&self.org_name, credits(language, self.credits_lost));
        match language {
            Language::English => {
                let content =
                    MailContent::with_subject(org_name.subject_before(language, "the organisation was deleted"))
                        .paragraph(format!("The organisation {org} was deleted {by}. You no longer have access to it."))
                        .paragraph("Its API keys no longer work, and its webhooks and invitations have ended.");
                match self.credits_lost {
                    0 => content,
                    _ => content.paragraph(format!("What was left in its wallet is lost: {lost}.")),
                }
            }
            Language::French => {
                let content = MailContent::with_subject(org_name.subject_before(language, "l’organisation a été supprimée"))
                    .paragraph(format!("L’organisation {org} a été supprimée {by}. Vous n’y avez plus accès."))
                    .paragraph("Ses clés d’API ne fonctionnent plus ; ses webhooks et ses invitations ont pris fin.");
                match self.credits_lost {
                    0 => content,
                    _ => content.paragraph(format!("Le solde de son portefeuille est perdu : {lost}.")),
                }
            }
        }
    }
}
