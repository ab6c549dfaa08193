//! `payment-disputed`: a payment was disputed with the bank.

use consigne_core::{Application, OrgId};
use consigne_core::mail::Topic;
use consigne_core::profiles::Language;

use super::{sample, taken_back};
use crate::mail::template::{MailContent, Quoted, MailTemplate, euros};

/// Values of the mail about a disputed payment, whose credits were clawed back. The dispute was opened by the payer, so
/// the recipients belong to the organisation that disputes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentDisputed {
    /// The organisation. The button leads to its credits.
    pub org: OrgId,
    /// Name of the organisation.
    pub org_name: Quoted,
    /// Disputed amount, in cents of a euro.
    pub cents: u64,
    /// Credits clawed back because of it.
    pub credits: u64,
}

impl PaymentDisputed {
    pub(super) fn sample() -> Self {
        Self { org: sample::org(), org_name: Quoted::name("Acme"), cents: 8_000, credits: 10_000 }
    }
}

impl MailTemplate for PaymentDisputed {
    fn name(&self) -> &'static str {
        "payment-disputed"
    }

    fn topic(&self) -> Option<Topic> {
        None
    }

    fn content(&self, language: Language, application: &Application) -> MailContent {
        let (org, org_name) = (self.org_name.quoted(language), &self.org_name);
        let (paid, credits) = (euros(language, self.cents), taken_back(language, self.credits));
        match language {
            Language::English => MailContent::with_subject(org_name.subject_before(language, "a payment was disputed"))
                .paragraph(format!("A payment of {paid} for credits of the organisation {org} was disputed with the bank."))
                .paragraph(credits)
                .paragraph("If the dispute is withdrawn or rejected, they are given back.")
                .button("See the credits", application.wallet(self.org)),
            Language::French => MailContent::with_subject(org_name.subject_before(language, "un paiement est contesté"))
                .paragraph(format!("Un paiement de {paid} pour des crédits de l’organisation {org} a été contesté."))
                .paragraph(credits)
                .paragraph("Si la contestation est retirée ou rejetée, ils seront rendus.")
                .button("Voir les crédits", application.wallet(self.org)),
        }
    }
}
