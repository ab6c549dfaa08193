//! Creates organisations, keys and credits through the ports, for tests that need some.

use std::collections::{BTreeMap, BTreeSet};

use consigne_auth::KeyMint;
use consigne_core::audit::{Actor, AuditAction, AuditEntry, Origin};
use consigne_core::credits::{
    CallFacts, Charge, ClawBack, ClawBackCause, CreditGrant, DisputeId, DisputeState, FailedRefund, HoldEnd, HoldTerms,
    LotKind, Opening, PaymentId, Purchase, Receipt, ReceiptId, RefundId, Resolver, SessionId, Wallet, topped_up,
};
use consigne_core::events::{Event, EventData, KeyEvent};
use consigne_core::idempotency::WriteOutcome;
use consigne_core::keys::{ApiKey, Ask, KeyFacts, KeyMode, KeyStatus, Pointer};
use consigne_core::orgs::{Member, OrgRole, Organisation};
use consigne_core::ports::{CreateOrg, IssueKey, NewKey, NewOrg};
use consigne_core::{IdempotencyKey, KeyId, LotId, OrgId, Timestamp, UserId};
use serde_json::json;

use crate::stack::fresh_user;

/// Creates the origin of an action by a person, from an address reserved for documentation.
pub fn origin(user: &UserId) -> Origin {
    Origin { actor: Actor::User(user.clone()), ip: Some("203.0.113.9".to_owned()), user_agent: None, plan: None }
}

/// Creates an entry for the audit log.
pub fn entry(org: OrgId, action: AuditAction, user: &UserId, now: Timestamp) -> AuditEntry {
    AuditEntry::new(org, action, "test", &origin(user), now, json!({}))
}

/// Creates the id of a new person.
pub fn person() -> UserId {
    UserId::parse(&fresh_user()).expect("it is a user id")
}

/// Creates the records of a new organisation.
pub fn org(owner: &UserId, now: Timestamp) -> NewOrg {
    let org = Organisation::create("Acme", now).expect("it is a name");
    let (id, user) = (org.id, owner.clone());
    NewOrg {
        org,
        owner: Member { org: id, user, role: OrgRole::Owner, joined_at: now },
        wallet: Wallet::of_organisation(id, now),
        audit: entry(id, AuditAction::OrgCreated, owner, now),
        plan: None,
        seen: None,
        idempotent: None,
    }
}

/// Creates an organisation. Returns its id and its owner.
pub async fn found<F: CreateOrg>(accounts: &F, now: Timestamp) -> (OrgId, UserId) {
    let owner = person();
    let new = org(&owner, now);
    assert_eq!(accounts.create_org(&new).await.expect("the table answers"), WriteOutcome::Applied);
    (new.org.id, owner)
}

/// Creates a key without quotas, for reading and writing PDFs. Does not store it.
pub fn key(org: OrgId, owner: &UserId, test: bool, now: Timestamp) -> ApiKey {
    let environment = if test { KeyMode::Test } else { KeyMode::Production };
    ApiKey {
        org,
        id: KeyId::mint(now),
        name: "Key".to_owned(),
        environment,
        scopes: BTreeSet::from(["pdf:read".to_owned(), "pdf:write".to_owned()]),
        minute_quota: None,
        daily_quota: None,
        monthly_quota: None,
        expires_at: None,
        status: KeyStatus::Active,
        generation: 1,
        previous_until: None,
        prefix: format!("sk_{}", environment.word()),
        hint: "x7Qa".to_owned(),
        spender: test.then(|| owner.clone()),
        created_by: owner.clone(),
        created_at: now,
        migrated_at: None,
        revoked: None,
        last_used: None,
        used: BTreeMap::new(),
        minute: None,
        revision: 1,
    }
}

/// Creates the records that issue a key, under a new pointer.
pub fn new_key(key: &ApiKey) -> NewKey {
    let facts = KeyEvent::of(key, &Actor::User(key.created_by.clone()));
    let event = Event::new(key.created_at, EventData::KeyIssued(facts));
    NewKey {
        key: key.clone(),
        pointer: pointer(1),
        audit: entry(key.org, AuditAction::KeyIssued, &key.created_by, key.created_at),
        event,
        idempotent: None,
    }
}

/// Creates a new pointer under a pepper.
pub fn pointer(pepper: u32) -> Pointer {
    Pointer { pepper, mac: KeyMint::nonce() }
}

/// Issues a key. Returns the facts about it that never change.
pub async fn issue<F: IssueKey>(accounts: &F, key: &ApiKey) -> KeyFacts {
    assert_eq!(accounts.issue_key(&new_key(key)).await.expect("the table answers"), WriteOutcome::Applied);
    key.facts()
}

/// Creates a grant of credits. Does not store it.
pub fn credits(org: OrgId, kind: LotKind, amount: u64, expires_at: Option<Timestamp>, now: Timestamp) -> CreditGrant {
    let origin = Origin { actor: Actor::Operator("test".to_owned()), ip: None, user_agent: None, plan: None };
    let audit = AuditEntry::new(org, AuditAction::CreditsGranted, "test", &origin, now, json!({ "amount": amount }));
    let id = LotId::mint(now);
    let event = topped_up(org, id, kind, amount, now);
    CreditGrant { id, org, kind, amount, expires_at, now, audit, event }
}

/// Creates the opening of a hold by `pdf-api` for an hour, with an idempotency key if given.
pub fn opening(key: &KeyFacts, amount: u64, key_text: Option<&str>, now: Timestamp) -> Opening {
    let terms = HoldTerms::parse("pdf", amount, None).expect("the catalogue allows it");
    let ask = Ask { generation: key.generation, scope: None, now };
    Opening::new(key.clone(), ask, terms, "pdf-api".to_owned(), key_text.map(idempotency_key))
}

/// Creates the resolver of a hold: `pdf-api`.
pub fn resolver(now: Timestamp) -> Resolver {
    Resolver { caller: "pdf-api".to_owned(), idempotency_key: None, now }
}

/// Creates the end of a hold that is settled for some credits.
pub fn settled(amount: u64) -> HoldEnd {
    HoldEnd::Settled { amount, status_code: 200, response_ms: 7 }
}

/// Creates the origin of an action by the payment provider.
fn provider() -> Origin {
    Origin { actor: Actor::Service("stripe".to_owned()), ip: None, user_agent: None, plan: None }
}

/// Creates a purchase at one cent per credit. `name` becomes part of the ids of its session and payment.
pub fn purchase(org: OrgId, name: &str, credits: u64, now: Timestamp) -> Purchase {
    let lot = LotId::mint(now);
    let details = json!({ "credits": credits });
    Purchase {
        session: SessionId::parse(&format!("cs_{name}")).expect("the name is plain"),
        payment: payment(name),
        org,
        lot,
        pack: "starter".to_owned(),
        credits,
        amount_cents: credits,
        currency: "EUR".to_owned(),
        now,
        audit: AuditEntry::new(org, AuditAction::CreditsPurchased, name, &provider(), now, details),
        event: topped_up(org, lot, LotKind::Paid, credits, now),
    }
}

/// Returns the id of the payment with this name.
fn payment(name: &str) -> PaymentId {
    PaymentId::parse(&format!("pi_{name}")).expect("the name is plain")
}

/// Creates the provider's report of a refund, for the payment with this name.
pub fn refund(name: &str, refunded_cents: u64, now: Timestamp) -> ClawBack {
    claw_back(name, ClawBackCause::Refund { refunded_cents, at: now }, now)
}

/// Creates the provider's report of a refund that failed now, for the payment with this name. `created` is when the
/// refund was made.
pub fn refund_failed(name: &str, id: &str, cents: u64, created: Timestamp, now: Timestamp) -> ClawBack {
    let id = RefundId::parse(id).expect("the id is plain");
    let refund = FailedRefund { cents, created, failed: now };
    claw_back(name, ClawBackCause::RefundFailed { id, refund }, now)
}

/// Creates the provider's report of a dispute, for the payment with this name.
pub fn dispute(name: &str, id: &str, cents: u64, state: DisputeState, now: Timestamp) -> ClawBack {
    let id = DisputeId::parse(id).expect("the id is plain");
    claw_back(name, ClawBackCause::Dispute { id, cents, state }, now)
}

fn claw_back(name: &str, cause: ClawBackCause, now: Timestamp) -> ClawBack {
    ClawBack { payment: payment(name), cause, source: "evt_1".to_owned(), origin: provider(), now }
}

/// Creates an idempotency key. All keys have the fingerprint of the same request.
pub fn idempotency_key(key: &str) -> IdempotencyKey {
    IdempotencyKey { key: key.to_owned(), fingerprint: "the same".to_owned() }
}

/// Creates a charge, with an idempotency key if given.
pub fn charge(key: &KeyFacts, cost: u64, idempotency_key: Option<&str>, now: Timestamp) -> Charge {
    let caller = "pdf-api".to_owned();
    let named = |text| ReceiptId::for_key(key.org, &caller, text);
    let id = idempotency_key.map_or_else(|| ReceiptId::fresh(key.org, now), named);
    Charge {
        key: key.clone(),
        ask: Ask { generation: key.generation, scope: None, now },
        receipt: Receipt {
            id,
            key: key.id,
            environment: key.environment,
            credits: cost,
            at: now,
            caller,
            fingerprint: format!("{}-{cost}", key.id),
            call: CallFacts::default(),
            outcome: None,
        },
    }
}
