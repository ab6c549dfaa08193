//! Credits: wallets, debits, holds, receipts and purchases.

pub(crate) mod balance_alert;
pub(crate) mod charge;
pub(crate) mod checkouts;
pub(crate) mod debit;
pub(crate) mod hold_item;
pub(crate) mod holds;
pub(crate) mod minute;
pub(crate) mod open_holds;
pub(crate) mod payment_item;
pub(crate) mod purchases;
pub(crate) mod receipts;
pub(crate) mod wallet_change;
pub(crate) mod wallet_item;
pub(crate) mod wallets;
