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
    /// Whether the same submission was complete before: a photo was lost, and the customer has sent it again. It leads to no mails.
    pub again: bool,
}
