//! `payment-refunded`: a payment was refunded.

use consigne_core::{Application, OrgId};
use consigne_core::mail::Topic;
use consigne_core::profiles::Language;

use super::{credits, sample, taken_back};
use crate::mail::template::{MailContent, Quoted, MailTemplate, euros};

/// Values of the mail about a refunded payment. A share of its credits was clawed back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentRefunded {
    /// The organisation. The button leads to its credits.
    pub org: OrgId,
    /// Name of the organisation.
    pub org_name: Quoted,
    /// Total refunded so far, in cents of a euro.
    pub cents: u64,
    /// Credits clawed back because of it.
    pub credits: u64,
    /// Balance afterwards. Negative if the credits had been spent.
    pub balance: i64,
}

impl PaymentRefunded {
    pub(super) fn sample() -> Self {
        Self { org: sample::org(), org_name: Quoted::name("Acme"), cents: 8_000, credits: 10_000, balance: -300 }
    }

    /// Returns the sentence about the balance, and whether keys are refused because of it.
    fn rest(&self, language: Language) -> String {
        let credits = credits(language, self.balance.unsigned_abs());
        match (language, self.balance) {
            (Language::English, 1..) => format!("It has {credits} left."),
            (Language::English, 0) => "It has no credits left: its keys are refused until it has new credits.".to_owned(),
            (Language::English, _) => {
                format!("Its balance is {credits} below zero: its keys are refused until new credits bring it above zero.")
            }
            (Language::French, 1..) => format!("Il lui reste {credits}."),
            (Language::French, 0) => {
                "Il ne lui reste aucun crédit : ses clés sont refusées jusqu’au prochain achat.".to_owned()
            }
            (Language::French, _) => {
                format!("Il lui manque {credits} : ses clés sont refusées jusqu’à ce que de nouveaux crédits ramènent le solde au-dessus de zéro.")
            }
        }
    }
}

impl MailTemplate for PaymentRefunded {
    fn name(&self) -> &'static str {
        "payment-refunded"
    }

    fn topic(&self) -> Option<Topic> {
        None
    }

    fn content(&self, language: Language, application: &Application) -> MailContent {
        let (org, org_name) = (self.org_name.quoted(language), &self.org_name);
        let (paid, credits) = (euros(language, self.cents), taken_back(language, self.credits));
        let content = match language {
            Language::English => MailContent::with_subject(org_name.subject_before(language, "a payment was refunded"))
                .paragraph(format!("{paid} of a payment for credits of the organisation {org} was refunded."))
                .paragraph(credits)
                .paragraph(self.rest(language)),
            Language::French => MailContent::with_subject(org_name.subject_before(language, "un paiement est remboursé"))
                .paragraph(format!("Un paiement pour des crédits de l’organisation {org} a été remboursé de {paid}."))
                .paragraph(credits)
                .paragraph(self.rest(language)),
        };
        match language {
            Language::English => content.button("See the credits", application.wallet(self.org)),
            Language::French => content.button("Voir les crédits", application.wallet(self.org)),
        }
    }
}
