//! The bench's own stack, built with the profile that is deployed. Its functions reach AWS through the proxy.

use std::process::Command;

use consigne_testkit::http::Client;
use consigne_testkit::payload;
use consigne_testkit::stack::Stack;

use crate::proxy::Proxy;
use crate::{Problem, say};

/// Folder of the stack, below the checkout and apart from the one of `make up`.
const HOME: &str = "target/bench-stack";

/// The stack, and the proxy in front of AWS.
pub(crate) struct BenchStack {
    /// The stack of the test kit.
    pub(crate) stack: &'static Stack,
    /// The proxy, whose counts are measured.
    pub(crate) proxy: Proxy,
    binaries: &'static str,
}

/// Starts the stack with the functions' binaries in a directory below the checkout.
pub(crate) async fn up(binaries: &'static str) -> Result<BenchStack, Problem> {
    say("Starting a stack of its own behind a counting proxy...");
    let proxy = Proxy::start().await?;
    command("down", &proxy, binaries)?;
    command("up", &proxy, binaries)?;
    let port = std::fs::read_to_string(payload::root().join(HOME).join("port")).map_err(|error| error.to_string())?;
    proxy.forward_to(&format!("http://127.0.0.1:{}", port.trim()));
    let mut stack = Stack::of_file(&format!("{HOME}/stack.env"));
    // The time in which tests compare an answer with openapi.json is not measured.
    stack.client = Client::default();
    Ok(BenchStack { stack: Box::leak(Box::new(stack)), proxy, binaries })
}

impl BenchStack {
    /// Stops the stack. Prints a problem instead of returning it.
    pub(crate) fn down(&self) {
        if let Err(problem) = command("down", &self.proxy, self.binaries) {
            say(&problem);
        }
    }
}

fn command(verb: &str, proxy: &Proxy, binaries: &str) -> Result<(), Problem> {
    let root = payload::root();
    let output = Command::new(root.join(".venv/bin/python"))
        .arg(root.join("infra/local/stack.py"))
        .args([verb, "--home", HOME, "--binaries", binaries])
        .env("CONSIGNE_FUNCTION_ENDPOINT", format!("http://{}", proxy.address))
        .current_dir(&root)
        .output()
        .map_err(|error| format!("the stack cannot be started: {error}"))?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}
