//! The laptop stack's own commands.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use consigne_testkit::payload::root;

#[test]
fn a_stale_process_id_harms_nobody() {
    let home = root().join("target/tmp/stale");
    std::fs::create_dir_all(&home).unwrap();
    // A stranger, who has the number that the file remembers.
    let mut stranger = Command::new("sleep").arg("60").process_group(0).spawn().unwrap();
    std::fs::write(home.join("pid"), stranger.id().to_string()).unwrap();
    let down = Command::new(root().join(".venv/bin/python"))
        .arg(root().join("infra/local/stack.py"))
        .args(["down", "--home", "target/tmp/stale"])
        .output()
        .unwrap();
    let alive = stranger.try_wait().unwrap().is_none();
    stranger.kill().unwrap();
    stranger.wait().unwrap();
    assert!(down.status.success(), "{}", String::from_utf8_lossy(&down.stderr));
    assert!(alive, "the stranger was ended");
    assert!(!home.join("pid").exists(), "the stale file is still there");
}
