//! Handlers on fakes: each test has an input file, a call, and the whole visible outcome.

pub mod files;
pub mod jobs;
pub mod keys;
pub mod nightly;
pub mod order_erasure;
pub mod order_forms;
mod order_mails;
pub mod orders;
mod outages;
pub mod people;
mod preflights;
pub mod webhooks;

use consigne_core::files::{
    Arrival, Dimensions, File, FileName, LedgerDelta, Measured, MediaType, ObjectKey, Pinned, UPLOAD_GRANT_VALID,
};
use consigne_core::{Timestamp, UserId};
use consigne_testkit::fakes::World;
use consigne_testkit::{functions, payload, pictures};
use serde_json::Value;

/// The object key in the payloads of events/.
pub const KEY: &str = "user_ann1/images/01M7YREWKH7VM7Z3Z2KWSH2FTR-photo-ete.png";
/// When the file with this key was granted.
pub const GRANTED: Timestamp = Timestamp::from_secs(1_795_257_000);

/// Creates the pending file of the payloads.
pub fn pending() -> File {
    pending_at(KEY)
}

/// Creates a pending PNG of 1,000 bytes with a key.
pub fn pending_at(key: &str) -> File {
    let (name, media) = (FileName::parse("photo été.png").unwrap(), MediaType::from_name("image/png").unwrap());
    File::granted(ObjectKey::parse(key).unwrap(), name, media, 1000, UPLOAD_GRANT_VALID, GRANTED)
}

/// Returns the file after its upload was checked.
pub fn ready(file: &File) -> File {
    let pinned = Pinned { version: "v1".to_owned(), etag: "e1".to_owned(), sequencer: "0055AED6DCD90281E5".to_owned() };
    let measured = Measured { dimensions: Some(Dimensions { width: 640, height: 480 }), duration: None };
    file.accept(Arrival { pinned, size: 1000, measured }, GRANTED).file
}

/// Creates a world with file records, their ledgers, and the objects of the records that have one.
pub fn world_with(files: &[File]) -> World {
    let world = World::default();
    for file in files {
        world.change(|state| {
            let usage = state.usage.entry(file.owner().clone()).or_default();
            LedgerDelta::of(file).apply(usage, file.kind());
            state.files.insert((file.owner().clone(), file.id()), file.clone());
        });
        if let Some(pinned) = file.keeps() {
            world.put_object(file.key.as_str(), &pinned.version, pictures::png(640, 480, 1000));
        }
    }
    world
}

/// Calls a function with a payload as a person on a plan. Returns the outcome, with placeholders for what differs in
/// each run.
pub async fn call_as(world: &World, function: &str, case: &str, user: &str, plan: &str) -> Value {
    let token = functions::issuer().token(user, plan);
    payload::steady(&functions::call(world, function, payload::event(function, case, &token)).await)
}

/// Calls a function with a payload as Ann, who is on the pro plan.
pub async fn call(world: &World, function: &str, case: &str) -> Value {
    call_as(world, function, case, "user_ann1", "pro").await
}

/// Returns the stored file of the payloads.
pub fn file_in(world: &World) -> File {
    let key = ObjectKey::parse(KEY).unwrap();
    world.state().files[&(key.owner().clone(), key.file())].clone()
}

/// Returns Ann's ledger as `[committed, reserved, files, bytes]`.
pub fn ledger_of(world: &World) -> [u64; 4] {
    let usage = world.state().usage.get(&UserId::parse("user_ann1").unwrap()).cloned().unwrap_or_default();
    [usage.committed, usage.reserved, usage.files(None), usage.bytes()]
}

/// Asserts that ledgers and file records agree to the byte.
pub fn assert_books_balance(world: &World) {
    let state = world.state();
    let sums = state.sums();
    for (owner, usage) in &state.usage {
        let mut sum = sums.get(owner).cloned().unwrap_or_default();
        sum.windows = usage.windows;
        assert_eq!(*usage, sum, "the ledger of {owner} differs from its records");
    }
}
