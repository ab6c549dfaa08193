//! `order-new`: an order can be read, for those who work on orders. It has nothing personal of the customer.

use consigne_core::Application;
use consigne_core::mail::Topic;
use consigne_core::profiles::Language;

use super::sample;
use crate::mail::template::{MailContent, MailTemplate};

/// Values of the mail about a new order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderNew {
    /// Id of the order.
    pub order: String,
    /// Whether the customer has replaced an earlier submission.
    pub again: bool,
}

impl OrderNew {
    pub(super) fn sample() -> Self {
        Self { order: sample::order(), again: false }
    }
}

impl MailTemplate for OrderNew {
    fn name(&self) -> &'static str {
        "order-new"
    }

    fn topic(&self) -> Option<Topic> {
        None
    }

    fn content(&self, language: Language, application: &Application) -> MailContent {
        let order = &self.order;
        match language {
            Language::English => {
                let (subject, what) = if self.again {
                    ("An order was submitted again", "has new photos or answers")
                } else {
                    ("New order", "is complete")
                };
                MailContent::with_subject(subject)
                    .paragraph(format!("The order {order} {what}. An expert can read it now."))
                    .button("Read the order", application.order(order))
            }
            Language::French => {
                let (subject, what) = if self.again {
                    ("Une commande a été renvoyée", "a de nouvelles photos ou réponses")
                } else {
                    ("Nouvelle commande", "est complète")
                };
                MailContent::with_subject(subject)
                    .paragraph(format!("La commande {order} {what}. Un expert peut la lire."))
                    .button("Lire la commande", application.order(order))
            }
        }
    }
}
