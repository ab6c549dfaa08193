//! The table's items, with one function for each kind, for test tools that stand in for DynamoDB or call it directly.
//!
//! Lambda functions use [`crate::Table`] and do not need this module, so it is behind the feature `items`.

use consigne_core::credits::{Checkout, Hold, Wallet};
use consigne_core::deliveries::Delivery;
use consigne_core::endpoints::Endpoint;
use consigne_core::files::File;
use consigne_core::invitations::Invitation;
use consigne_core::jobs::Job;
use consigne_core::keys::{ApiKey, KeyFacts, Pointer};
use consigne_core::orders::Order;
use consigne_core::orgs::{Member, Organisation};
use consigne_core::{Fault, FileId, UserId};

use crate::table::credits::{checkouts, hold_item, wallet_item};
use crate::table::files::file_item;
use crate::table::item;
use crate::table::jobs::job_item;
use crate::table::keys::{key_item, pointers};
use crate::table::orders::order_item;
use crate::table::people::{invitations, orgs};
use crate::table::webhooks::{delivery_item, endpoints};

pub use crate::table::item::Item;

/// Builds the primary key of a file.
pub fn file_key(owner: &UserId, file: FileId) -> Item {
    item::key(item::user_pk(owner), file_item::file_sk(file))
}

/// Builds the item of a file.
pub fn file(file: &File) -> Item {
    file_item::write(file)
}

/// Builds the item of a job.
pub fn job(job: &Job) -> Item {
    job_item::write(job)
}

/// Builds the item of an order.
pub fn order(order: &Order) -> Item {
    order_item::write(order)
}

/// Builds the item of an organisation.
pub fn org(org: &Organisation) -> Item {
    orgs::write_org(org)
}

/// Builds the item of a member.
pub fn member(member: &Member) -> Item {
    orgs::write_member(member)
}

/// Builds the item of an invitation.
pub fn invitation(invitation: &Invitation) -> Item {
    invitations::write(invitation)
}

/// Builds the item of a key that was never charged.
pub fn key(key: &ApiKey) -> Item {
    key_item::write(key)
}

/// Builds the item of a pointer to a key.
pub fn pointer(pointer: &Pointer, facts: &KeyFacts) -> Item {
    pointers::write(pointer, facts)
}

/// Builds the item of a wallet.
pub fn wallet(wallet: &Wallet) -> Item {
    wallet_item::write(wallet)
}

/// Builds the item of an open hold.
pub fn hold(hold: &Hold) -> Item {
    hold_item::write(hold)
}

/// Builds the item of a checkout session.
pub fn checkout(checkout: &Checkout) -> Item {
    checkouts::write(checkout)
}

/// Builds the item of an endpoint.
pub fn endpoint(endpoint: &Endpoint) -> Item {
    endpoints::write(endpoint)
}

/// Builds the item of a delivery.
///
/// # Errors
/// `INTERNAL` if its attempts cannot be written as JSON.
pub fn delivery(delivery: &Delivery) -> Result<Item, Fault> {
    delivery_item::write(delivery)
}
