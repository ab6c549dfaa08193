//! Crash points of a call through the gateway. It cannot be tried again as if nothing had happened, since its service may
//! have done the work; what must hold instead, wherever it is cut short: the service is asked once at most, whoever got an
//! answer of it pays once at most, nobody else pays, and nothing stays held.

use std::time::Duration;

use consigne_runtime::clock;
use consigne_testkit::fakes::{Moment, World};
use consigne_testkit::{functions, payload};

use crate::handlers::accounts::{acme, put_production, receipts};
use crate::handlers::gateway::{answers, called, calls, live};

/// Calls, with a fault at an effect; calls again by the same key, and lets `sweep` run. Gives the first answer's status, and
/// credits used; `None` once there are no more effects.
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

/// Checks that the usage log is of what was spent.
fn assert_books(world: &World) {
    let logged: u64 = receipts(world).iter().map(|receipt| receipt.credits).sum();
    assert_eq!(i64::try_from(logged).unwrap(), live(world)[2]);
}

#[tokio::test]
async fn a_call_that_is_cut_short_anywhere_is_made_once_at_most_and_paid_for_only_if_answered() {
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
async fn a_settlement_whose_answer_is_lost_is_made_once() {
    // After the look-up of the key, the hold, the call and the wallet comes the settlement.
    for moment in [Moment::Before, Moment::After] {
        let world = acme();
        let text = put_production(&world, |_| ());
        world.fail_at(4, moment);
        assert_eq!(called(&world, "once", &text).await["status"], 200, "{moment:?}");
        assert!(!world.fault_is_left());
        assert_eq!((live(&world), receipts(&world).len()), ([999, 0, 1], 1), "{moment:?}");
    }
}
