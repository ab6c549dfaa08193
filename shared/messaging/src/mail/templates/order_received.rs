//! `order-received`: a customer's order is complete.

use consigne_core::Application;
use consigne_core::mail::Topic;
use consigne_core::profiles::Language;

use super::sample;
use crate::mail::template::{MailContent, MailTemplate};

/// Values of the mail to the customer of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderReceived {
    /// Id of the order.
    pub order: String,
    /// Whether it replaces an earlier submission.
    pub again: bool,
}

impl OrderReceived {
    pub(super) fn sample() -> Self {
        Self { order: sample::order(), again: false }
    }
}

impl MailTemplate for OrderReceived {
    fn name(&self) -> &'static str {
        "order-received"
    }

    fn topic(&self) -> Option<Topic> {
        None
    }

    fn content(&self, language: Language, _application: &Application) -> MailContent {
        let order = &self.order;
        match language {
            Language::English => {
                let what = if self.again { "your new photos and answers" } else { "your photos and answers" };
                MailContent::with_subject("We have received your order")
                    .paragraph(format!("Thank you. We have received {what}, and your order is complete."))
                    .paragraph("An expert will look at it. You need not do anything more.")
                    .paragraph(format!("If you write to us about it, please name this number: {order}"))
            }
            Language::French => {
                let what = if self.again { "vos nouvelles photos et réponses" } else { "vos photos et vos réponses" };
                MailContent::with_subject("Nous avons bien reçu votre commande")
                    .paragraph(format!("Merci. Nous avons bien reçu {what}\u{a0}: votre commande est complète."))
                    .paragraph("Un expert va l’étudier. Vous n’avez plus rien à faire.")
                    .paragraph(format!("Si vous nous écrivez à son sujet, indiquez ce numéro\u{a0}: {order}"))
            }
        }
    }
}
