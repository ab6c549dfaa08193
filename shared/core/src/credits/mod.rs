//! Credits: wallets, what is charged to them, and the receipts of it.

mod charge;
mod receipt;
mod wallet;

pub use charge::{Charge, ChargeOutcome, CreditGrant, CreditGrantOutcome, Standing};
pub use receipt::{CallFacts, Outcome, OutcomeKept, RECEIPT_KEPT, Receipt, ReceiptId};
pub use wallet::{Bucket, BucketKind, TEST_CREDITS, TEST_PERIOD, Wallet, WalletId, WalletRefusal};
