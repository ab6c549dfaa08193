//! Sizes of the bootstraps, and the version of the C library they need.

use std::path::Path;

use consigne_testkit::functions::function;

use crate::Problem;
use crate::table::{Row, Table, counted};

/// Largest bootstrap by its number of AWS clients, in megabytes.
fn most(clients: usize) -> f64 {
    match clients {
        0 => 3.5,
        1 => 6.5,
        _ => 9.0,
    }
}

/// Adds a row with the size of every bootstrap, and one with the newest glibc version.
// Sizes are far below 2^52.
#[allow(clippy::cast_precision_loss)]
pub(crate) fn measure(binaries: &Path, names: &[String], table: &mut Table) -> Result<(), Problem> {
    let mut newest = 0;
    for name in names.iter().map(String::as_str).chain(["hello"]) {
        let bytes = std::fs::read(binaries.join(name)).map_err(|error| format!("{name}: {error}"))?;
        newest = newest.max(newest_glibc(&bytes));
        let row = Row::new("Stripped bootstrap, release", name, bytes.len() as f64 / 1e6, "MB").of_this_build();
        if name == "hello" {
            table.push(row);
        } else {
            let clients = function(name).clients();
            table.push(row.at_most(most(clients)).with_note(counted(clients, "client")));
        }
    }
    let row = Row::new("Stripped bootstrap, release", "newest glibc asked for, 2.x", f64::from(newest), "");
    table.push(row.at_most(34.0).with_note("Amazon Linux 2023 has 2.34"));
    Ok(())
}

/// Finds the newest symbol version `GLIBC_2.x` in a binary.
fn newest_glibc(bytes: &[u8]) -> u32 {
    let needle = b"GLIBC_2.";
    let versions = bytes.windows(needle.len() + 3).filter(|window| window.starts_with(needle)).filter_map(|window| {
        let digits: Vec<u8> = window[needle.len()..].iter().copied().take_while(u8::is_ascii_digit).collect();
        String::from_utf8(digits).ok()?.parse().ok()
    });
    versions.max().unwrap_or(0)
}
