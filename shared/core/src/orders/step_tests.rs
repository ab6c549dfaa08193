use serde_json::{Map, json};

use super::*;
use crate::credits::PaymentId;
use crate::files::{Arrival, Measured, Pinned, Removal};
use crate::orders::request::tests::good;

const NOW: Timestamp = Timestamp::from_secs(1_795_257_000);

fn order() -> Order {
    Order::paid(PaymentId::parse("pi_1").unwrap(), NOW)
}

fn ask(email: &str, mood: &str) -> OrderRequest {
    let answers = Map::from_iter([("mood".to_owned(), json!(mood))]);
    OrderRequest::parse(&PhotoKind::ALL.map(good), email, answers, None).unwrap()
}

fn submit(order: &Order, mood: &str, at: Timestamp) -> OrderStep {
    order.submit(&ask("ann@example.com", mood), &[], UPLOAD_GRANT_VALID, at).unwrap()
}

fn accept(file: &File, at: Timestamp) -> File {
    let pinned = Pinned { version: "v1".to_owned(), etag: "e".to_owned(), sequencer: "1".to_owned() };
    file.accept(Arrival { pinned, size: 8, measured: Measured::default() }, at).file
}

fn statuses(order: &Order) -> Vec<&'static str> {
    order.photos().map(|photo| photo.status.name()).collect()
}

#[test]
fn an_order_is_submitted_once_its_last_photo_is_ready() {
    let first = submit(&order(), "good", NOW);
    assert_eq!((first.seen, first.order.revision, first.granted.len()), (1, 2, 2));
    assert_eq!(first.order.status, OrderStatus::AwaitingFiles);
    let [face, palm] = &first.granted[..] else { panic!("two photos") };
    assert_eq!(face.owner(), &order().owner());

    let later = NOW.plus(Duration::from_mins(1));
    let one = first.order.follow(&accept(palm, later), later).unwrap();
    assert_eq!((one.order.status, &one.event), (OrderStatus::AwaitingFiles, &None));
    assert_eq!(one.order.follow(&accept(palm, later), later), None, "the same again changes nothing");
    let both = one.order.follow(&accept(face, later), later).unwrap();
    assert_eq!(
        (both.order.status, both.order.status_since, both.order.due_at()),
        (OrderStatus::Submitted, later, None)
    );
    let event = both.event.clone().unwrap().data;
    assert_eq!(event, EventData::OrderSubmitted(OrderSubmitted { order_id: order().id, submission: 1, again: false }));
    let current = both.order.current.as_ref().unwrap();
    assert_eq!((current.submitted_at, current.photos[0].size), (Some(later), Some(8)));

    let again = submit(&both.order, "good", later);
    assert_eq!((again.granted.len(), again.order.status), (0, OrderStatus::Submitted));
    assert_eq!(again.order.current, both.order.current);
}

/// Submits the same again, with the records of the photos whose forms are nearly over.
fn again(step: &OrderStep, valid: Duration, at: Timestamp) -> OrderStep {
    let ask = ask("ann@example.com", "good");
    let lapsing = step.order.lapsing(&ask, valid, at);
    let files: Vec<File> = step.granted.iter().filter(|file| lapsing.contains(&file.id())).cloned().collect();
    step.order.submit(&ask, &files, valid, at).unwrap()
}

#[test]
fn a_form_that_is_nearly_over_is_signed_anew_for_the_same_key() {
    let first = submit(&order(), "good", NOW);
    let soon = again(&first, UPLOAD_GRANT_VALID, NOW.plus(Duration::from_mins(14)));
    assert_eq!((soon.changed.len(), &soon.order.current), (0, &first.order.current));
    for after in [Duration::from_secs(841), Duration::from_mins(20)] {
        let at = NOW.plus(after);
        let late = again(&first, UPLOAD_GRANT_VALID, at);
        assert_eq!((late.granted.len(), late.changed.len()), (0, 2));
        assert_eq!(late.order.current.as_ref().map(|current| current.number), Some(1), "it is the same submission");
        let (photo, file) = (&late.order.current.as_ref().unwrap().photos[0], &late.changed[0].file);
        assert_eq!((&photo.key, photo.granted_at, photo.expires_at), (&file.key, at, at.plus(UPLOAD_GRANT_VALID)));
        assert_eq!((&file.key, file.grant_expires_at), (&first.granted[0].key, photo.expires_at));
        assert_eq!((file.revision, file.status, &late.changed[0].event), (2, Status::Pending, &None));
        // A photo that was on its way with the first form counts.
        assert_eq!(statuses(&late.order.follow(&accept(file, at), at).unwrap().order), ["ready", "pending"]);
    }
}

#[test]
fn a_form_does_not_outlive_the_signers_credentials() {
    let first = submit(&order(), "good", NOW);
    let brief = again(&first, Duration::from_mins(4), NOW);
    let photo = &brief.order.current.as_ref().unwrap().photos[0];
    assert_eq!((brief.granted.len(), photo.expires_at), (0, NOW.plus(Duration::from_mins(4))));
    assert_eq!(brief.changed[0].file.grant_expires_at, NOW.plus(UPLOAD_GRANT_VALID), "the first form is still valid");
}

#[test]
fn a_photo_whose_record_has_ended_gets_another_key() {
    let first = submit(&order(), "good", NOW);
    let late = NOW.plus(Duration::from_hours(1));
    let ended = first.granted[0].remove(Removal::Expired, late).file;
    let (ask, files) = (ask("ann@example.com", "good"), [ended, first.granted[1].clone()]);
    let step = first.order.submit(&ask, &files, UPLOAD_GRANT_VALID, late).unwrap();
    assert_eq!((step.granted.len(), step.changed.len()), (1, 1));
    assert!(step.order.names(&step.granted[0]) && !step.order.names(&first.granted[0]));
}

#[test]
fn a_submission_that_is_completed_twice_says_so() {
    let first = submit(&order(), "good", NOW);
    let files: Vec<File> = first.granted.iter().map(|file| accept(file, NOW)).collect();
    let order = files.iter().fold(first.order, |order, file| order.follow(file, NOW).unwrap().order);
    let order = order.follow(&files[0].remove(Removal::Deleted, NOW).file, NOW).unwrap().order;
    let step = submit(&order, "good", NOW);
    assert_eq!((step.order.status, step.granted.len()), (OrderStatus::AwaitingFiles, 1));
    let step = step.order.follow(&accept(&step.granted[0], NOW), NOW).unwrap();
    let facts = OrderSubmitted { order_id: order.id, submission: 1, again: true };
    assert_eq!(step.event.unwrap().data, EventData::OrderSubmitted(facts));
    let other = submit(&step.order, "better", NOW);
    let done =
        other.granted.iter().fold(other.clone(), |step, file| step.order.follow(&accept(file, NOW), NOW).unwrap());
    let facts = OrderSubmitted { order_id: order.id, submission: 2, again: false };
    assert_eq!(done.event.unwrap().data, EventData::OrderSubmitted(facts), "another submission is announced anew");
}

#[test]
fn a_submission_that_was_complete_and_expired_is_announced_anew() {
    let first = submit(&order(), "good", NOW);
    let files: Vec<File> = first.granted.iter().map(|file| accept(file, NOW)).collect();
    let order = files.iter().fold(first.order, |order, file| order.follow(file, NOW).unwrap().order);
    let order = order.follow(&files[0].remove(Removal::Deleted, NOW).file, NOW).unwrap().order;
    let waiting = submit(&order, "good", NOW).order;
    let ended = waiting.expire(&[], waiting.due_at().unwrap()).unwrap().order;
    assert_eq!(ended.status, OrderStatus::Expired);
    let late = submit(&ended, "good", NOW.plus(SUBMIT_WITHIN));
    let done = late.granted.iter().fold(late.clone(), |step, file| step.order.follow(&accept(file, NOW), NOW).unwrap());
    let facts = OrderSubmitted { order_id: order.id, submission: 1, again: false };
    assert_eq!(done.event.unwrap().data, EventData::OrderSubmitted(facts));
}

#[test]
fn a_rejected_photo_gets_a_new_form_and_keeps_its_reason() {
    let first = submit(&order(), "good", NOW);
    let rejected = first.granted[0].reject("declared image/jpeg, found text", NOW).file;
    let step = first.order.follow(&rejected, NOW).unwrap();
    assert_eq!(statuses(&step.order), ["rejected", "pending"]);
    let again = submit(&step.order, "good", NOW);
    let photo = &again.order.current.as_ref().unwrap().photos[0];
    assert_eq!((again.granted.len(), photo.status), (1, PhotoStatus::Pending));
    assert_eq!(photo.reason.as_deref(), Some("declared image/jpeg, found text"));
    let ready = again.order.follow(&accept(&again.granted[0], NOW), NOW).unwrap();
    assert_eq!(ready.order.current.unwrap().photos[0].reason, None);
}

#[test]
fn another_submission_replaces_the_photos_and_keeps_the_earlier_one() {
    let first = submit(&order(), "good", NOW);
    let one = first.order.follow(&accept(&first.granted[0], NOW), NOW).unwrap().order;
    let both = one.follow(&accept(&first.granted[1], NOW), NOW).unwrap().order;
    let later = NOW.plus(Duration::from_hours(1));
    let second = submit(&both, "better", later);
    assert_eq!((second.order.status, second.granted.len()), (OrderStatus::AwaitingFiles, 2));
    assert_eq!(statuses(&second.order), ["pending", "pending", "ready", "ready"]);
    assert_eq!(second.order.earlier[0].submitted_at, Some(NOW));
    let submitted = second.granted.iter().fold((second.order.clone(), None), |(order, _), file| {
        let step = order.follow(&accept(file, later), later).unwrap();
        (step.order, step.event)
    });
    let Some(EventData::OrderSubmitted(facts)) = submitted.1.map(|event| event.data) else { panic!("it is announced") };
    assert_eq!(facts.submission, 2);
}

#[test]
fn a_payment_is_for_the_order_of_one_address() {
    let first = submit(&order(), "good", NOW);
    let other = first.order.submit(&ask("eve@example.com", "good"), &[], UPLOAD_GRANT_VALID, NOW);
    assert_eq!(other.unwrap_err().code, Code::Conflict);
}

#[test]
fn submissions_are_limited_by_the_minute_and_in_all() {
    let mut order = order();
    for n in 0..SUBMITS_PER_MINUTE {
        order = submit(&order, "good", NOW.plus(Duration::from_secs(n))).order;
    }
    let fault = order.submit(&ask("ann@example.com", "good"), &[], UPLOAD_GRANT_VALID, NOW).unwrap_err();
    assert_eq!((fault.code, &fault.details["limit"]), (Code::RateLimited, &json!(SUBMITS_PER_MINUTE)));
    let mut now = NOW;
    for n in 1..SUBMISSIONS_MAX {
        now = now.plus(Duration::from_mins(2));
        order = submit(&order, &n.to_string(), now).order;
    }
    now = now.plus(Duration::from_mins(2));
    let fault = order.submit(&ask("ann@example.com", "more"), &[], UPLOAD_GRANT_VALID, now).unwrap_err();
    assert_eq!((fault.code, order.earlier.len()), (Code::Conflict, SUBMISSIONS_MAX - 1));
    assert!(order.submit(&ask("ann@example.com", "9"), &[], UPLOAD_GRANT_VALID, now).is_ok(), "the last one again");
}

#[test]
fn a_submission_without_its_photos_gives_way_to_the_complete_one_before() {
    let first = submit(&order(), "good", NOW);
    let both = first
        .granted
        .iter()
        .fold(first.order.clone(), |order, file| order.follow(&accept(file, NOW), NOW).unwrap().order);
    let second = submit(&both, "better", NOW.plus(Duration::from_mins(1)));
    let due = second.order.due_at().unwrap();
    let ended = second.order.expire(&second.granted, due).unwrap();
    assert_eq!((ended.order.status, ended.order.due_at(), ended.event), (OrderStatus::Submitted, None, None));
    assert_eq!(ended.order.current, both.current);
    assert_eq!(statuses(&ended.order), ["ready", "ready", "gone", "gone"]);
}

#[test]
fn an_order_without_its_photos_expires_and_can_be_submitted_again() {
    let first = submit(&order(), "good", NOW);
    let ready = accept(&first.granted[0], NOW);
    let one = first.order.follow(&ready, NOW).unwrap().order;
    let due = NOW.plus(SUBMIT_WITHIN);
    assert_eq!(one.due_at(), Some(due));
    let files = [ready, first.granted[1].clone()];
    assert_eq!(one.expire(&files, due.minus(Duration::from_millis(1))), None);
    let ended = one.expire(&files, due).unwrap();
    assert_eq!((ended.order.status, ended.order.due_at()), (OrderStatus::Expired, None));
    assert_eq!(statuses(&ended.order), ["gone", "gone"]);
    let [discarded] = &ended.changed[..] else { panic!("the photo that had arrived") };
    assert_eq!((discarded.file.status, &discarded.event), (Status::Deleting, &None));
    assert_eq!(ended.order.expire(&[], due), None);
    assert_eq!(ended.order.follow(&discarded.file.remove(Removal::Deleted, due).file, due), None);

    let again = submit(&ended.order, "good", due);
    assert_eq!((again.order.status, again.granted.len()), (OrderStatus::AwaitingFiles, 2));
}

#[test]
fn a_photo_that_is_lost_later_leaves_the_order_submitted() {
    let first = submit(&order(), "good", NOW);
    let files: Vec<File> = first.granted.iter().map(|file| accept(file, NOW)).collect();
    let order = files.iter().fold(first.order, |order, file| order.follow(file, NOW).unwrap().order);
    let step = order.follow(&files[0].remove(Removal::Deleted, NOW).file, NOW).unwrap();
    assert_eq!((step.order.status, &step.event), (OrderStatus::Submitted, &None));
    assert_eq!(statuses(&step.order), ["gone", "ready"]);
}
