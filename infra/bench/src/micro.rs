//! The parts of a request, each alone in a loop: signing a ticket, verifying a token, checking a key.

use std::process::Stdio;

use tokio::process::Command;

use crate::instructions::{CALLGRIND, can_count, collected, per_request};
use crate::scene::{self, Scene};
use crate::table::{Row, Table};
use crate::{Problem, say, stub};

/// Group of the times.
pub(crate) const TIMES: &str = "What a request is made of, alone: time";
/// Group of the counts.
pub(crate) const COUNTS: &str = "What a request is made of, alone: instructions, counted by callgrind";
/// Name in the program `micro`, and in words.
const WORKS: [(&str, &str); 3] = [("ticket", TICKET), ("token", TOKEN), ("key", KEY)];
pub(crate) const TICKET: &str = "sign a ticket";
pub(crate) const TOKEN: &str = "verify a session token";
pub(crate) const KEY: &str = "check a key's checksum, make its MAC";
/// Repetitions under callgrind in the first run, and in the second.
const COUNTED: (u32, u32) = (20, 120);

/// Measures each part `times` times.
pub(crate) async fn measure(scene: &Scene, times: u32, table: &mut Table) -> Result<(), Problem> {
    say(&format!("Doing {} small things {times} times each...", WORKS.len()));
    for (what, name) in WORKS {
        let output = run(scene, &[], what, times).await?;
        let nanoseconds: f64 = output.0.trim().parse().map_err(|_| format!("micro {what} printed {}", output.0))?;
        table.push(Row::new(TIMES, name, nanoseconds / 1e3, "µs").of_this_machine());
    }
    if !can_count().await {
        say("Their instructions are left out: valgrind is not installed.");
        return Ok(());
    }
    for (what, name) in WORKS {
        let count = async |times| {
            let (_, told) = run(scene, &CALLGRIND, what, times).await?;
            collected(&told).ok_or_else(|| format!("callgrind printed no count of {what}: {told}"))
        };
        let each = per_request(count(COUNTED.0).await?, count(COUNTED.1).await?, COUNTED.1 - COUNTED.0);
        table.push(Row::new(COUNTS, name, each, "thousand").of_this_build().exact());
    }
    Ok(())
}

/// Runs the loop. Returns its standard output and its standard error.
async fn run(scene: &Scene, wrapper: &[&str], what: &str, times: u32) -> Result<(String, String), Problem> {
    let mut words = wrapper.iter().map(|word| (*word).to_owned()).chain(scene.command("micro"));
    let issuer = &scene.issuer;
    let output = Command::new(words.next().unwrap_or_default())
        .args(words)
        .args([what, &times.to_string()])
        .env("OBJECT_KEY", stub::KEY)
        .env("PEM", &issuer.public_pem)
        .env("ISSUER", &issuer.iss)
        .env("PARTY", &issuer.azp)
        .env("TOKEN", scene.session_token())
        .env("PEPPERS", stub::PEPPERS)
        .env("API_KEY", scene::a_key().expose())
        .stdin(Stdio::null())
        .output()
        .await
        .map_err(|error| format!("micro {what}: {error}"))?;
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        return Err(format!("micro {what} failed: {told}"));
    }
    Ok((String::from_utf8_lossy(&output.stdout).into_owned(), told))
}
