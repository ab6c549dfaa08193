//! Organisations, members and payments.

pub mod account_callers;
mod account_paging;
pub mod accounts;
mod checkout;
pub mod closed_accounts;
pub mod closing;
mod counted;
mod invitation_accept;
mod invitation_mail;
mod invitations;
pub mod invited;
mod me;
mod members;
pub mod org_delete;
mod orgs;
mod payment_list;
mod user_erase;
pub mod user_export;
pub mod webhook_clerk;
mod webhook_clerk_fields;
pub mod webhook_stripe;
mod webhook_stripe_disputes;
mod webhook_stripe_refunds;
