//! Crash points of a call through the gateway. After a fault it must not simply be repeated, because the service may
//! have done the work. Wherever it is interrupted, the service is called at most once, a caller who got its answer is
//! charged at most once, others are not charged, and no credits stay held.

use std::time::Duration;

use consigne_runtime::clock;
use consigne_testkit::fakes::{Moment, World};
use consigne_testkit::{functions, payload};

use crate::handlers::keys::gateway::{answers, called, calls, live};
use crate::handlers::people::accounts::{acme, put_production, receipts};

/// Makes a call with a fault at an effect, repeats it with the same idempotency key, and runs `sweep`. Returns the
/// status of the first answer and the credits used, or `None` if there is no such effect.
async fn cut_short(moment: Moment, skip: u32, status: u16) -> Option<(u64, i64)> {
    let world = acme();
    let text = put_production(&world, |_| ());
    answers(&world, status, &[], b"done");
    world.fail_at(skip, moment);
    let first = called(&world, "once", &text).await["status"].as_u64().unwrap();
    if world.fault_is_left() {
        return None;
    }
    let second = called(&world, "once", &text).await["status"].as_u64().unwrap();
    for minutes in [3, 6] {
        let mut tick = payload::event("sweep", "tick", "");
        tick["time"] = clock::now().plus(Duration::from_mins(minutes)).to_string().into();
        functions::tick(&world, "sweep", tick).await.unwrap();
    }
    assert_books(&world);
    let [balance, held, used] = live(&world);
    assert_eq!((balance + used, held), (1_000, 0), "{moment:?} {skip}");
    assert!(calls(&world).len() <= 1, "{moment:?} {skip}: the service was asked twice");
    let answered = [first, second].contains(&u64::from(status)) && status < 500;
    assert!(used == 0 || answered, "{moment:?} {skip}: {used} paid, answered {first} and {second}");
    Some((first, used))
}

/// Asserts that the usage log adds up to the credits used.
fn assert_books(world: &World) {
    let logged: u64 = receipts(world).iter().map(|receipt| receipt.credits).sum();
    assert_eq!(i64::try_from(logged).unwrap(), live(world)[2]);
}

#[tokio::test]
async fn an_interrupted_call_is_made_at_most_once_and_charged_only_if_answered() {
    for status in [200, 404, 500] {
        let mut outcomes = Vec::new();
        for moment in [Moment::Before, Moment::After] {
            for skip in 0.. {
                let Some(outcome) = cut_short(moment, skip, status).await else { break };
                outcomes.push((moment, skip, outcome));
            }
        }
        assert!(outcomes.len() >= 8, "{outcomes:?}");
        let paid = outcomes.iter().filter(|(_, _, (_, used))| *used == 1).count();
        assert_eq!(paid > 0, status < 500, "{outcomes:?}");
    }
}

#[tokio::test]
async fn a_settlement_with_a_lost_answer_is_made_once() {
    // The settlement comes after the look-up of the key, the hold, the call and the wallet.
    for moment in [Moment::Before, Moment::After] {
        let world = acme();
        let text = put_production(&world, |_| ());
        world.fail_at(4, moment);
        assert_eq!(called(&world, "once", &text).await["status"], 200, "{moment:?}");
        assert!(!world.fault_is_left());
        assert_eq!((live(&world), receipts(&world).len()), ([999, 0, 1], 1), "{moment:?}");
    }
}
