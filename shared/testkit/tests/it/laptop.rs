//! The laptop stack's own commands.

use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Output};

use consigne_testkit::payload::root;
use consigne_testkit::stack::Stack;

/// Makes a home whose server is long gone, with the files it has left behind.
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
fn a_stale_process_id_harms_nobody() {
    // A stranger, who has the number that the file remembers.
    let mut stranger = Command::new("sleep").arg("60").process_group(0).spawn().unwrap();
    let home = stale_home("stale-pid", "1", stranger.id());
    let down = stack("down", &home);
    let alive = stranger.try_wait().unwrap().is_none();
    stranger.kill().unwrap();
    stranger.wait().unwrap();
    assert!(down.status.success(), "{}", String::from_utf8_lossy(&down.stderr));
    assert!(alive, "the stranger was ended");
    assert!(!home.join("pid").exists(), "the stale file is still there");
}

#[test]
fn a_server_of_somebody_else_on_a_port_of_ours_is_not_ours() {
    let found = Stack::find();
    let port = found.name("AWS_ENDPOINT_URL").rsplit(':').next().unwrap();
    let home = stale_home("stale-port", port, std::process::id());
    let status = stack("status", &home);
    assert_eq!(status.status.code(), Some(1), "{}", String::from_utf8_lossy(&status.stdout));
}
