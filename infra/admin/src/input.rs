//! Reads secrets from standard input.

use zeroize::Zeroizing;

/// Reads one line of standard input, so that a secret appears in no process list and no shell history. It is wiped from
/// memory when it is dropped.
///
/// # Errors
/// If standard input cannot be read.
pub(crate) fn given() -> Result<Zeroizing<String>, String> {
    let mut line = Zeroizing::new(String::new());
    let read = std::io::stdin().read_line(&mut line);
    read.map_err(|error| format!("Standard input cannot be read: {error}"))?;
    Ok(line)
}
