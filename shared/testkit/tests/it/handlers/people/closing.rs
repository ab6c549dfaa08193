//! account-close: everything that the owner of a closed account leaves behind is ended.

use std::time::Duration;

use consigne_core::audit::Actor;
use consigne_core::credits::WalletId;
use consigne_core::files::{File, Removal, Status};
use consigne_core::orgs::OrgRole;
use consigne_core::profiles::{Closing, Profile};
use consigne_core::{OrgId, Timestamp, UserId};
use consigne_testkit::fakes::{Moment, World};
use consigne_testkit::{functions, payload};
use serde_json::{Value, json};

use crate::crash::survives_to;
use crate::handlers::nightly::sweep::sweep_at;
use crate::handlers::people::accounts::{acme, found, org};
use crate::handlers::{GRANTED, assert_books_balance, ledger_of, pending_at, ready, world_with};

const OTHER_ORG: &str = "org_01M7YREWKH7VM7Z3Z2KWSH2FTX";

fn user(id: &str) -> UserId {
    UserId::parse(id).unwrap()
}

/// Closes an account, as Clerk's webhook does.
pub fn close(world: &World, id: &str) {
    world.change(|state| {
        let closed = Profile { closed_at: Some(GRANTED), ..Profile::unknown(user(id)) };
        state.profiles.insert(user(id), closed);
        state.closings.insert(user(id), Closing::begin(user(id), GRANTED));
    });
}

/// Runs `account-close` at a time. Returns what it did.
pub async fn try_close_accounts(world: &World, at: Timestamp) -> Result<Value, String> {
    let mut event = payload::event("account-close", "tick", "");
    event["time"] = at.to_string().into();
    functions::tick(world, "account-close", event).await
}

/// Runs `account-close` at a time, without failures. Returns what it did.
pub async fn close_accounts_at(world: &World, at: Timestamp) -> Value {
    let done = try_close_accounts(world, at).await.unwrap();
    assert_eq!(done["failed"], 0, "{done}");
    done
}

/// Runs `account-close` a minute after the closing, and at the time of its last step.
async fn close_to_the_end(world: &World) {
    let early = close_accounts_at(world, GRANTED.plus(Duration::from_mins(1))).await;
    assert_eq!((&early["closed"], world.state().closings.len()), (&json!(0), 1));
    assert_eq!(close_accounts_at(world, GRANTED.plus(Duration::from_hours(1))).await["closed"], 1);
    assert!(world.state().closings.is_empty());
}

fn key_of(user: &str, n: u32) -> String {
    format!("{user}/images/01M7YREWKH7VM7Z3Z2KWSH{n:04}-photo.png")
}

/// Creates a file of each status, with its objects in the bucket.
fn one_of_each(owner: &str) -> Vec<File> {
    let file = |n| pending_at(&key_of(owner, n));
    let infected = File { status: Status::Infected, ..ready(&file(3)) };
    let processing = File { status: Status::Processing, ..ready(&file(4)) };
    let deleted = ready(&file(6)).remove(Removal::Deleted, GRANTED).file;
    let rejected = file(5).reject("no", GRANTED).file;
    vec![file(1), ready(&file(2)), infected, processing, rejected, deleted, ready(&file(7)).deleting(GRANTED)]
}

#[tokio::test]
async fn every_file_of_the_closed_account_is_deleted_and_no_others() {
    let bobs = ready(&pending_at(&key_of("user_bob1", 1)));
    let world = world_with(&[one_of_each("user_ann1"), vec![bobs.clone()]].concat());
    close(&world, "user_ann1");
    close_to_the_end(&world).await;
    // One deletion had begun before the closing, so `sweep` finishes it.
    assert_eq!(sweep_at(&world, GRANTED.plus(Duration::from_hours(1))).await["removed"], 1);
    let state = world.state();
    for file in state.files.values() {
        let left = if *file == bobs { Status::Ready } else { Status::Deleted };
        assert_eq!(file.status, left, "{}", file.key);
    }
    assert_eq!((state.objects.len(), ledger_of(&world)), (1, [0, 0, 0, 0]));
    assert_books_balance(&world);
}

#[tokio::test]
async fn two_hundred_and_fifty_files_are_deleted_page_by_page() {
    let files: Vec<_> = (0..250).map(|n| ready(&pending_at(&key_of("user_ann1", n)))).collect();
    let world = world_with(&files);
    close(&world, "user_ann1");
    close_to_the_end(&world).await;
    let state = world.state();
    assert!(state.files.values().all(|file| file.status == Status::Deleted));
    assert_eq!((state.objects.len(), ledger_of(&world)), (0, [0, 0, 0, 0]));
    let events = state.outbox.len() + state.published.len();
    assert_eq!(events, 250, "each once");
}

#[tokio::test]
async fn files_uploaded_after_the_closing_are_deleted_too() {
    let world = World::default();
    close(&world, "user_ann1");
    close_accounts_at(&world, GRANTED.plus(Duration::from_mins(1))).await;
    let late = world_with(&[ready(&pending_at(&key_of("user_ann1", 1)))]).state();
    world.change(|state| (state.files, state.objects, state.usage) = (late.files, late.objects, late.usage));
    assert_eq!(close_accounts_at(&world, GRANTED.plus(Duration::from_hours(1))).await["closed"], 1);
    assert_eq!((world.state().objects.len(), ledger_of(&world)), (0, [0, 0, 0, 0]));
}

#[tokio::test]
async fn a_version_that_cannot_be_removed_is_removed_later() {
    let files: Vec<_> = (0..30).map(|n| ready(&pending_at(&key_of("user_ann1", n)))).collect();
    let world = world_with(&files);
    close(&world, "user_ann1");
    world.refuse_removals(true);
    close_accounts_at(&world, GRANTED.plus(Duration::from_mins(1))).await;
    assert!(world.state().files.values().all(|file| file.status == Status::Deleting));
    world.refuse_removals(false);
    let an_hour_on = GRANTED.plus(Duration::from_hours(1));
    assert_eq!(close_accounts_at(&world, an_hour_on).await["closed"], 1);
    assert_eq!(sweep_at(&world, an_hour_on).await["removed"], 30);
    assert_eq!((world.state().objects.len(), ledger_of(&world)), (0, [0, 0, 0, 0]));
}

/// Returns the state of an organisation: members by role, whether it is suspended and its wallet open, and its audit
/// log.
fn left_of(world: &World, id: OrgId) -> Value {
    let accounts = world.state().accounts;
    let members = accounts.members.values().filter(|member| member.org == id);
    let members: Vec<Value> = members.map(|member| json!([member.user, member.role.name()])).collect();
    let audit_log = accounts.audit.iter().filter(|entry| entry.org == Some(id));
    let audit_log: Vec<Value> = audit_log
        .map(|entry| {
            assert_eq!(entry.origin.actor, Actor::Service("account-close".to_owned()));
            json!([entry.action.name(), entry.subject, entry.details])
        })
        .collect();
    let open = accounts.wallets[&WalletId::Organisation(id)].open;
    json!({ "members": members, "suspended": accounts.orgs[&id].suspended, "open": open, "trail": audit_log })
}

#[tokio::test]
async fn an_organisation_with_another_owner_continues() {
    let world = World::default();
    found(&world, OTHER_ORG, "Acme", &[("user_ann1", OrgRole::Owner), ("user_bob1", OrgRole::Owner)]);
    close(&world, "user_ann1");
    close_to_the_end(&world).await;
    insta::assert_json_snapshot!(left_of(&world, org(OTHER_ORG)), @r#"
    {
      "members": [
        [
          "user_bob1",
          "owner"
        ]
      ],
      "suspended": false,
      "open": true,
      "trail": [
        [
          "member.removed",
          "user_ann1",
          {
            "cause": "account_closed"
          }
        ]
      ]
    }
    "#);
}

#[tokio::test]
async fn an_organisation_without_an_owner_is_suspended() {
    let world = World::default();
    found(&world, OTHER_ORG, "Acme", &[("user_ann1", OrgRole::Owner), ("user_bob1", OrgRole::Admin)]);
    close(&world, "user_ann1");
    close_to_the_end(&world).await;
    insta::assert_json_snapshot!(left_of(&world, org(OTHER_ORG)), @r#"
    {
      "members": [
        [
          "user_bob1",
          "admin"
        ]
      ],
      "suspended": true,
      "open": false,
      "trail": [
        [
          "member.removed",
          "user_ann1",
          {
            "cause": "account_closed"
          }
        ],
        [
          "org.suspended",
          "org_01M7YREWKH7VM7Z3Z2KWSH2FTX",
          {
            "cause": "last_owner_gone"
          }
        ]
      ]
    }
    "#);
}

#[tokio::test]
async fn a_developer_leaves_every_organisation_and_none_is_suspended() {
    let world = acme();
    found(&world, OTHER_ORG, "Other", &[("user_bob1", OrgRole::Owner), ("user_dev1", OrgRole::Developer)]);
    close(&world, "user_dev1");
    close_to_the_end(&world).await;
    let accounts = world.state().accounts;
    assert!(accounts.members.values().all(|member| member.user != user("user_dev1")));
    assert!(accounts.orgs.values().all(|org| !org.suspended));
    let removed = accounts.audit.iter().filter(|entry| entry.action.name() == "member.removed").count();
    assert_eq!(removed, 2);
}

#[tokio::test]
async fn more_organisations_than_a_page_are_left_over_several_runs() {
    let world = World::default();
    for _ in 0..1001 {
        let id = OrgId::mint(GRANTED).to_string();
        found(&world, &id, "Acme", &[("user_ann1", OrgRole::Owner), ("user_bob1", OrgRole::Owner)]);
    }
    close(&world, "user_ann1");
    let left = || world.state().accounts.members.values().filter(|member| member.user == user("user_ann1")).count();
    close_accounts_at(&world, GRANTED.plus(Duration::from_mins(1))).await;
    assert_eq!(left(), 1);
    assert_eq!(world.state().closings[&user("user_ann1")].due_at, GRANTED.plus(Duration::from_mins(1)));
    close_accounts_at(&world, GRANTED.plus(Duration::from_mins(6))).await;
    assert_eq!(left(), 0);
    assert_eq!(world.state().closings[&user("user_ann1")].due_at, GRANTED.plus(Duration::from_hours(1)));
}

#[tokio::test]
async fn a_closing_survives_every_fault() {
    let prepare = || {
        let world = world_with(&one_of_each("user_ann1"));
        found(&world, OTHER_ORG, "Acme", &[("user_ann1", OrgRole::Owner), ("user_bob1", OrgRole::Admin)]);
        close(&world, "user_ann1");
        world
    };
    // A failed run is repeated at the next tick.
    let act = async |world: &World| drop(try_close_accounts(world, GRANTED.plus(Duration::from_mins(1))).await);
    let end = async |world: &World| {
        for hours in [1, 2] {
            let at = GRANTED.plus(Duration::from_hours(hours));
            sweep_at(world, at).await;
            close_accounts_at(world, at).await;
        }
        assert_books_balance(world);
        let state = world.state();
        let statuses: Vec<_> = state.files.values().map(|file| file.status.name()).collect();
        json!([statuses, state.objects.len(), state.closings.len(), ledger_of(world), left_of(world, org(OTHER_ORG))])
    };
    survives_to(prepare, act, end).await;
}

#[tokio::test]
async fn the_last_step_of_a_closing_survives_every_fault() {
    let prepare = || {
        let world = world_with(&one_of_each("user_ann1"));
        close(&world, "user_ann1");
        world
    };
    let act = async |world: &World| drop(try_close_accounts(world, GRANTED.plus(Duration::from_hours(1))).await);
    let end = async |world: &World| {
        let at = GRANTED.plus(Duration::from_hours(2));
        sweep_at(world, at).await;
        close_accounts_at(world, at).await;
        let state = world.state();
        json!([state.objects.len(), state.closings.len(), state.profiles.len(), ledger_of(world)])
    };
    survives_to(prepare, act, end).await;
}

#[tokio::test]
async fn each_run_does_only_its_own_work() {
    let late = GRANTED.plus(Duration::from_hours(1));
    let bobs = pending_at(&key_of("user_bob1", 1));
    let prepare = || {
        let world = world_with(&[ready(&pending_at(&key_of("user_ann1", 1))), bobs.clone()]);
        close(&world, "user_ann1");
        world
    };
    let closed = prepare();
    insta::assert_json_snapshot!(close_accounts_at(&closed, late).await, @r#"
    {
      "due": 1,
      "closed": 1,
      "failed": 0,
      "organisations": {
        "due": 0,
        "dissolved": 0
      },
      "orders_erased": 0
    }
    "#);
    assert_eq!(closed.state().files[&(bobs.owner().clone(), bobs.id())], bobs, "an unused grant is left to sweep");
    let swept = prepare();
    assert_eq!(sweep_at(&swept, late).await["expired"], 1);
    assert_eq!(swept.state().closings[&user("user_ann1")], Closing::begin(user("user_ann1"), GRANTED));
    assert_eq!(swept.state().objects.len(), 1);
}

#[tokio::test]
async fn a_closing_that_fails_does_not_delay_the_others() {
    let world = World::default();
    close(&world, "user_ann1");
    close(&world, "user_bob1");
    // The first effect finds both closings, the second looks for Ann's organisations.
    world.fail_at(1, Moment::Before);
    let done = try_close_accounts(&world, GRANTED.plus(Duration::from_hours(1))).await.unwrap();
    assert_eq!(
        done,
        json!({ "due": 2, "closed": 1, "failed": 1, "organisations": { "due": 0, "dissolved": 0 }, "orders_erased": 0 })
    );
    let left: Vec<_> = world.state().closings.into_values().collect();
    assert_eq!(left, [Closing::begin(user("user_ann1"), GRANTED)], "it stays due");
    assert_eq!(close_accounts_at(&world, GRANTED.plus(Duration::from_hours(1))).await["closed"], 1);
}
