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
    order.submit(&ask("ann@example.com", mood), UPLOAD_GRANT_VALID, at).unwrap()
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
    assert_eq!(event, EventData::OrderSubmitted(OrderSubmitted { order_id: order().id, submission: 1 }));
    let current = both.order.current.as_ref().unwrap();
    assert_eq!((current.submitted_at, current.photos[0].size), (Some(later), Some(8)));

    let again = submit(&both.order, "good", later);
    assert_eq!((again.granted.len(), again.order.status), (0, OrderStatus::Submitted));
    assert_eq!(again.order.current, both.order.current);
}

#[test]
fn the_same_submission_again_gives_the_same_forms_until_they_are_nearly_over() {
    let first = submit(&order(), "good", NOW);
    let soon = submit(&first.order, "good", NOW.plus(Duration::from_mins(14)));
    assert_eq!((soon.granted.len(), &soon.order.current), (0, &first.order.current));
    let brief = first.order.submit(&ask("ann@example.com", "good"), Duration::from_mins(4), NOW).unwrap();
    assert_eq!(brief.granted.len(), 2, "the signer's credentials expire before the forms would");
    assert_eq!(brief.granted[0].grant_expires_at, NOW.plus(Duration::from_mins(4)));
    let late = submit(&first.order, "good", NOW.plus(Duration::from_secs(841)));
    assert_eq!(late.granted.len(), 2);
    assert_eq!(late.order.current.as_ref().map(|current| current.number), Some(1), "it is the same submission");
    let old = &first.granted[0];
    assert!(!late.order.names(old) && late.order.names(&late.granted[0]));
    assert_eq!(late.order.follow(&accept(old, NOW), NOW), None);
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
    let other = first.order.submit(&ask("eve@example.com", "good"), UPLOAD_GRANT_VALID, NOW);
    assert_eq!(other.unwrap_err().code, Code::Conflict);
}

#[test]
fn submissions_are_limited_by_the_minute_and_in_all() {
    let mut order = order();
    for n in 0..SUBMITS_PER_MINUTE {
        order = submit(&order, "good", NOW.plus(Duration::from_secs(n))).order;
    }
    let fault = order.submit(&ask("ann@example.com", "good"), UPLOAD_GRANT_VALID, NOW).unwrap_err();
    assert_eq!((fault.code, &fault.details["limit"]), (Code::RateLimited, &json!(SUBMITS_PER_MINUTE)));
    let mut now = NOW;
    for n in 1..SUBMISSIONS_MAX {
        now = now.plus(Duration::from_mins(2));
        order = submit(&order, &n.to_string(), now).order;
    }
    now = now.plus(Duration::from_mins(2));
    let fault = order.submit(&ask("ann@example.com", "more"), UPLOAD_GRANT_VALID, now).unwrap_err();
    assert_eq!((fault.code, order.earlier.len()), (Code::Conflict, SUBMISSIONS_MAX - 1));
    assert!(order.submit(&ask("ann@example.com", "9"), UPLOAD_GRANT_VALID, now).is_ok(), "the last one again");
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
    let [discarded] = &ended.discarded[..] else { panic!("the photo that had arrived") };
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
