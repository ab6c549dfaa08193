//! `payment-disputed`: a payment was disputed with the bank.

use consigne_core::OrgId;
use consigne_core::mail::Topic;
use consigne_core::profiles::Language;

use super::sample;
use crate::mail::words::{Application, Letter, Quoted, Words, count, euros};

/// A payment was disputed, and the credits it bought taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentDisputed {
    /// Whose credits.
    pub org: OrgId,
    /// What it is called.
    pub org_name: Quoted,
    /// The payment, in cents of a euro.
    pub cents: u64,
    /// Credits taken back.
    pub credits: u64,
}

impl PaymentDisputed {
    pub(super) fn sample() -> Self {
        Self { org: sample::org(), org_name: Quoted::name("Acme"), cents: 8_000, credits: 10_000 }
    }
}

impl Words for PaymentDisputed {
    fn name(&self) -> &'static str {
        "payment-disputed"
    }

    fn topic(&self) -> Option<Topic> {
        None
    }

    fn words(&self, language: Language, application: &Application) -> Letter {
        let (org, org_name) = (self.org_name.quoted(language), &self.org_name);
        let (paid, credits) = (euros(language, self.cents), count(language, self.credits));
        match language {
            Language::English => Letter::about(format!("{org_name}: a payment was disputed"))
                .says(format!("A payment of {paid} for credits of the organisation {org} was disputed with the bank."))
                .says(format!("The {credits} credits it had bought were taken back."))
                .says("Should the dispute end in your favour, they return.")
                .leads_to("See the credits", application.wallet(self.org)),
            Language::French => Letter::about(format!("{org_name} : un paiement est contesté"))
                .says(format!("Un paiement de {paid} pour des crédits de l’organisation {org} a été contesté."))
                .says(format!("Les {credits} crédits achetés ont été repris."))
                .says("Si le litige se règle en votre faveur, ils vous seront rendus.")
                .leads_to("Voir les crédits", application.wallet(self.org)),
        }
    }
}
