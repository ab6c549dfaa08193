//! Fixtures for tests of organisations and keys: an organisation, its people, and keys with known texts.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use consigne_auth::{KeyPrefix, KeyText, Peppers};
use consigne_core::anomalies::OnAnomaly;
use consigne_core::credits::{LotKind, Receipt, Wallet, WalletId};
use consigne_core::keys::{ApiKey, KeyMode, KeyStatus};
use consigne_core::orgs::{Member, OrgRole, Organisation};
use consigne_core::periods::{Day, Month};
use consigne_core::{KeyId, LotId, OrgId, Timestamp, UserId};
use consigne_runtime::clock;
use consigne_testkit::fakes::World;
use consigne_testkit::{functions, payload};
use serde_json::{Value, json};

use crate::handlers::GRANTED;

/// The organisation in the payloads of events/.
pub const ORG: &str = "org_01M7YREWKH7VM7Z3Z2KWSH2FTR";
/// The key in these payloads.
pub const KEY_ID: &str = "key_01M7YREWKH7VM7Z3Z2KWSH2FTS";
/// Another organisation of Ann's.
pub const OTHER_ORG: &str = "org_01M7YREWKH7VM7Z3Z2KWSH2FTT";
/// Token of the second service that the functions on fakes accept.
pub const OTHER_SERVICE: &str = "svc-fedcba9876543210fedcba9876543210";
/// People and their roles in the organisation.
pub const PEOPLE: [(&str, OrgRole); 4] = [
    ("user_ann1", OrgRole::Owner),
    ("user_adam1", OrgRole::Admin),
    ("user_dev1", OrgRole::Developer),
    ("user_bill1", OrgRole::Billing),
];
/// The peppers of the functions on fakes, with which tests create the texts of keys.
const PEPPERS: &str = r#"{"current": 1, "1": "pepper-0123456789abcdef0123456789"}"#;

/// Parses an organisation's id.
pub fn org(text: &str) -> OrgId {
    OrgId::parse(text).unwrap()
}

/// Parses a key's id.
pub fn key_id(text: &str) -> KeyId {
    KeyId::parse(text).unwrap()
}

/// Parses a person's id.
pub fn user(text: &str) -> UserId {
    UserId::parse(text).unwrap()
}

/// Returns the time some days from now, in the past if negative.
pub fn in_days(days: i32) -> Timestamp {
    let away = Duration::from_hours(24) * days.unsigned_abs();
    if days < 0 { clock::now().minus(away) } else { clock::now().plus(away) }
}

/// Creates a world with Acme, its four people and 1,000 credits.
pub fn acme() -> World {
    let world = World::default();
    found(&world, ORG, "Acme", &PEOPLE);
    credit(&world, 1000);
    world
}

/// Creates an organisation with an empty wallet.
pub fn found(world: &World, id: &str, name: &str, people: &[(&str, OrgRole)]) {
    let id = org(id);
    world.change(|state| {
        let accounts = &mut state.accounts;
        let slug = format!("{}-sh2ftr", name.to_lowercase());
        let organisation = Organisation {
            id,
            name: name.to_owned(),
            slug,
            created_at: GRANTED,
            suspended: false,
            on_anomaly: OnAnomaly::Alert,
        };
        accounts.orgs.insert(id, organisation);
        for (person, role) in people {
            let member = Member { org: id, user: user(person), role: *role, joined_at: GRANTED };
            accounts.members.insert((id, member.user.clone()), member);
        }
        accounts.wallets.insert(WalletId::Organisation(id), Wallet::of_organisation(id, GRANTED));
    });
}

/// Adds a lot of paid credits to Acme's wallet.
pub fn credit(world: &World, amount: u64) {
    world.change(|state| {
        let wallet = state.accounts.wallets.get_mut(&WalletId::Organisation(org(ORG))).unwrap();
        wallet.add(LotId::mint(GRANTED), LotKind::Paid, amount, None);
    });
}

/// Creates a key of Acme, issued by Dev, with two scopes and no quotas.
fn key(id: &str, environment: KeyMode) -> ApiKey {
    ApiKey {
        org: org(ORG),
        id: key_id(id),
        name: "Production API".to_owned(),
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
        hint: String::new(),
        spender: (environment == KeyMode::Test).then(|| user("user_dev1")),
        created_by: user("user_dev1"),
        created_at: GRANTED,
        migrated_at: None,
        revoked: None,
        last_used: None,
        used: BTreeMap::new(),
        minute: None,
        revision: 1,
    }
}

/// Puts a key into the world after `change`. Returns its text.
pub fn put_key(world: &World, id: &str, environment: KeyMode, change: impl FnOnce(&mut ApiKey)) -> String {
    let mut key = key(id, environment);
    change(&mut key);
    let mut entropy = [0; 32];
    entropy[..26].copy_from_slice(&id.as_bytes()[4..]);
    let text = KeyText::write(&KeyPrefix::parse("sk").unwrap(), environment, entropy);
    text.hint().clone_into(&mut key.hint);
    let pointer = Peppers::parse(PEPPERS).unwrap().pointer(1, &text).unwrap();
    world.change(|state| {
        state.accounts.pointers.insert(pointer, (key.facts(), true));
        state.accounts.keys.insert((key.org, key.id), key);
    });
    text.expose().to_owned()
}

/// Puts the production key of the payloads into the world after `change`. Returns its text.
pub fn put_production(world: &World, change: impl FnOnce(&mut ApiKey)) -> String {
    put_key(world, KEY_ID, KeyMode::Production, change)
}

/// Changes the key of the payloads directly.
pub fn change_key(world: &World, change: impl FnOnce(&mut ApiKey)) {
    world.change(|state| change(state.accounts.keys.get_mut(&(org(ORG), key_id(KEY_ID))).unwrap()));
}

/// Returns the stored key of the payloads.
pub fn key_in(world: &World) -> ApiKey {
    world.state().accounts.keys[&(org(ORG), key_id(KEY_ID))].clone()
}

/// Returns counters with this number of calls today and this month.
pub fn used(calls: u64) -> BTreeMap<String, u64> {
    let now = clock::now();
    BTreeMap::from([(Day::of(now).to_string(), calls), (Month::of(now).to_string(), calls)])
}

/// Returns Acme's wallet as `[balance, used]`. Asserts that its lots add up.
pub fn wallet_of(world: &World) -> [u64; 2] {
    numbers(world, &WalletId::Organisation(org(ORG))).unwrap()
}

/// Returns a person's test wallet as `[balance, used]`, if they have one.
pub fn test_wallet_of(world: &World, person: &str) -> Option<[u64; 2]> {
    numbers(world, &WalletId::Test(user(person)))
}

fn numbers(world: &World, id: &WalletId) -> Option<[u64; 2]> {
    let wallet = world.state().accounts.wallets.get(id).cloned()?;
    assert!(wallet.is_balanced(), "{wallet:?}");
    Some([wallet.balance.try_into().unwrap(), wallet.used])
}

/// Returns all receipts.
pub fn receipts(world: &World) -> Vec<Receipt> {
    world.state().accounts.receipts.into_values().collect()
}

/// Returns the audit log as a caller sees it, with placeholders for ids and times.
pub fn audit_log(world: &World) -> Value {
    let entries = world.state().accounts.audit;
    let shown = entries.iter().map(|entry| {
        json!({ "action": entry.action.name(), "subject": entry.subject, "actor": entry.origin.actor.to_string(),
            "ip": entry.origin.ip, "details": entry.details })
    });
    payload::steady(&shown.collect())
}

/// Returns the events in the outbox.
pub fn outbox(world: &World) -> Value {
    let entries = world.state().outbox;
    let shown = entries.iter().map(|(_, entry)| {
        let detail: Value = serde_json::from_str(&entry.detail).unwrap();
        json!({ "kind": entry.kind, "detail": detail })
    });
    payload::steady(&shown.collect())
}

/// Reads a payload, sent by a person.
pub fn sent_by(person: &str, function: &str, case: &str) -> Value {
    payload::event(function, case, &functions::issuer().token(person, "free"))
}

/// Reads a payload, sent by the service `pdf-api` about a key.
pub fn sent_by_service(key: &str, function: &str, case: &str) -> Value {
    let mut event = payload::event(function, case, functions::SERVICE_TOKEN);
    event["body"] = event["body"].as_str().unwrap().replace("$KEY", key).into();
    event
}

/// Replaces fields of an event's body.
pub fn with(mut event: Value, fields: &Value) -> Value {
    let mut body: Value = serde_json::from_str(event["body"].as_str().unwrap()).unwrap();
    for (name, value) in fields.as_object().unwrap() {
        body[name] = value.clone();
    }
    event["body"] = body.to_string().into();
    event
}

/// Replaces an event's body.
pub fn saying(mut event: Value, body: &Value) -> Value {
    event["body"] = body.to_string().into();
    event
}

/// Replaces a header, or removes it.
pub fn headed(mut event: Value, name: &str, value: Option<&str>) -> Value {
    match value {
        Some(value) => event["headers"][name] = value.into(),
        None => drop(event["headers"].as_object_mut().unwrap().remove(name)),
    }
    event
}

/// Calls a function. Returns the whole answer, with placeholders for what differs in each run.
pub async fn answer(world: &World, function: &str, event: Value) -> Value {
    payload::steady(&functions::call(world, function, event).await)
}

/// Verifies a key as `pdf-api`, with a payload in which some fields are replaced. Returns `data` unchanged.
pub async fn verified(world: &World, key: &str, case: &str, fields: &Value) -> Value {
    let event = with(sent_by_service(key, "key-verify", case), fields);
    let answer = functions::call(world, "key-verify", event).await;
    assert_eq!(answer["status"], 200, "{answer}");
    answer["body"]["data"].clone()
}

/// Returns the code of a check without a charge.
pub async fn code_of(world: &World, key: &str) -> String {
    verified(world, key, "probe", &json!({})).await["code"].as_str().unwrap().to_owned()
}

/// Returns an answer's status and error code.
pub fn refusal(answer: &Value) -> (u64, &str) {
    (answer["status"].as_u64().unwrap(), answer["body"]["error"]["code"].as_str().unwrap_or_default())
}
