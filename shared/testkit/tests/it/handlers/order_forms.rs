//! Forms of orders: which upload counts, and when a form is given anew.

use std::time::Duration;

use consigne_core::Timestamp;
use consigne_core::files::Status;
use consigne_core::orders::OrderStatus;
use consigne_runtime::clock;
use consigne_testkit::fakes::World;
use consigne_testkit::pictures;
use serde_json::{Value, json};

use super::nightly::sweep::sweep_at;
use super::orders::{
    announce, announcements, file_of, keys, lose, order_id, order_in, paid, submit, upload, upload_both,
};

/// Makes the forms of the order expire this much later than now.
pub fn let_forms_lapse(world: &World, left: Duration) {
    let until = clock::now().plus(left);
    world.change(|state| {
        for photo in &mut state.orders.get_mut(&order_id()).unwrap().current.as_mut().unwrap().photos {
            photo.expires_at = until;
        }
        state.files.values_mut().for_each(|file| file.grant_expires_at = until);
    });
}

#[tokio::test]
async fn a_photo_on_its_way_counts_although_its_form_was_signed_anew() {
    for left in [Duration::ZERO, Duration::from_secs(30)] {
        let world = paid();
        submit(&world).await;
        let [face, palm] = keys(&world);
        let_forms_lapse(&world, left);
        let answer = submit(&world).await;
        let form = &answer["body"]["data"]["uploads"][1];
        assert_eq!((&form["s3_key"], &form["fields"]["key"]), (&json!(palm), &json!(palm)));
        let until = clock::now().plus(Duration::from_mins(14));
        assert!(Timestamp::parse(form["expires_at"].as_str().unwrap()).unwrap() > until, "{form}");
        assert!(file_of(&world, &palm).grant_expires_at > until);
        assert_eq!(world.state().files.len(), 2, "no other photo is waited for");
        // The photo that the first form sent, then the one of the second form.
        upload(&world, &palm, "v1", pictures::photo_with_place()).await;
        upload(&world, &palm, "v2", pictures::photo_with_place()).await;
        upload(&world, &face, "v1", pictures::heic()).await;
        assert_eq!(order_in(&world).status, OrderStatus::Submitted);
        assert_eq!(world.state().objects[&palm].len(), 1, "the first counts");
    }
}

#[tokio::test]
async fn sweep_waits_for_a_photo_from_a_slow_phone() {
    let world = paid();
    submit(&world).await;
    let [_, palm] = keys(&world);
    let expires_at = file_of(&world, &palm).grant_expires_at;
    sweep_at(&world, expires_at.plus(Duration::from_mins(10))).await;
    assert_eq!(file_of(&world, &palm).status, Status::Pending);
    sweep_at(&world, expires_at.plus(Duration::from_mins(11))).await;
    assert_eq!(file_of(&world, &palm).status, Status::Deleted);
}

#[tokio::test]
async fn an_upload_that_its_order_does_not_name_is_removed() {
    let world = paid();
    submit(&world).await;
    let [face, palm] = keys(&world);
    world.change(|state| {
        let order = state.orders.get_mut(&order_id()).unwrap();
        order.current.as_mut().unwrap().photos.retain(|photo| photo.key.as_str() == face);
    });
    upload(&world, &palm, "v1", pictures::photo_with_place()).await;
    assert_eq!(file_of(&world, &palm).status, Status::Rejected);
    assert!(!world.state().objects.contains_key(&palm));
}

#[tokio::test]
async fn a_photo_that_is_lost_and_sent_again_completes_the_same_submission_again() {
    let world = paid();
    submit(&world).await;
    upload_both(&world).await;
    lose(&world, &keys(&world)[0]).await;
    assert_eq!(order_in(&world).current.unwrap().photos[0].status.name(), "gone");
    let answer = submit(&world).await;
    assert_eq!(answer["body"]["data"]["uploads"].as_array().unwrap().len(), 1, "{answer}");
    upload(&world, &keys(&world)[0], "v1", pictures::heic()).await;
    assert_eq!(order_in(&world).status, OrderStatus::Submitted);
    let told: Vec<Value> = announcements(&world).iter().map(|detail| detail["again"].clone()).collect();
    assert_eq!(told, [Value::Null, json!(true)]);
}

#[tokio::test]
async fn the_first_version_of_a_form_stays_whatever_event_comes_first() {
    for first in ["v1", "v2"] {
        let world = paid();
        submit(&world).await;
        let key = &keys(&world)[1];
        world.put_object(key, "v1", pictures::photo_with_place());
        world.put_object(key, "v2", pictures::png(640, 480, 1000));
        let second = if first == "v1" { "v2" } else { "v1" };
        for version in [first, second, second, first] {
            announce(&world, key, version).await;
        }
        let versions: Vec<String> = world.state().objects[key].iter().map(|version| version.id.clone()).collect();
        assert_eq!(versions, ["v1"], "{first} was announced first");
        let file = file_of(&world, key);
        assert_eq!((file.status, file.pinned.unwrap().version.as_str()), (Status::Ready, "v1"));
    }
}

#[tokio::test]
async fn a_text_named_jpg_is_rejected_and_its_form_is_given_anew() {
    let world = paid();
    submit(&world).await;
    let [face, palm] = keys(&world);
    upload(&world, &face, "v1", pictures::heic()).await;
    upload(&world, &palm, "v1", pictures::html(900)).await;
    assert!(!world.state().objects.contains_key(&palm));
    let answer = submit(&world).await;
    let data = &answer["body"]["data"];
    let forms = data["uploads"].as_array().unwrap();
    assert_eq!((forms.len(), &forms[0]["type"]), (1, &json!("palm_photo")));
    assert_ne!(forms[0]["s3_key"], json!(palm));
    assert_eq!(data["files"][0]["status"], "ready");
    let state = json!({ "type": "palm_photo", "status": "pending", "reason": "declared image/jpeg, found text/html" });
    assert_eq!(data["files"][1], state);
    upload(&world, &keys(&world)[1], "v1", pictures::photo_with_place()).await;
    assert_eq!(order_in(&world).status, OrderStatus::Submitted);
    assert_eq!(submit(&world).await["body"]["data"]["uploads"], json!([]), "nothing is missing");
}

#[tokio::test]
async fn sweep_finds_a_photo_whose_event_was_lost_and_keeps_its_first_version() {
    let world = paid();
    submit(&world).await;
    let [face, _] = keys(&world);
    world.put_object(&face, "v1", pictures::heic());
    world.put_object(&face, "v2", pictures::html(900));
    sweep_at(&world, clock::now().plus(Duration::from_hours(1))).await;
    assert_eq!(file_of(&world, &face).status, Status::Ready);
    assert_eq!(world.state().objects[&face].len(), 1);
    assert_eq!(order_in(&world).current.unwrap().photos[0].status.name(), "ready");
}
