//! Keys and credits: issuing, checking, charging, holds and the gateway.

mod credits;
mod credits_back;
pub mod gateway;
mod gateway_refusals;
mod hold_end;
mod hold_open;
mod key_charge;
mod key_end;
mod key_issue;
mod key_issue_fields;
mod key_list;
mod key_rotate;
mod key_verify;
mod migration_deadline;
mod receipt_outcome;
mod second_factor;
