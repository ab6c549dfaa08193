//! `consigne order`: erases what a customer without an account has sent.

use clap::{Args, Subcommand};
use consigne_core::OrderId;
use consigne_core::audit::AuditAction;
use consigne_core::credits::PaymentId;
use consigne_core::ports::{EraseOrder, GetOrder};
use consigne_runtime::clock;
use serde_json::json;

use crate::operator::{Operator, reason, table_failed, work};
use crate::report::{Outcome, Report};
use crate::stack_env::Which;

/// How often an order is read again that its customer changes at the same moment.
const TRIES: u32 = 5;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Erase an order: its photos, answers and address. There is no way back, and it cannot be submitted again.
    #[command(after_help = "\
Examples:
  consigne order erase order_01JD0000000000000000000000 --reason \"asked by letter\"
  consigne --stack consigne --region eu-west-3 order erase pi_3QxOrder --reason \"asked by letter\" --yes

Answers and address are gone at once, photos and their copies within minutes. The payment stays at Stripe.")]
    Erase(Target),
}

#[derive(Debug, Args)]
pub(crate) struct Target {
    /// Id of the order, as mails name it, or of its payment intent.
    order: String,
    /// Reason for the audit log: 1 to 200 characters.
    #[arg(long)]
    reason: String,
}

pub(crate) fn run(which: &Which, command: &Command) -> Outcome {
    match command {
        Command::Erase(target) => erase(which, target),
    }
}

/// Parses the id of an order or of its payment.
fn order(text: &str) -> Result<OrderId, String> {
    // Stripe's other ids are well-formed too, and would name an order that does not exist.
    let intent = text.starts_with("pi_").then_some(text);
    let of_payment = || intent.and_then(PaymentId::parse).map(|payment| OrderId::of(&payment));
    OrderId::parse(text).or_else(of_payment).ok_or_else(|| {
        format!("{text} is no order: `order_` and 26 characters, or the id of a payment intent, such as pi_3QxOrder.")
    })
}

fn erase(which: &Which, target: &Target) -> Outcome {
    let (order, reason) = (order(&target.order)?, reason(&target.reason)?);
    let operator =
        Operator::to_change(which, &["TABLE_NAME"], &format!("Delete what the customer of {order} has sent"))?;
    let table = operator.table()?;
    let audit = operator.entry(None, AuditAction::OrderErased, order.to_string(), json!({ "reason": reason }))?;
    work(async {
        for _ in 0..TRIES {
            let Some(known) = table.get_order(order).await.map_err(|fault| table_failed(&fault))? else {
                let text =
                    format!("There is no order {order} in this stack, or it is erased already; nothing was changed.");
                return Ok(Report::done(text, json!({ "order": order, "changed": false })));
            };
            let erasure = known.erase(Some(audit.clone()), clock::now());
            if table.erase_order(&erasure).await.map_err(|fault| table_failed(&fault))?.is_committed() {
                let text = format!(
                    "Erased {order}. `account-close` deletes its photos and their copies within minutes.\nThe payment {} stays \
                     at Stripe.",
                    erasure.payment.as_str()
                );
                return Ok(Report::done(text, json!({ "order": order, "changed": true })));
            }
        }
        Err(format!("{order} kept changing, and was not erased. Run the command again."))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_named_by_its_id_or_by_its_payment() {
        let id = order("pi_3QxOrder").unwrap();
        assert_eq!(order(&id.to_string()), Ok(id));
        for bad in ["ann@example.com", "order_1", "user_ann", "ch_3QxCharge", ""] {
            assert!(order(bad).unwrap_err().contains("payment intent"), "{bad}");
        }
    }
}
