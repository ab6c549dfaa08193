//! Contract tests of the ports. They run on the fake and on the real adapter.

mod anomalies;
mod balance_alerts;
mod charges;
mod checkouts;
mod closed_accounts;
mod committed_events;
mod connector_faults;
mod deliveries;
mod derivatives;
mod due_files;
mod endpoint_tests;
mod exports;
mod fair_deliveries;
mod file_changes;
mod files;
mod finished_texts;
mod fullness;
mod holds;
mod invitations;
mod job_files;
mod job_rates;
mod jobs;
mod keys;
mod large_pages;
mod mail;
mod maintenance;
mod members;
mod migrations;
mod minute_quotas;
mod multipart;
mod objects;
mod operators;
mod orders;
mod org_lifetimes;
mod people;
mod published;
mod purchases;
mod rates;
mod reconcile;
mod scans;
mod stats;
mod storage_days;
mod texts;

use std::time::Duration;

use consigne_core::files::{File, GrantRequest, UPLOAD_GRANT_VALID};
use consigne_core::ports::{Due, FindDue};
use consigne_core::{Plan, Timestamp, UserId};
use consigne_runtime::clock;
use consigne_testkit::stack::fresh_user;

/// Creates the id of a new owner.
fn owner() -> UserId {
    UserId::parse(&fresh_user()).unwrap()
}

/// Creates a pending file, as a grant does.
fn file_of(owner: &UserId, name: &str, size: u64, now: Timestamp) -> File {
    let content_type = if name.contains(".md") { "text/markdown" } else { "image/png" };
    let request = GrantRequest::parse(name, content_type, 1, None, None).unwrap();
    let file = request.admit(owner, Plan::Enterprise, UPLOAD_GRANT_VALID, now).unwrap();
    // The table does not check the limit of a single file, so one may fill a plan here.
    File { size, ..file }
}

fn now() -> Timestamp {
    clock::now()
}

/// Calls `ask` until `good` accepts its answer, because an index may lag behind the table for a moment.
async fn eventually<T>(mut ask: impl AsyncFnMut() -> T, good: impl Fn(&T) -> bool) -> T {
    for _ in 0..50 {
        let answer = ask().await;
        if good(&answer) {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    ask().await
}

/// Returns everything that is due at a time, the longest overdue first.
///
/// A test of due items uses times some weeks from now, because the deployed `sweep` ends everything that is due already.
async fn all_due(store: &impl FindDue, at: Timestamp) -> Vec<Due> {
    const PAGE: u32 = 50;
    let (mut walk, mut all) = (Default::default(), Vec::new());
    loop {
        let page = store.find_due(at, PAGE, &mut walk).await.unwrap();
        assert!(page.len() <= PAGE as usize);
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

/// Runs the tests of a contract on the fake and on the real adapter of the deployed stack.
macro_rules! on_both {
    ($real:expr, $($suite:ident),* $(,)?) => {
        mod on_the_fake {
            $(#[tokio::test] async fn $suite() { super::$suite(&consigne_testkit::fakes::World::default()).await; })*
        }
        mod on_the_real_one {
            $(#[tokio::test] async fn $suite() { super::$suite(&$real(&consigne_testkit::stack::Stack::find())).await; })*
        }
    };
}
pub(crate) use on_both;
