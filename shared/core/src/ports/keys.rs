//! Ports for organisations, keys, wallets and receipts.

use super::PortFuture;
use crate::audit::AuditEntry;
use crate::credits::{
    Charge, ChargeOutcome, CreditGrant, CreditGrantOutcome, KeySnapshot, Outcome, OutcomeKept, Receipt, ReceiptId,
    Wallet, WalletId,
};
use crate::events::Event;
use crate::idempotency::{IdempotentRequest, WriteOutcome};
use crate::keys::{ApiKey, KeyFacts, KeyStep, Pointer};
use crate::orgs::{Member, Organisation};
use crate::periods::Day;
use crate::profiles::Sighting;
use crate::{KeyId, OrgId, Plan, Timestamp, UserId};

/// A request for a page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageAsk {
    /// Most entries of the page.
    pub limit: u32,
    /// Where the previous page ended: its `next`, which only the adapter can interpret.
    pub after: Option<String>,
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed<T> {
    /// The entries of the page.
    pub items: Vec<T>,
    /// Where the next page starts, if there is one; opaque.
    pub next: Option<String>,
    /// Number of entries on all pages together; `None` if there are too many to count.
    pub total: Option<u64>,
}

/// An organisation to create. The organisation, its first member, its wallet and its audit entry are written in one
/// transaction.
#[derive(Clone, Debug, PartialEq)]
pub struct NewOrg {
    /// The organisation to record.
    pub org: Organisation,
    /// Its owner and first member.
    pub owner: Member,
    /// Its wallet, which is empty.
    pub wallet: Wallet,
    /// Entry of the audit log.
    pub audit: AuditEntry,
    /// The owner's plan, if the owner founds it: it counts as theirs until it is deleted, and the plan limits how many
    /// they may have. `None` for one that an operator imports.
    pub plan: Option<Plan>,
    /// The owner's contact details from their token.
    pub seen: Option<Sighting>,
    /// The request with its idempotency key, if there is one.
    pub idempotent: Option<IdempotentRequest>,
}

/// Looks up the idempotency record of a request. `dynamodb:GetItem`.
pub trait GetIdempotencyRecord {
    /// Returns `Replayed` or `KeyReused`, or `None` if there is no record of the key.
    fn get_idempotency_record(
        &self,
        idempotent: &IdempotentRequest,
        now: Timestamp,
    ) -> impl PortFuture<Option<WriteOutcome>>;
}

/// Creates an organisation, in one transaction. `dynamodb:PutItem`, `dynamodb:UpdateItem`,
/// `dynamodb:ConditionCheckItem`; and `dynamodb:Query` to count the organisations that its founder had before there was
/// a count.
pub trait CreateOrg {
    /// Creates it. Never returns `Conflict`.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` if the owner's account is closed; `SUBSCRIPTION_REQUIRED` if the founder has as many
    /// organisations as their plan allows.
    fn create_org(&self, org: &NewOrg) -> impl PortFuture<WriteOutcome>;
}

/// Reads one organisation. `dynamodb:GetItem`.
pub trait GetOrg {
    /// Returns the organisation, or `None` if there is none.
    fn get_org(&self, org: OrgId) -> impl PortFuture<Option<Organisation>>;
}

/// Renames an organisation, in one transaction. `dynamodb:PutItem`, `dynamodb:UpdateItem`,
/// `dynamodb:ConditionCheckItem`.
pub trait RenameOrg {
    /// Stores the new name with its audit entry. Returns `false` if there is no such organisation.
    fn rename_org(&self, org: OrgId, name: &str, audit: &AuditEntry) -> impl PortFuture<bool>;
}

/// Suspends an organisation or resumes it, in one transaction. `dynamodb:PutItem`, `dynamodb:UpdateItem`.
pub trait SuspendOrg {
    /// Sets whether it is suspended. Returns `false` if the organisation does not exist. If it is in that state already,
    /// nothing is written, not even the audit entry, and `dynamodb:GetItem` finds that out.
    fn suspend_org(&self, org: OrgId, suspended: bool, audit: &AuditEntry) -> impl PortFuture<bool>;
}

/// Reads a person's membership in an organisation. `dynamodb:GetItem`.
pub trait GetMember {
    /// Returns the membership, or `None` if they are not a member.
    fn get_member(&self, org: OrgId, user: &UserId) -> impl PortFuture<Option<Member>>;
}

/// Makes a person a member without an invitation, in one transaction. `dynamodb:PutItem`, `dynamodb:UpdateItem`,
/// `dynamodb:ConditionCheckItem`.
pub trait PutMember {
    /// Writes the membership.
    ///
    /// # Errors
    /// `CONFLICT` if they are already a member, or if the organisation is full.
    fn put_member(&self, member: &Member, audit: &AuditEntry) -> impl PortFuture<()>;
}

/// Lists a person's organisations. `dynamodb:Query`, `dynamodb:BatchGetItem`.
pub trait ListOrgs {
    /// Returns a page, oldest first, each with the person's membership.
    fn list_orgs(&self, user: &UserId, page: &PageAsk) -> impl PortFuture<Listed<(Organisation, Member)>>;
}

/// Lists an organisation's members. `dynamodb:Query`.
pub trait ListMembers {
    /// Returns a page, in the order of their ids.
    fn list_members(&self, org: OrgId, page: &PageAsk) -> impl PortFuture<Listed<Member>>;
}

/// A key to issue. The key, the pointer of its text, its audit entry and its event are written in one transaction.
#[derive(Clone, Debug, PartialEq)]
pub struct NewKey {
    /// The key to record.
    pub key: ApiKey,
    /// The pointer of its text.
    pub pointer: Pointer,
    /// Entry of the audit log.
    pub audit: AuditEntry,
    /// The event that announces it.
    pub event: Event,
    /// The request with its idempotency key, if there is one.
    pub idempotent: Option<IdempotentRequest>,
}

/// Issues a key, in one transaction. `dynamodb:PutItem`, `dynamodb:UpdateItem`, `dynamodb:ConditionCheckItem`; and
/// `dynamodb:Query` to count the keys of an organisation that is older than the count.
pub trait IssueKey {
    /// Issues the key. Returns `Conflict` if the pointer's pepper was retired meanwhile.
    ///
    /// # Errors
    /// `CONFLICT` if the organisation has too many keys; `RATE_LIMITED` if it has issued too many in this hour.
    fn issue_key(&self, key: &NewKey) -> impl PortFuture<WriteOutcome>;
}

/// Reads one key. `dynamodb:GetItem`.
pub trait GetKey {
    /// Returns the key, even if it was deleted, or `None` if the organisation has no such key.
    fn get_key(&self, org: OrgId, key: KeyId) -> impl PortFuture<Option<ApiKey>>;
}

/// Changes a key by one step, in one transaction. `dynamodb:PutItem`, `dynamodb:UpdateItem`,
/// `dynamodb:ConditionCheckItem`.
pub trait ChangeKey {
    /// Applies the step. Returns `Conflict` if the key has changed since it was read.
    ///
    /// # Errors
    /// `RATE_LIMITED` if the step is a rotation and the organisation has issued too many keys in this hour.
    fn change_key(&self, step: &KeyStep) -> impl PortFuture<WriteOutcome>;
}

/// Lists an organisation's keys. `dynamodb:Query`.
pub trait ListKeys {
    /// Returns a page, newest first, without deleted keys.
    fn list_keys(&self, org: OrgId, page: &PageAsk) -> impl PortFuture<Listed<ApiKey>>;
}

/// Finds a key by the MACs of its text. `dynamodb:BatchGetItem`.
pub trait FindKey {
    /// Returns the first pointer that exists, with the facts of its key.
    fn find_key(&self, pointers: &[Pointer]) -> impl PortFuture<Option<(Pointer, KeyFacts)>>;
}

/// Adds a pointer of a key's text under another pepper. `dynamodb:PutItem`, `dynamodb:UpdateItem`,
/// `dynamodb:ConditionCheckItem`.
pub trait Repoint {
    /// Writes the new pointer and marks the old one as no longer needed. A repetition changes nothing. A pointer that
    /// is a hash of the older installation expires a day later, when no invocation can still be looking it up.
    fn repoint(&self, old: &Pointer, new: &Pointer, key: &KeyFacts, now: Timestamp) -> impl PortFuture<()>;
}

/// Reads a key's snapshot for a check without a charge. `dynamodb:BatchGetItem`; and `dynamodb:Query` to find an owner
/// if a test key's payer has left.
pub trait ReadKeySnapshot {
    /// Reads key, wallet and organisation in one request. Returns `None` if the key does not exist. The wallet is the
    /// one that a charge would debit. If the payer has left, it is that of an owner.
    fn read_key_snapshot(&self, key: &KeyFacts, now: Timestamp) -> impl PortFuture<Option<KeySnapshot>>;
}

/// Checks and charges a key, in one transaction. `dynamodb:PutItem`, `dynamodb:UpdateItem`,
/// `dynamodb:ConditionCheckItem`; `dynamodb:GetItem` to find the receipt of an earlier try of the request; and
/// `dynamodb:Query` to find an owner if a test key's payer has left.
pub trait ChargeKey {
    /// Charges the key, or returns why not. Only `Charged` means that credits were changed. If a test key's payer has
    /// left, an owner becomes the new payer and the answer is `PayerChanged`, so that nobody pays for an organisation
    /// they have left.
    fn charge_key(&self, charge: &Charge) -> impl PortFuture<ChargeOutcome>;
}

/// Reads a wallet. `dynamodb:GetItem`.
pub trait GetWallet {
    /// Returns the wallet without lots that had expired by `now`. A test wallet that was never used is returned with
    /// its first credits.
    fn get_wallet(&self, wallet: &WalletId, now: Timestamp) -> impl PortFuture<Option<Wallet>>;
}

/// Grants credits to an organisation, in one transaction. `dynamodb:GetItem`, `dynamodb:PutItem`,
/// `dynamodb:UpdateItem`.
pub trait GrantCredits {
    /// Grants the credits, at most once per id.
    fn grant_credits(&self, grant: &CreditGrant) -> impl PortFuture<CreditGrantOutcome>;
}

/// Records the outcome of a call on its receipt. `dynamodb:UpdateItem`.
pub trait KeepOutcome {
    /// Writes the outcome, if the receipt is the caller's and has none yet.
    fn keep_outcome(
        &self,
        receipt: ReceiptId,
        caller: &str,
        outcome: &Outcome,
        now: Timestamp,
    ) -> impl PortFuture<OutcomeKept>;
}

/// A filter of the usage log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiptFilter {
    /// Only receipts of this day (UTC), if set.
    pub day: Option<Day>,
    /// Only receipts of this key, if set.
    pub key: Option<KeyId>,
}

/// Lists an organisation's receipts. `dynamodb:Query`.
pub trait ListReceipts {
    /// Returns a page, newest first.
    fn list_receipts(&self, org: OrgId, filter: ReceiptFilter, page: &PageAsk) -> impl PortFuture<Listed<Receipt>>;
}

/// Lists an organisation's audit log. `dynamodb:Query`.
pub trait ListAudit {
    /// Returns a page, newest first.
    fn list_audit(&self, org: OrgId, page: &PageAsk) -> impl PortFuture<Listed<AuditEntry>>;
}

/// Manages the register of peppers, which are themselves in a secret. `dynamodb:Query`, `dynamodb:GetItem`,
/// `dynamodb:PutItem`.
pub trait KeepPeppers {
    /// Returns the live keys whose only pointer is under this pepper, of all organisations, without an order.
    fn list_pepper_needs(&self, version: u32, now: Timestamp) -> impl PortFuture<Vec<ApiKey>>;

    /// Records whether a pepper is closed. A closed pepper gets no new pointers.
    fn record_pepper(&self, version: u32, closed: bool, audit: &AuditEntry) -> impl PortFuture<()>;
}
