//! Organisations, keys and credits made through the ports, for tests that begin with some.

use std::collections::{BTreeMap, BTreeSet};

use consigne_auth::KeyMint;
use consigne_core::audit::{Actor, AuditAction, AuditEntry, Origin};
use consigne_core::credits::{
    CallFacts, Charge, ClawBack, ClawBackCause, CreditGrant, DisputeId, DisputeState, HoldEnd, HoldTerms, LotKind,
    Opening, PaymentId, Purchase, Receipt, ReceiptId, Resolver, SessionId, Wallet, topped_up,
};
use consigne_core::events::{Event, EventData, KeyEvent};
use consigne_core::idempotency::WriteOutcome;
use consigne_core::keys::{ApiKey, Ask, KeyFacts, KeyMode, KeyStatus, Pointer};
use consigne_core::orgs::{Member, OrgRole, Organisation};
use consigne_core::ports::{CreateOrg, IssueKey, NewKey, NewOrg};
use consigne_core::{IdempotencyKey, KeyId, LotId, OrgId, Timestamp, UserId};
use serde_json::json;

use crate::stack::fresh_user;

/// Says that a person acts, from an address of the documentation.
pub fn origin(user: &UserId) -> Origin {
    Origin { actor: Actor::User(user.clone()), ip: Some("203.0.113.9".to_owned()), user_agent: None }
}

/// Makes an entry of the audit trail.
pub fn entry(org: OrgId, action: AuditAction, user: &UserId, now: Timestamp) -> AuditEntry {
    AuditEntry::new(org, action, "test", &origin(user), now, json!({}))
}

/// Makes up a person nobody has used.
pub fn person() -> UserId {
    UserId::parse(&fresh_user()).expect("it is a user id")
}

/// Makes what founds an organisation.
pub fn org(owner: &UserId, now: Timestamp) -> NewOrg {
    let org = Organisation::found("Acme", now).expect("it is a name");
    let (id, user) = (org.id, owner.clone());
    NewOrg {
        org,
        owner: Member { org: id, user, role: OrgRole::Owner, joined_at: now },
        wallet: Wallet::of_organisation(id, now),
        audit: entry(id, AuditAction::OrgCreated, owner, now),
        seen: None,
        idempotent: None,
    }
}

/// Founds an organisation and gives it with its owner.
pub async fn found<F: CreateOrg>(accounts: &F, now: Timestamp) -> (OrgId, UserId) {
    let owner = person();
    let new = org(&owner, now);
    assert_eq!(accounts.create_org(&new).await.expect("the table answers"), WriteOutcome::Applied);
    (new.org.id, owner)
}

/// Makes an unlimited key of every scope.
pub fn key(org: OrgId, owner: &UserId, test: bool, now: Timestamp) -> ApiKey {
    let environment = if test { KeyMode::Test } else { KeyMode::Production };
    ApiKey {
        org,
        id: KeyId::mint(now),
        name: "Key".to_owned(),
        environment,
        scopes: BTreeSet::from(["pdf:read".to_owned(), "pdf:write".to_owned()]),
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
        revision: 1,
    }
}

/// Makes what issues a key, under a pointer nobody has used.
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

/// Makes a pointer nobody has used.
pub fn pointer(pepper: u32) -> Pointer {
    Pointer { pepper, mac: KeyMint::nonce() }
}

/// Issues a key and gives what of it never changes.
pub async fn issue<F: IssueKey>(accounts: &F, key: &ApiKey) -> KeyFacts {
    assert_eq!(accounts.issue_key(&new_key(key)).await.expect("the table answers"), WriteOutcome::Applied);
    key.facts()
}

/// Makes a grant of credits.
pub fn credits(org: OrgId, kind: LotKind, amount: u64, expires_at: Option<Timestamp>, now: Timestamp) -> CreditGrant {
    let origin = Origin { actor: Actor::Operator("test".to_owned()), ip: None, user_agent: None };
    let audit = AuditEntry::new(org, AuditAction::CreditsGranted, "test", &origin, now, json!({ "amount": amount }));
    let id = LotId::mint(now);
    let event = topped_up(org, id, kind, amount, now);
    CreditGrant { id, org, kind, amount, expires_at, now, audit, event }
}

/// Makes the opening of a hold for an hour by `pdf-api`, by an idempotency key if there is one.
pub fn opening(key: &KeyFacts, amount: u64, key_text: Option<&str>, now: Timestamp) -> Opening {
    let terms = HoldTerms::parse("pdf", amount, None).expect("the catalogue allows it");
    let ask = Ask { generation: key.generation, scope: None, now };
    Opening::new(key.clone(), ask, terms, "pdf-api".to_owned(), key_text.map(idempotency_key))
}

/// Says that `pdf-api` resolves a hold.
pub fn resolver(now: Timestamp) -> Resolver {
    Resolver { caller: "pdf-api".to_owned(), idempotency_key: None, now }
}

/// Says that a hold is settled.
pub fn settled(amount: u64) -> HoldEnd {
    HoldEnd::Settled { amount, status_code: 200, response_ms: 7 }
}

/// Says that the payment provider acts.
fn provider() -> Origin {
    Origin { actor: Actor::Service("stripe".to_owned()), ip: None, user_agent: None }
}

/// Makes a purchase at a cent a credit, in a session and by a payment of this name.
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

/// Gives the id of a payment of this name.
fn payment(name: &str) -> PaymentId {
    PaymentId::parse(&format!("pi_{name}")).expect("the name is plain")
}

/// Makes what the provider tells of a refund of a payment of this name.
pub fn refund(name: &str, refunded_cents: u64, now: Timestamp) -> ClawBack {
    told(name, ClawBackCause::Refund { refunded_cents }, now)
}

/// Makes what the provider tells of a dispute of a payment of this name.
pub fn dispute(name: &str, id: &str, cents: u64, state: DisputeState, now: Timestamp) -> ClawBack {
    let id = DisputeId::parse(id).expect("the id is plain");
    told(name, ClawBackCause::Dispute { id, cents, state }, now)
}

fn told(name: &str, cause: ClawBackCause, now: Timestamp) -> ClawBack {
    ClawBack { payment: payment(name), cause, source: "evt_1".to_owned(), origin: provider(), now }
}

/// Makes an idempotency key, for one and the same request.
pub fn idempotency_key(key: &str) -> IdempotencyKey {
    IdempotencyKey { key: key.to_owned(), fingerprint: "the same".to_owned() }
}

/// Makes a charge, by an idempotency key if there is one.
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
