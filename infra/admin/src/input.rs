//! What is told on standard input: secrets.

use zeroize::Zeroizing;

/// Reads one line of standard input, so that a secret stands in no list of processes and no shell's memory. It is wiped when
/// it is no longer needed.
pub(crate) fn given() -> Result<Zeroizing<String>, String> {
    let mut line = Zeroizing::new(String::new());
    let read = std::io::stdin().read_line(&mut line);
    read.map_err(|error| format!("Standard input cannot be read: {error}"))?;
    Ok(line)
}
