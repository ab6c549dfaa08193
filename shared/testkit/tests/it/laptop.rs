//! The commands of the laptop's stack.

use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Output};

use consigne_testkit::payload::root;
use consigne_testkit::stack::Stack;

/// Creates the home folder of a server that no longer runs, with the files that it left behind.
fn stale_home(name: &str, port: &str, pid: u32) -> PathBuf {
    let home = root().join("target/tmp").join(name);
    std::fs::create_dir_all(&home).unwrap();
    std::fs::write(home.join("port"), port).unwrap();
    std::fs::write(home.join("pid"), pid.to_string()).unwrap();
    home
}

fn stack(command: &str, home: &PathBuf) -> Output {
    let mut stack = Command::new(root().join(".venv/bin/python"));
    stack.arg(root().join("infra/local/stack.py")).arg(command).arg("--home").arg(home);
    stack.output().unwrap()
}

#[test]
fn a_process_with_a_stale_process_id_is_not_killed() {
    // Another process, which now has the id in the file.
    let mut other = Command::new("sleep").arg("60").process_group(0).spawn().unwrap();
    let home = stale_home("stale-pid", "1", other.id());
    let down = stack("down", &home);
    let alive = other.try_wait().unwrap().is_none();
    other.kill().unwrap();
    other.wait().unwrap();
    assert!(down.status.success(), "{}", String::from_utf8_lossy(&down.stderr));
    assert!(alive, "the other process was killed");
    assert!(!home.join("pid").exists(), "the stale file is still there");
}

#[test]
fn another_server_on_our_port_does_not_count_as_ours() {
    let found = Stack::find();
    let port = found.name("AWS_ENDPOINT_URL").rsplit(':').next().unwrap();
    let home = stale_home("stale-port", port, std::process::id());
    let status = stack("status", &home);
    assert_eq!(status.status.code(), Some(1), "{}", String::from_utf8_lossy(&status.stdout));
}
