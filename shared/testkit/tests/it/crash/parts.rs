//! Crash points of uploads in parts. In the end no upload is open, and the bytes are given back or stored once.

use std::time::Duration;

use consigne_core::files::Status;
use consigne_testkit::fakes::World;
use consigne_testkit::{functions, payload};
use serde_json::{Value, json};

use super::{essence, http, survives_to};
use crate::handlers::files::upload_parts::{FILM, OPEN, film, film_in, open, report};
use crate::handlers::nightly::sweep::sweep_at;
use crate::handlers::{assert_books_balance, world_with};

/// Runs what is asynchronous, until the session of the film is over: S3's event, and the sweep.
async fn end(world: &World) -> Value {
    if world.state().objects.contains_key(FILM) {
        report(world).await;
    }
    for hours in [25, 26] {
        sweep_at(world, consigne_runtime::clock::now().plus(Duration::from_hours(hours))).await;
    }
    assert!(world.state().uploads.is_empty(), "an upload is open");
    assert_books_balance(world);
    essence(world)
}

#[tokio::test]
async fn opening_an_upload_survives_every_fault() {
    let sign = async |world: &World| http(world, "upload-parts", "sign").await;
    let signed = async |world: &World| {
        let upload = film_in(world).parts.unwrap().upload;
        let known = upload.is_some_and(|upload| world.state().uploads.contains_key(&upload.id));
        assert!(known, "the record names no open upload");
        end(world).await
    };
    survives_to(|| world_with(&[film()]), sign, signed).await;
}

#[tokio::test]
async fn completing_an_upload_survives_every_fault() {
    for checked in [false, true] {
        let complete = async |world: &World| http(world, "upload-complete", "all").await;
        let completed = async |world: &World| {
            let end = end(world).await;
            assert_eq!(film_in(world).status, Status::Ready);
            end
        };
        survives_to(|| open(checked, &[]), complete, completed).await;
    }
}

#[tokio::test]
async fn aborting_an_upload_survives_every_fault() {
    let abort = async |world: &World| http(world, "upload-abort", "abort").await;
    survives_to(|| open(false, &[4]), abort, end).await;
}

#[tokio::test]
async fn deleting_a_file_whose_upload_is_open_survives_every_fault() {
    let delete = async |world: &World| {
        let mut event = payload::event("delete", "plain", &functions::issuer().token("user_ann1", "pro"));
        event["body"] = json!({ "s3Key": FILM }).to_string().into();
        functions::call(world, "delete", event).await;
    };
    survives_to(|| open(false, &[4]), delete, end).await;
}

#[tokio::test]
async fn sweeping_sessions_survives_every_fault() {
    let sweep = async |world: &World| {
        let mut tick = payload::event("sweep", "tick", "");
        tick["time"] = consigne_runtime::clock::now().plus(Duration::from_hours(25)).to_string().into();
        // A failed run is repeated at the next tick.
        drop(functions::tick(world, "sweep", tick).await);
    };
    let completed = || {
        let world = open(false, &[]);
        world.change(|state| {
            let bytes = state.uploads[OPEN].parts[&1].1.clone();
            let zeros = film().size - bytes.len() as u64;
            let version = consigne_testkit::fakes::Version { id: "v1".to_owned(), bytes, zeros };
            state.objects.insert(FILM.to_owned(), vec![version]);
            state.uploads.clear();
        });
        world
    };
    survives_to(|| open(false, &[4]), sweep, end).await;
    survives_to(completed, sweep, end).await;
}
