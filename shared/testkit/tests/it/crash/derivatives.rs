//! Crash points of thumbnails: wherever `derive-image` is killed, there is one version of each in the end, or none.

use consigne_core::files::Removal;
use consigne_testkit::fakes::World;
use serde_json::{Value, json};

use crate::crash::survives_to;
use crate::handlers::files::derive_image::{arrived, derived, feed, photo};
use crate::handlers::{GRANTED, assert_books_balance, file_in};

/// Returns what must be the same in the end: everything except the number of writes of the record.
async fn end(world: &World) -> Value {
    assert_books_balance(world);
    let (file, state) = (file_in(world), world.state());
    let copies = file.derivatives.iter().flat_map(|derivatives| &derivatives.copies);
    let copies: Vec<Value> = copies.map(|copy| json!([copy.rendition.name(), copy.media.name, copy.version])).collect();
    let versions: Vec<usize> = state.objects.values().map(Vec::len).collect();
    json!({ "status": file.status.name(), "state": file.derivatives.map(|derivatives| derivatives.state.name()),
        "copies": copies, "derived": derived(world), "versions": versions, "outbox": state.outbox.len() })
}

async fn ready(world: &World) {
    feed(world, "ready").await;
}

#[tokio::test]
async fn thumbnails_survive_every_fault() {
    survives_to(photo, ready, end).await;
}

#[tokio::test]
async fn a_clean_copy_survives_every_fault() {
    survives_to(|| arrived("image/heic", consigne_testkit::pictures::heic()), ready, end).await;
}

#[tokio::test]
async fn a_picture_that_cannot_be_derived_survives_every_fault() {
    survives_to(|| arrived("image/png", consigne_testkit::pictures::png(60, 40, 900)), ready, end).await;
}

/// Thumbnails that a killed run left behind, of a file that was deleted then.
#[tokio::test]
async fn the_removal_of_thumbnails_survives_every_fault() {
    for event in ["ready", "deleted"] {
        let prepare = || {
            let world = photo();
            world.put_object("derived/user_ann1/01M7YREWKH7VM7Z3Z2KWSH2FTR/256.jpg", "v1", vec![1]);
            world.put_object("derived/user_ann1/01M7YREWKH7VM7Z3Z2KWSH2FTR/256.jpg", "v2", vec![1]);
            world.put_object("derived/user_ann1/01M7YREWKH7VM7Z3Z2KWSH2FTR/1024.jpg", "v1", vec![1]);
            world.change(|state| {
                state.usage.clear();
                for file in state.files.values_mut() {
                    *file = file.remove(Removal::Deleted, GRANTED).file;
                }
            });
            world
        };
        let remove = async |world: &World| drop(feed(world, event).await);
        let nothing_left = async |world: &World| {
            assert_eq!(derived(world), [""; 0]);
            end(world).await
        };
        survives_to(prepare, remove, nothing_left).await;
    }
}
