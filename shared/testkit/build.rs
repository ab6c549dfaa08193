//! Lists the functions: every folder of `functions/` is a crate of that name, with a type `Function`.

use std::path::Path;

fn main() -> std::io::Result<()> {
    let folder = Path::new("../../functions");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut crates = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            crates.push(entry.file_name().to_string_lossy().replace('-', "_"));
        }
    }
    crates.sort();
    let entries: Vec<String> = crates.iter().map(|name| format!("    entry({name}::Function::wire),\n")).collect();
    // Cargo's own variable, not a setting.
    #[allow(clippy::disallowed_methods)]
    let out = std::env::var("OUT_DIR").map_err(std::io::Error::other)?;
    std::fs::write(Path::new(&out).join("functions.rs"), format!("vec![\n{}]\n", entries.concat()))
}
