//! What the key desk needs of the outside world.

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
use crate::{KeyId, OrgId, Timestamp, UserId};

/// Which page of a list is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageAsk {
    /// Most entries of the page.
    pub limit: u32,
    /// Where the page before ended, as the adapter wrote it.
    pub after: Option<String>,
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed<T> {
    /// The entries.
    pub items: Vec<T>,
    /// Where the next page starts, if there is more; opaque.
    pub next: Option<String>,
    /// Entries on all pages together, unless that is too much to count.
    pub total: Option<u64>,
}

/// An organisation to be: with its first member, its wallet and the entry of its audit trail, all or nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct NewOrg {
    /// The organisation.
    pub org: Organisation,
    /// Its owner.
    pub owner: Member,
    /// Its wallet.
    pub wallet: Wallet,
    /// Entry of the audit trail.
    pub audit: AuditEntry,
    /// How to reach the owner, as their token says.
    pub seen: Option<Sighting>,
    /// The caller's promise, if any.
    pub idempotent: Option<IdempotentRequest>,
}

/// Remembers what became of a request with an idempotency key. `dynamodb:GetItem`.
pub trait GetIdempotencyRecord {
    /// Gives `Before` or `Mismatch`; `None` when the request was not made before.
    fn get_idempotency_record(
        &self,
        idempotent: &IdempotentRequest,
        now: Timestamp,
    ) -> impl PortFuture<Option<WriteOutcome>>;
}

/// Creates an organisation, in one transaction. `dynamodb:PutItem`, `dynamodb:UpdateItem`.
pub trait CreateOrg {
    /// Creates it; never answers `Moved`.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` when the owner's account is closed.
    fn create_org(&self, org: &NewOrg) -> impl PortFuture<WriteOutcome>;
}

/// Reads one organisation. `dynamodb:GetItem`.
pub trait GetOrg {
    /// Gives the organisation; `None` when there is none.
    fn get_org(&self, org: OrgId) -> impl PortFuture<Option<Organisation>>;
}

/// Stops an organisation's keys, or lets them work again, in one transaction. `dynamodb:PutItem`,
/// `dynamodb:UpdateItem`.
pub trait SuspendOrg {
    /// Sets whether it is suspended; `false` when there is no such organisation.
    fn suspend_org(&self, org: OrgId, suspended: bool, audit: &AuditEntry) -> impl PortFuture<bool>;
}

/// Reads a person's place in an organisation. `dynamodb:GetItem`.
pub trait GetMember {
    /// Gives the place; `None` when they have none there.
    fn get_member(&self, org: OrgId, user: &UserId) -> impl PortFuture<Option<Member>>;
}

/// Gives a person a place in an organisation without an invitation, in one transaction. `dynamodb:PutItem`,
/// `dynamodb:UpdateItem`.
pub trait PutMember {
    /// Writes the place.
    ///
    /// # Errors
    /// `CONFLICT` when they have one, or there is none left.
    fn put_member(&self, member: &Member, audit: &AuditEntry) -> impl PortFuture<()>;
}

/// Lists a person's organisations. `dynamodb:Query`, `dynamodb:BatchGetItem`.
pub trait ListOrgs {
    /// Gives a page, oldest first, each with the person's place in it.
    fn list_orgs(&self, user: &UserId, page: &PageAsk) -> impl PortFuture<Listed<(Organisation, Member)>>;
}

/// Lists an organisation's members. `dynamodb:Query`.
pub trait ListMembers {
    /// Gives a page, in the order of their ids.
    fn list_members(&self, org: OrgId, page: &PageAsk) -> impl PortFuture<Listed<Member>>;
}

/// A key to be: with the pointer of its text, audit entry and event, all or nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct NewKey {
    /// The key.
    pub key: ApiKey,
    /// Where its text leads.
    pub pointer: Pointer,
    /// Entry of the audit trail.
    pub audit: AuditEntry,
    /// What the world is told.
    pub event: Event,
    /// The caller's promise, if any.
    pub idempotent: Option<IdempotentRequest>,
}

/// Issues a key, in one transaction. `dynamodb:PutItem`, `dynamodb:UpdateItem`, `dynamodb:ConditionCheckItem`.
pub trait IssueKey {
    /// Issues it; `Moved` when the pointer's pepper has been retired meanwhile.
    fn issue_key(&self, key: &NewKey) -> impl PortFuture<WriteOutcome>;
}

/// Reads one key. `dynamodb:GetItem`.
pub trait GetKey {
    /// Gives the key, deleted ones included; `None` when the organisation has no such key.
    fn get_key(&self, org: OrgId, key: KeyId) -> impl PortFuture<Option<ApiKey>>;
}

/// Changes a key by one step, in one transaction. `dynamodb:PutItem`, `dynamodb:UpdateItem`,
/// `dynamodb:ConditionCheckItem`.
pub trait ChangeKey {
    /// Applies the step; `Moved` when the key has changed since it was read.
    fn change_key(&self, step: &KeyStep) -> impl PortFuture<WriteOutcome>;
}

/// Lists an organisation's keys. `dynamodb:Query`.
pub trait ListKeys {
    /// Gives a page, newest first, deleted ones left out.
    fn list_keys(&self, org: OrgId, page: &PageAsk) -> impl PortFuture<Listed<ApiKey>>;
}

/// Finds a key by its text's MACs. `dynamodb:BatchGetItem`.
pub trait FindKey {
    /// Gives the first pointer that leads somewhere, with what of its key never changes.
    fn find_key(&self, pointers: &[Pointer]) -> impl PortFuture<Option<(Pointer, KeyFacts)>>;
}

/// Lets a key's text be found under another pepper too. `dynamodb:PutItem`, `dynamodb:UpdateItem`,
/// `dynamodb:ConditionCheckItem`.
pub trait Repoint {
    /// Writes the new pointer and marks the old one as no longer needed; doing so twice is once. One of the older scheme is
    /// forgotten a day later, when nobody can be looking for it any more.
    fn repoint(&self, old: &Pointer, new: &Pointer, key: &KeyFacts, now: Timestamp) -> impl PortFuture<()>;
}

/// Reads what a check without a charge needs. `dynamodb:BatchGetItem`; and `dynamodb:Query` to find an owner when a test
/// key's spender has left.
pub trait ReadKeySnapshot {
    /// Reads key, wallet and organisation in one request; `None` when there is no such key. The wallet is the one a charge
    /// would spend: an owner's when the spender has left.
    fn read_key_snapshot(&self, key: &KeyFacts, now: Timestamp) -> impl PortFuture<Option<KeySnapshot>>;
}

/// Checks and charges a key, in one transaction. `dynamodb:PutItem`, `dynamodb:UpdateItem`,
/// `dynamodb:ConditionCheckItem`; `dynamodb:GetItem` to settle a wallet in which a lot has expired; and `dynamodb:Query` to
/// find an owner when a test key's spender has left.
pub trait ChargeKey {
    /// Charges, or says why not; only `Charged` changes anything. A test key whose spender has left is made over to an owner
    /// and answered with `Moved`, so that nobody pays for an organisation they are no member of.
    fn charge_key(&self, charge: &Charge) -> impl PortFuture<ChargeOutcome>;
}

/// Reads a wallet. `dynamodb:GetItem`.
pub trait GetWallet {
    /// Gives the wallet, settled as of `now`; a test wallet nobody has used yet as it would begin.
    fn get_wallet(&self, wallet: &WalletId, now: Timestamp) -> impl PortFuture<Option<Wallet>>;
}

/// Grants credits to an organisation, in one transaction. `dynamodb:GetItem`, `dynamodb:PutItem`,
/// `dynamodb:UpdateItem`.
pub trait GrantCredits {
    /// Grants them, once.
    fn grant_credits(&self, grant: &CreditGrant) -> impl PortFuture<CreditGrantOutcome>;
}

/// Keeps on a receipt how its call went. `dynamodb:UpdateItem`.
pub trait KeepOutcome {
    /// Writes the outcome, once, if the receipt is the caller's.
    fn keep_outcome(
        &self,
        receipt: ReceiptId,
        caller: &str,
        outcome: &Outcome,
        now: Timestamp,
    ) -> impl PortFuture<OutcomeKept>;
}

/// Which receipts a page of the usage log shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiptFilter {
    /// Only of this day (UTC).
    pub day: Option<Day>,
    /// Only of this key.
    pub key: Option<KeyId>,
}

/// Lists an organisation's receipts. `dynamodb:Query`.
pub trait ListReceipts {
    /// Gives a page, newest first.
    fn list_receipts(&self, org: OrgId, filter: ReceiptFilter, page: &PageAsk) -> impl PortFuture<Listed<Receipt>>;
}

/// Lists an organisation's audit trail. `dynamodb:Query`.
pub trait ListAudit {
    /// Gives a page, newest first.
    fn list_audit(&self, org: OrgId, page: &PageAsk) -> impl PortFuture<Listed<AuditEntry>>;
}

/// Looks after the peppers' register, beside their secret. `dynamodb:Query`, `dynamodb:GetItem`, `dynamodb:PutItem`.
pub trait KeepPeppers {
    /// Counts the live keys that can be found under this pepper only.
    fn count_pepper_needs(&self, version: u32, now: Timestamp) -> impl PortFuture<u64>;

    /// Records what became of a pepper; a closed one takes no new pointers.
    fn record_pepper(&self, version: u32, closed: bool, audit: &AuditEntry) -> impl PortFuture<()>;
}
