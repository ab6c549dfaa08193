//! A new pepper becomes current while keys are in use. It has a stack of its own, because other tests must not issue
//! keys under a pepper while it is being retired.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use consigne_auth::{KeyPrefix, KeyText};
use consigne_core::keys::KeyMode;
use consigne_testkit::org_fixture::{HeldKey, OrgFixture};
use consigne_testkit::stack::until;
use serde_json::json;

use super::further_stack::FurtherStack;

/// The stack for this test.
const PEPPERS_STACK: FurtherStack = FurtherStack { name: "peppers", env_file: "target/local/peppers.env" };

/// Checks of keys before, between and after the two steps.
const CHECKS: u32 = 10;

/// Runs the operator's command line on it. Returns whether it succeeded, and its output.
async fn consigne(arguments: &[&str]) -> (bool, String) {
    PEPPERS_STACK.consigne(arguments, "").await
}

/// Returns the list of the keys that need a pepper.
async fn needing(version: &str) -> String {
    let (well, listed) = consigne(&["pepper", "keys", "--version", version]).await;
    assert!(well, "{listed}");
    listed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_check_fails_while_a_pepper_is_replaced() {
    let stack = PEPPERS_STACK.deploy(&[]);
    let fixture = OrgFixture::open(&stack, 100_000).await;
    let (old, unused) = (fixture.issue("production", &json!({})).await, fixture.issue("production", &json!({})).await);
    let (done, checks) = (AtomicBool::new(false), AtomicU32::new(0));
    let load = async || {
        while !done.load(Ordering::Relaxed) {
            let data = fixture.charge(&old, None).await;
            assert_eq!(data["valid"], true, "{data}");
            checks.fetch_add(1, Ordering::Relaxed);
        }
    };
    // Waits for checks rather than for a time, in which a busy machine makes none.
    let more_checks = async || {
        let enough = checks.load(Ordering::Relaxed) + CHECKS;
        while checks.load(Ordering::Relaxed) < enough {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let rotate = async || {
        more_checks().await;
        let (well, said) = consigne(&["pepper", "add"]).await;
        assert!(well, "{said}");
        let (_, status) = consigne(&["pepper", "status"]).await;
        let version = newest(&status);
        more_checks().await;
        let (well, said) = consigne(&["pepper", "promote", &version.to_string()]).await;
        assert!(well, "{said}");
        more_checks().await;
        done.store(true, Ordering::Relaxed);
        version
    };
    let ((), (), version) = tokio::join!(load(), load(), rotate());
    let before = (version - 1).to_string();
    // A lookup that finds nothing makes an execution environment read the peppers again. The next use of a key moves it.
    let unknown = KeyText::write(&KeyPrefix::parse("sk").unwrap(), KeyMode::Production, [7; 32]);
    let move_by_use = async |key: &HeldKey| {
        let moved = until(async || {
            assert_eq!(fixture.verify(unknown.expose(), &json!({}), None).await.json()["data"]["valid"], false);
            assert_eq!(fixture.charge(key, None).await["valid"], true);
            (!needing(&before).await.contains(&key.id)).then_some(())
        });
        moved.await.expect("a key that is used moves to the new pepper");
    };
    move_by_use(&old).await;
    let listed = needing(&before).await;
    assert!(listed.contains(&unused.id) && listed.contains(&fixture.org), "{listed}");
    assert!(!listed.contains(&unused.text), "a list shows the text of a key: {listed}");
    let (well, said) = consigne(&["pepper", "retire", &before]).await;
    assert!(!well && said.contains("1 live key"), "a pepper that a live key needs was retired: {said}");
    let (_, log) = consigne(&["audit", "--json"]).await;
    assert!(log.contains("pepper.closed") && log.contains("pepper.reopened"), "{log}");
    assert!(!log.contains("pepper.retired"), "a pepper that stays was audited as retired: {log}");
    let (well, said) = consigne(&["pepper", "keys", "--version", "99"]).await;
    assert!(!well && said.contains("Pepper 99 is not live"), "{said}");
    let (well, said) = consigne(&["pepper", "retire", &version.to_string()]).await;
    assert!(!well, "the current pepper was retired: {said}");
    let new = fixture.issue("production", &json!({})).await;
    for key in [&new, &unused] {
        move_by_use(key).await;
    }
    let (well, said) = consigne(&["pepper", "retire", &before]).await;
    assert!(well, "{said}");
    for key in [&new, &old, &unused] {
        assert_eq!(fixture.charge(key, None).await["valid"], true);
    }
}

/// Returns the newest version in the status: the last line that begins with a number.
fn newest(status: &str) -> u32 {
    let versions = status.lines().filter_map(|line| line.split_whitespace().next()?.parse().ok());
    versions.max().unwrap_or_else(|| panic!("no version in: {status}"))
}
