//! Events about orders.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::OrderId;

/// `order.submitted`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OrderSubmitted {
    /// Id of the order.
    pub order_id: OrderId,
    /// Number of the submission, from 1. It grows when the customer replaces photos or answers.
    #[schemars(range(min = 1))]
    pub submission: u32,
    /// Whether the same submission was complete before: a photo was lost, and the customer has sent it again. It leads to no mails. Absent if not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::credits::PaymentId;

    #[test]
    fn an_event_without_again_is_the_first_of_its_submission() {
        let order_id = OrderId::of(&PaymentId::parse("pi_1").unwrap());
        let old = json!({ "order_id": order_id, "submission": 1 });
        let first = OrderSubmitted { order_id, submission: 1, again: false };
        assert_eq!(serde_json::from_value::<OrderSubmitted>(old.clone()).unwrap(), first);
        assert_eq!(json!(first), old);
        assert_eq!(json!(OrderSubmitted { again: true, ..first })["again"], true);
    }
}
