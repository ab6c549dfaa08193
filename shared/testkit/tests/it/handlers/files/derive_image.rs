//! Thumbnails and other copies of pictures: made once, named in the record, and gone with their original.

use consigne_core::Plan;
use consigne_core::files::{
    Arrival, DerivativeState, Derivatives, File, Finding, LedgerState, Measured, MediaType, Pinned, Removal, Sample,
    Status, inspect,
};
use consigne_testkit::fakes::{Moment, SimClock, State, World};
use consigne_testkit::functions::{self, Fakes, MAIL_FROM};
use consigne_testkit::{payload, pictures};
use serde_json::{Value, json};

use crate::handlers::{GRANTED, KEY, assert_books_balance, file_in, pending, world_with};

/// Where everything derived from the file of the payloads is.
pub const DERIVED: &str = "derived/user_ann1/01M7YREWKH7VM7Z3Z2KWSH2FTR/";

/// Creates a world with a file of these bytes that has become ready.
pub fn arrived(media: &str, bytes: Vec<u8>) -> World {
    let media = MediaType::from_name(media).unwrap();
    let Finding::Genuine(measured) = inspect(Sample { bytes: &bytes, size: bytes.len() as u64 }, media) else {
        panic!("it is no {}", media.name)
    };
    arrived_as(media, measured, bytes)
}

fn arrived_as(media: &'static MediaType, measured: Measured, bytes: Vec<u8>) -> World {
    let file = File { media, ..pending() };
    let pinned = Pinned { version: "v1".to_owned(), etag: "e1".to_owned(), sequencer: String::new() };
    let file = file.accept(Arrival { pinned, size: bytes.len() as u64, measured }, GRANTED).file;
    let world = world_with(&[file]);
    world.change(|state| state.objects.clear());
    world.put_object(KEY, "v1", bytes);
    world
}

/// Creates a world with a photo of a phone, which has become ready.
pub fn photo() -> World {
    arrived("image/jpeg", pictures::photo_with_place())
}

pub async fn feed(world: &World, case: &str) -> Value {
    feed_for_the(1, world, case).await
}

async fn feed_for_the(time: u32, world: &World, case: &str) -> Value {
    let mut batch = payload::event("derive-image", case, "");
    batch["Records"][0]["attributes"]["ApproximateReceiveCount"] = time.to_string().into();
    functions::deliver(world, "derive-image", batch).await
}

fn nothing_failed() -> Value {
    json!({ "batchItemFailures": [] })
}

/// Returns the keys of everything derived, without the folder of their file.
pub fn derived(world: &World) -> Vec<String> {
    let state = world.state();
    let keys = state.objects.keys().filter_map(|key| key.strip_prefix(DERIVED)).map(str::to_owned);
    let keys: Vec<String> = keys.collect();
    assert_eq!(keys.len(), state.objects.keys().filter(|key| key.starts_with("derived/")).count());
    keys
}

fn bytes_of(world: &World, key: &str) -> Vec<u8> {
    let versions = world.state().objects.get(key).cloned().unwrap_or_default();
    assert_eq!(versions.len(), 1, "{key}");
    versions[0].bytes.clone()
}

fn has(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn state_in(world: &World) -> &'static str {
    file_in(world).derivatives.unwrap().state.name()
}

async fn metadata(world: &World) -> Value {
    let token = functions::issuer().token("user_ann1", "pro");
    functions::call(world, "metadata", payload::event("metadata", "one", &token)).await["body"].clone()
}

async fn tickets(world: &World, user: &str, keys: &[&str]) -> Vec<Value> {
    let mut event = payload::event("presign", "plain", &functions::issuer().token(user, "pro"));
    event["body"] = json!({ "s3Keys": keys }).to_string().into();
    functions::call(world, "presign", event).await["body"]["urls"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_turned_photo_with_its_place_gets_upright_thumbnails_without_it() {
    let world = photo();
    let before = (bytes_of(&world, KEY), file_in(&world), world.state().usage);
    assert_eq!(feed(&world, "ready").await, nothing_failed());
    assert_eq!(derived(&world), ["1024.jpg", "256.jpg"]);
    for name in derived(&world) {
        let bytes = bytes_of(&world, &format!("{DERIVED}{name}"));
        assert!(has(&before.0, pictures::PLACE) && !has(&bytes, pictures::PLACE) && !has(&bytes, b"Exif"), "{name}");
        let whole = Sample { bytes: &bytes, size: bytes.len() as u64 };
        let Finding::Genuine(found) = inspect(whole, MediaType::from_name("image/jpeg").unwrap()) else {
            panic!("{name}")
        };
        let sides = found.dimensions.unwrap();
        assert_eq!((sides.width, sides.height), (40, 64), "{name}");
    }
    // The original and what counts against the plan stay as they were.
    let file = file_in(&world);
    assert_eq!((bytes_of(&world, KEY), world.state().usage), (before.0, before.2));
    assert_eq!(
        (file.changed_at, file.revision, &file.pinned),
        (before.1.changed_at, before.1.revision + 1, &before.1.pinned)
    );
    assert!(world.state().outbox.is_empty());
    assert_books_balance(&world);
}

#[tokio::test]
async fn thumbnails_stand_in_the_metadata_and_the_list_and_are_read_by_their_owner_alone() {
    let world = photo();
    assert_eq!(metadata(&world).await["derivative"], "pending");
    feed(&world, "ready").await;
    let facts = metadata(&world).await;
    let keys = [format!("{DERIVED}256.jpg"), format!("{DERIVED}1024.jpg")];
    assert_eq!(facts["derivative"], "ready");
    assert_eq!(facts["thumbnails"], json!({ "1024": keys[1], "256": keys[0] }));
    let token = functions::issuer().token("user_ann1", "pro");
    let list = functions::call(&world, "list", payload::event("list", "plain", &token)).await;
    assert_eq!(list["body"]["files"][0]["thumbnails"], facts["thumbnails"]);

    let urls = tickets(&world, "user_ann1", &[KEY, &keys[0], &keys[1], &format!("{DERIVED}display.jpg")]).await;
    assert!(urls[0]["url"].as_str().unwrap().contains("versionId=v1"));
    for (entry, name) in [(&urls[1], "256.jpg"), (&urls[2], "1024.jpg")] {
        let url = entry["url"].as_str().unwrap();
        assert!(url.contains(&format!("/{DERIVED}{name}?")) && url.contains(&format!("versionId=of-{name}")), "{url}");
        assert!(url.contains("response-content-type=image%2Fjpeg"), "{url}");
    }
    assert_eq!(urls[3]["error"]["code"], "NOT_FOUND");
    for entry in tickets(&world, "user_ann12", &[&keys[0], &keys[1]]).await {
        assert_eq!(entry["error"]["code"], "NOT_FOUND");
    }
    // A file that is being deleted is not shown, and neither is what was made of it.
    world.change(|state| {
        let file = state.files.values_mut().next().unwrap();
        *file = file.deleting(GRANTED);
    });
    for entry in tickets(&world, "user_ann1", &[&keys[0], &keys[1]]).await {
        assert_eq!(entry["error"]["code"], "NOT_FOUND");
    }
}

#[tokio::test]
async fn an_event_that_comes_twice_changes_nothing() {
    let world = photo();
    feed(&world, "ready").await;
    let once = world.state();
    for _ in 0..3 {
        assert_eq!(feed(&world, "ready").await, nothing_failed());
    }
    assert!(world.state() == once);
}

#[tokio::test]
async fn everything_derived_goes_with_its_original_whatever_comes_first() {
    for events in
        [&["ready", "deleted"][..], &["deleted", "ready"], &["ready", "deleted", "ready"], &["ready", "ready"]]
    {
        let world = photo();
        feed(&world, "ready").await;
        assert_eq!(derived(&world).len(), 2);
        // Another file's thumbnails stay.
        world.put_object("derived/user_ann1/01M7YREWKH7VM7Z3Z2KWSH2FTS/256.jpg", "v1", vec![1]);
        world.change(end);
        for event in events {
            assert_eq!(feed(&world, event).await, nothing_failed());
        }
        let left: Vec<String> = world.state().objects.into_keys().collect();
        assert_eq!(left, ["derived/user_ann1/01M7YREWKH7VM7Z3Z2KWSH2FTS/256.jpg"], "{events:?}");
    }
    let world = photo();
    let before = world.state();
    assert_eq!(feed(&world, "expired").await, nothing_failed());
    assert!(world.state() == before);
}

/// Ends every file, as somebody else does who deletes it: its object is gone, and the ledger too.
fn end(state: &mut State) {
    for file in state.files.values_mut() {
        let step = file.remove(Removal::Deleted, GRANTED);
        *file = step.file;
    }
    state.usage.clear();
    state.objects.remove(KEY);
}

#[tokio::test]
async fn a_deletion_at_any_moment_leaves_nothing_derived() {
    // Another run has handled the event of the deletion, and there will be no further one.
    fn end_and_clean(state: &mut State) {
        end(state);
        state.objects.retain(|key, _| !key.starts_with("derived/"));
    }
    let mut moments = 0;
    for skip in 0.. {
        let world = photo();
        world.interleave(skip, end_and_clean);
        let answer = feed(&world, "ready").await;
        if world.interleaving_is_left() {
            break;
        }
        moments += 1;
        if answer != nothing_failed() {
            assert_eq!(feed(&world, "ready").await, nothing_failed());
        }
        assert_eq!(derived(&world), [""; 0], "a deletion before effect {skip}");
        assert_eq!(file_in(&world).status, Status::Deleted);
    }
    assert!(moments >= 5, "{moments}");
}

#[tokio::test]
async fn what_cannot_be_derived_stays_as_it_is_and_says_so() {
    let frame = b"\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0";
    let animation = [&b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff"[..], &frame.repeat(10_000), b";"].concat();
    let photo = pictures::photo_with_place();
    for (media, bytes, state) in [
        ("image/png", pictures::png(50_000, 50_000, 1_000), "too_large"),
        ("image/png", pictures::png(640, 480, 10 << 20), "failed"),
        ("image/jpeg", photo[..photo.len() - 200].to_vec(), "failed"),
        ("image/gif", animation, "too_large"),
        ("image/svg+xml", br#"<svg xmlns="http://www.w3.org/2000/svg"/>"#.to_vec(), "unsupported"),
    ] {
        let world = arrived(media, bytes.clone());
        assert_eq!(feed(&world, "ready").await, nothing_failed());
        assert_eq!((state_in(&world), derived(&world).len()), (state, 0), "{media}");
        let facts = metadata(&world).await;
        assert_eq!((&facts["derivative"], &facts["thumbnails"]), (&json!(state), &json!({})), "{media}");
        assert_eq!((&facts["status"], bytes_of(&world, KEY) == bytes), (&json!("ready"), true), "{media}");
        let once = world.state();
        feed(&world, "ready").await;
        assert!(world.state() == once, "{media}");
    }
}

#[tokio::test]
async fn a_heic_gets_a_clean_copy_with_the_same_pixels() {
    let world = arrived("image/heic", pictures::heic());
    assert_eq!(feed(&world, "ready").await, nothing_failed());
    assert_eq!((state_in(&world), derived(&world)), ("unsupported", vec!["clean.heic".to_owned()]));
    let (original, clean) = (bytes_of(&world, KEY), bytes_of(&world, &format!("{DERIVED}clean.heic")));
    assert!(original == pictures::heic() && original.len() == clean.len());
    assert!(has(&original, b"MM\0*") && !has(&clean, b"MM\0*"));
    let pixels = |bytes: &[u8]| bytes.windows(4).position(|window| window == b"mdat").map(|at| bytes[at..].len());
    assert_eq!(pixels(&original), pixels(&clean));
    let facts = metadata(&world).await;
    assert_eq!(facts["thumbnails"], json!({ "clean": format!("{DERIVED}clean.heic") }));
    let urls = tickets(&world, "user_ann1", &[&format!("{DERIVED}clean.heic")]).await;
    assert!(urls[0]["url"].as_str().unwrap().contains("image%2Fheic"), "{}", urls[0]);
}

#[tokio::test]
async fn a_film_and_a_text_have_no_derivatives() {
    for media in ["video/mp4", "application/pdf"] {
        let world = arrived_as(MediaType::from_name(media).unwrap(), Measured::default(), pictures::mp4(100));
        let before = world.state();
        assert_eq!(feed(&world, "ready").await, nothing_failed());
        assert!(world.state() == before, "{media}");
        assert_eq!(metadata(&world).await["derivative"], Value::Null);
    }
}

#[tokio::test]
async fn a_picture_that_is_older_than_derivatives_gets_them() {
    let world = photo();
    world.change(|state| state.files.values_mut().for_each(|file| file.derivatives = None));
    assert_eq!(metadata(&world).await["derivative"], Value::Null);
    feed(&world, "ready").await;
    assert_eq!((state_in(&world), derived(&world).len()), ("ready", 2));
}

#[tokio::test]
async fn an_object_that_is_gone_is_left_to_the_event_of_its_deletion() {
    let world = photo();
    world.change(|state| state.objects.clear());
    assert_eq!(feed(&world, "ready").await, nothing_failed());
    assert_eq!(file_in(&world).derivatives, Some(Derivatives::none(DerivativeState::Pending)));
    assert_eq!(file_in(&world).ledger_state, LedgerState::Kept);
}

#[tokio::test]
async fn what_kills_every_try_is_said_to_have_failed() {
    let killed = async |world: &World, time| {
        // After the record says so: the fourth effect is the first copy.
        world.fail_at(if time < 4 { 2 } else { 3 }, Moment::Before);
        assert_ne!(feed_for_the(time, world, "ready").await, nothing_failed());
    };
    let world = photo();
    for (time, state) in [(1, "pending"), (2, "pending"), (3, "pending"), (4, "failed"), (5, "failed")] {
        killed(&world, time).await;
        assert_eq!(state_in(&world), state, "try {time}");
    }
    // The last try may still succeed, and so does one that an operator sends back.
    assert_eq!(feed_for_the(5, &world, "ready").await, nothing_failed());
    assert_eq!((state_in(&world), derived(&world).len()), ("ready", 2));
}

#[tokio::test]
async fn a_malformed_message_and_an_event_of_another_kind_do_nothing() {
    let world = photo();
    let before = world.state();
    let mut batch = payload::event("derive-image", "ready", "");
    batch["Records"][0]["body"] = "{}".into();
    assert_ne!(functions::deliver(&world, "derive-image", batch).await, nothing_failed());
    let other = payload::event("send-mail", "endpoint-disabled", "");
    assert_eq!(functions::deliver(&world, "derive-image", other).await, nothing_failed());
    assert!(world.state() == before);
}

/// Delivers the event of the ready file with a watermark in the installation.
async fn feed_with_watermark(world: &World) -> Value {
    let settings = [MAIL_FROM, ("WATERMARK_KEY", "private/mark.png")];
    let start = Fakes::start_with(world, &SimClock::at(GRANTED), settings);
    functions::deliver_started(&start, "derive-image", payload::event("derive-image", "ready", "")).await
}

#[tokio::test]
async fn a_watermark_is_laid_on_derivatives_of_the_plans_that_say_so() {
    let mark = include_bytes!("../../../../../core/tests/corpus/files/rgb.png").to_vec();
    let plain = photo();
    feed(&plain, "ready").await;
    for (plan, is_marked) in [(Plan::Free, true), (Plan::Pro, false)] {
        let world = photo();
        let ann = file_in(&world).owner().clone();
        world.change(|state| {
            state.plans.insert(ann, plan);
        });
        world.put_object("private/mark.png", "v1", mark.clone());
        assert_eq!(feed_with_watermark(&world).await, nothing_failed());
        for name in ["256.jpg", "1024.jpg"] {
            let key = format!("{DERIVED}{name}");
            assert_eq!(bytes_of(&world, &key) != bytes_of(&plain, &key), is_marked, "{plan:?} {name}");
        }
        assert_eq!(bytes_of(&world, KEY), bytes_of(&plain, KEY));
    }
}

#[tokio::test]
async fn without_its_watermark_nothing_is_derived() {
    for mark in [None, Some(b"no picture".to_vec()), Some(vec![0; 2 << 20])] {
        let world = photo();
        if let Some(mark) = mark {
            world.put_object("private/mark.png", "v1", mark);
        }
        assert_ne!(feed_with_watermark(&world).await, nothing_failed());
        assert_eq!((state_in(&world), derived(&world).len()), ("pending", 0));
    }
}
