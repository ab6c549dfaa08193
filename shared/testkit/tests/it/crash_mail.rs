//! Crash points of mail: whatever fails, no mail is lost; none is sent twice but where a claim was left behind, and that is
//! counted.

use std::collections::BTreeMap;

use consigne_core::mail::LEASE;
use consigne_core::orgs::{Member, OrgRole};
use consigne_core::profiles::Language;
use consigne_runtime::clock;
use consigne_testkit::fakes::{MailState, Moment, World};
use consigne_testkit::{functions, payload, template};
use serde_json::{Value, json};

use crate::crash::survives_to;
use crate::handlers::GRANTED;
use crate::handlers::accounts::{ORG, org, user};
use crate::handlers::invited::put_invitation;
use crate::handlers::mail::{acme_with_mailboxes, delivered, known, message_of};

/// Makes Acme with two owners.
fn two_owners() -> World {
    let world = acme_with_mailboxes();
    known(&world, "user_eve1", None, Language::English);
    let member = Member { org: org(ORG), user: user("user_eve1"), role: OrgRole::Owner, joined_at: GRANTED };
    world.change(|state| drop(state.accounts.members.insert((org(ORG), member.user.clone()), member)));
    world
}

/// Delivers again, once any claim left behind has run out, until nothing is left; gives what was sent to whom, having seen
/// that whatever was sent more than once was counted.
async fn settled(world: &World, case: &str, counted: u64) -> Value {
    let mut counted = counted;
    let mut now = clock::now();
    loop {
        now = now.plus(LEASE);
        let (outcome, log) = delivered(world, &message_of(case), now).await;
        counted += log["MailsPerhapsTwice"].as_u64().unwrap_or(0);
        if outcome.is_ok() {
            break;
        }
    }
    let post = world.state().post;
    let mut times: BTreeMap<String, u64> = BTreeMap::new();
    for mail in &post.sent {
        *times.entry(mail.to.as_str().to_owned()).or_default() += 1;
    }
    let extra: u64 = times.values().map(|times| times - 1).sum();
    assert!(extra <= counted, "{extra} mails came again, {counted} were counted");
    assert!(post.mails.values().all(|snapshot| matches!(snapshot, MailState::Ended(_))), "{:?}", post.mails);
    let to: Vec<&String> = times.keys().collect();
    json!({ "to": to, "marked": post.mails.len() })
}

#[tokio::test]
async fn the_mail_about_a_job() {
    let act = async |world: &World| drop(delivered(world, &message_of("job-completed"), clock::now()).await);
    survives_to(acme_with_mailboxes, act, async |world| settled(world, "job-completed", 0).await).await;
}

#[tokio::test]
async fn the_mails_about_a_key() {
    let act = async |world: &World| drop(delivered(world, &message_of("key-issued"), clock::now()).await);
    survives_to(two_owners, act, async |world| settled(world, "key-issued", 0).await).await;
}

#[tokio::test]
async fn the_mails_to_whoever_is_invited_and_to_whoever_pays() {
    let prepare = || {
        let world = acme_with_mailboxes();
        known(&world, "user_bill1", None, Language::English);
        put_invitation(&world, |_| ());
        world
    };
    for case in ["invitation-created", "payment-disputed", "wallet-low"] {
        let act = async |world: &World| drop(delivered(world, &message_of(case), clock::now()).await);
        survives_to(prepare, act, async |world| settled(world, case, 0).await).await;
    }
}

#[tokio::test]
async fn two_faults_one_after_the_other_lose_no_mail_either() {
    let moments = [Moment::Before, Moment::After];
    let body = message_of("key-issued");
    for (first, second) in (0..12).flat_map(|first| (0..12).map(move |second| (first, second))) {
        for (one, other) in moments.iter().flat_map(|one| moments.iter().map(move |other| (*one, *other))) {
            let (world, mut counted) = (two_owners(), 0);
            let start = clock::now();
            for (n, (skip, moment)) in [(first, one), (second, other)].into_iter().enumerate() {
                world.fail_at(skip, moment);
                let now = start.plus(LEASE * u32::try_from(n).unwrap());
                let (_, log) = delivered(&world, &body, now).await;
                counted += log["MailsPerhapsTwice"].as_u64().unwrap_or(0);
                world.fault_is_left();
            }
            let end = settled(&world, "key-issued", counted).await;
            let want = json!({ "to": ["ann1@example.com", "eve1@example.com"], "marked": 2 });
            assert_eq!(end, want, "faults {one:?} {first}, {other:?} {second}");
        }
    }
}

#[test]
fn a_mail_outlasts_an_outage_of_half_a_day_and_every_claim_left_behind() {
    let queue = &template::template()["Resources"]["MailQueue"]["Properties"];
    let number = |value: &Value| value.as_u64().unwrap();
    let patience = number(&queue["VisibilityTimeout"]) * number(&queue["RedrivePolicy"]["maxReceiveCount"]);
    assert!(patience >= 12 * 60 * 60, "{patience} s");
    assert!(patience >= 10 * LEASE.as_secs());
    assert!(number(&queue["MessageRetentionPeriod"]) > 2 * patience);
}

#[tokio::test]
async fn the_suppression_of_a_mailbox() {
    let act = async |world: &World| {
        functions::deliver(world, "mail-feedback", payload::event("mail-feedback", "complained", "")).await;
    };
    survives_to(World::default, act, async |world| json!(world.state().post.suppressed.len())).await;
}

#[tokio::test]
async fn the_way_out_of_a_topic() {
    let token = functions::unsubscribe_seal().token(&user("user_ann1"), consigne_core::mail::Topic::Jobs);
    let act = async |world: &World| {
        drop(functions::call(world, "mail-unsubscribe", payload::event("mail-unsubscribe", "press", &token)).await);
    };
    survives_to(World::default, act, async |world| json!(world.state().post.unsubscribed.len())).await;
}
