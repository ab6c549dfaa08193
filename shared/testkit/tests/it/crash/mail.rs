//! Crash points of mail: no fault loses a mail. A mail is sent twice only if a crash left its claim behind, which is
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
use crate::handlers::people::accounts::{ORG, org, user};
use crate::handlers::people::invited::put_invitation;
use crate::handlers::webhooks::mail::{acme_with_mailboxes, delivered, known, message_of};

/// Creates Acme with two owners.
fn two_owners() -> World {
    let world = acme_with_mailboxes();
    known(&world, "user_eve1", None, Language::English);
    let member = Member { org: org(ORG), user: user("user_eve1"), role: OrgRole::Owner, joined_at: GRANTED };
    world.change(|state| drop(state.accounts.members.insert((org(ORG), member.user.clone()), member)));
    world
}

/// Redelivers the event after the claims left behind have expired. Asserts that every mail sent twice was counted.
/// Returns which mails were sent to whom.
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
    let post = world.state().mail;
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
async fn the_mail_about_a_job_survives_every_fault() {
    let act = async |world: &World| drop(delivered(world, &message_of("job-completed"), clock::now()).await);
    survives_to(acme_with_mailboxes, act, async |world| settled(world, "job-completed", 0).await).await;
}

#[tokio::test]
async fn the_mails_about_a_key_survive_every_fault() {
    let act = async |world: &World| drop(delivered(world, &message_of("key-issued"), clock::now()).await);
    survives_to(two_owners, act, async |world| settled(world, "key-issued", 0).await).await;
}

#[tokio::test]
async fn the_mails_to_invited_people_and_to_payers_survive_every_fault() {
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
async fn two_faults_in_a_row_lose_no_mail() {
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
            assert_eq!(end, want, "after faults {one:?} effect {first} and {other:?} effect {second}");
        }
    }
}

#[test]
fn a_mail_is_sent_after_an_outage_of_half_a_day_with_claims_left_behind() {
    let queue = &template::template()["Resources"]["MailQueue"]["Properties"];
    let number = |value: &Value| value.as_u64().unwrap();
    let retry_time = number(&queue["VisibilityTimeout"]) * number(&queue["RedrivePolicy"]["maxReceiveCount"]);
    assert!(retry_time >= 12 * 60 * 60, "{retry_time} s");
    assert!(retry_time >= 10 * LEASE.as_secs());
    assert!(number(&queue["MessageRetentionPeriod"]) > 2 * retry_time);
}

#[tokio::test]
async fn suppressing_a_mailbox_survives_every_fault() {
    let act = async |world: &World| {
        functions::deliver(world, "mail-feedback", payload::event("mail-feedback", "complained", "")).await;
    };
    survives_to(World::default, act, async |world| json!(world.state().mail.suppressed.len())).await;
}

#[tokio::test]
async fn unsubscribing_from_a_topic_survives_every_fault() {
    let token = functions::unsubscribe_seal().token(&user("user_ann1"), consigne_core::mail::Topic::Jobs);
    let act = async |world: &World| {
        drop(functions::call(world, "mail-unsubscribe", payload::event("mail-unsubscribe", "press", &token)).await);
    };
    survives_to(World::default, act, async |world| json!(world.state().mail.unsubscribed.len())).await;
}
