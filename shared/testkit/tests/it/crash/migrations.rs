//! Crash points of importing keys from an older installation: a run that stops at any row is repeated.

use std::collections::BTreeMap;

use consigne_core::audit::{Actor, Origin};
use consigne_core::keys::{ChangeContext, KeyMode, Pointer};
use consigne_core::migrations::{AccessLevel, LegacyKey, MigrationId, Place, TextFacts};
use consigne_core::{Fault, Timestamp, UserId};
use consigne_testkit::fakes::World;
use consigne_usecases::migrations::{announce, carry_over};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::crash::survives_to;
use crate::handlers::GRANTED;
use crate::handlers::people::accounts::{ORG, acme, org};

/// Creates the `n`th key of an export. There are three owners; some keys have no organisation, are revoked, or have
/// only a hash.
fn legacy(n: u32) -> LegacyKey {
    let pepper = if n % 5 == 4 { Pointer::HASHED } else { 1 };
    let place = match n % 4 {
        0 => Place::Personal,
        1 => Place::Here(org(ORG)),
        _ => Place::Former(format!("64aa{}", n % 3)),
    };
    let owner = if place == Place::Here(org(ORG)) { "user_dev1".to_owned() } else { format!("user_old{}", n % 3) };
    LegacyKey {
        id: format!("64f1c2{n:02}"),
        place,
        owner: UserId::parse(&owner).unwrap(),
        name: format!("Key {n}"),
        access: AccessLevel::Write,
        text: TextFacts {
            pointer: Pointer { pepper, mac: format!("{n:064}") },
            environment: if n.is_multiple_of(7) { KeyMode::Test } else { KeyMode::Production },
            prefix: "sk_live".to_owned(),
            hint: "abcd".to_owned(),
        },
        created_at: GRANTED.minus(std::time::Duration::from_hours(1000)),
        last_used_at: None,
        revoked: n % 6 == 5,
    }
}

/// Imports some rows, up to the first error.
async fn run(world: &World, rows: &[LegacyKey], now: Timestamp) -> Result<(), Fault> {
    let origin = Origin { actor: Actor::Operator("op".to_owned()), ip: None, user_agent: None, plan: None };
    let by = ChangeContext { origin: &origin, now };
    for row in rows {
        carry_over(world, row, &by).await?;
    }
    let events: Vec<MigrationId> = world.state().migrations.into_keys().collect();
    for id in &events {
        announce(world, id, now).await?;
    }
    Ok(())
}

/// Returns the state that must be the same in the end: everything except generated ids and times.
fn essence(world: &World) -> Value {
    let state = world.state();
    let accounts = &state.accounts;
    let keys: Vec<_> =
        accounts.keys.values().map(|key| json!([key.id, key.org, key.name, key.status.name()])).collect();
    let members: Vec<_> =
        accounts.members.values().map(|member| json!([member.org, member.user, member.role.name()])).collect();
    let pointers: Vec<_> =
        accounts.pointers.iter().map(|(pointer, (facts, _))| json!([pointer.mac, facts.id])).collect();
    let mut audit: BTreeMap<String, u32> = BTreeMap::new();
    for entry in &accounts.audit {
        *audit.entry(format!("{} {}", entry.action.name(), entry.subject)).or_default() += 1;
    }
    let migrations: Vec<_> =
        state.migrations.values().map(|one| json!([one.id.owner, one.keys, format!("{:?}", one.stage)])).collect();
    let events = state.outbox.iter().map(|(_, entry)| {
        let detail: Value = serde_json::from_str(&entry.detail).unwrap();
        json!([entry.kind, detail["org_id"], detail["user_id"], detail["total"]])
    });
    let mut events: Vec<_> = events.map(|events| events.to_string()).collect();
    events.sort();
    json!({ "orgs": accounts.orgs.len(), "wallets": accounts.wallets.len(), "keys": keys, "members": members,
        "pointers": pointers, "audit": audit, "migrations": migrations, "events": events })
}

#[tokio::test]
async fn an_import_interrupted_at_any_effect_of_any_row_can_be_repeated() {
    let rows: Vec<LegacyKey> = (0..12).map(legacy).collect();
    let act = async |world: &World| drop(run(world, &rows, GRANTED).await);
    let end = async |world: &World| {
        let after = essence(world);
        let before = world.state();
        run(world, &rows, GRANTED).await.unwrap();
        assert_eq!(world.state(), before, "a further run changes nothing");
        after
    };
    survives_to(acme, act, end).await;
}

#[tokio::test]
async fn a_row_that_cannot_be_imported_leaves_nothing() {
    let world = acme();
    let before = world.state();
    let nowhere = Place::Here(org("org_01JD0000000000000000000000"));
    let stranger = UserId::parse("user_stranger1").unwrap();
    let rows = [LegacyKey { place: nowhere, ..legacy(2) }, LegacyKey { owner: stranger, ..legacy(1) }];
    run(&world, &rows, GRANTED).await.unwrap();
    assert_eq!(world.state(), before);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn the_order_and_number_of_imported_rows_do_not_matter(
        order in Just((0..10_u32).collect::<Vec<_>>()).prop_shuffle(), again in proptest::collection::vec(0..10_u32, 0..10),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let outcome = |order: &[u32]| {
            let world = acme();
            let rows: Vec<LegacyKey> = order.iter().map(|n| legacy(*n)).collect();
            runtime.block_on(run(&world, &rows, GRANTED)).unwrap();
            let state = world.state();
            let keys: Vec<_> = state.accounts.keys.values().map(|key| (key.id, key.org, key.created_by.clone())).collect();
            (keys, state.accounts.pointers, state.migrations, state.outbox.len())
        };
        prop_assert_eq!(outcome(&(0..10).collect::<Vec<_>>()), outcome(&[order, again].concat()));
    }
}
