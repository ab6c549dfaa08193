//! Generates the list of routes from template.yaml, so that `Allow` always agrees with the template.
//!
//! It reads the template line by line, because every route there has the form
//! `{ ..., Method: GET, Path: "/api/..." }`. A test compares the result with the parsed template.

use std::fmt::Write as _;
use std::path::Path;

fn main() -> std::io::Result<()> {
    let template = Path::new("../../template.yaml");
    println!("cargo::rerun-if-changed={}", template.display());
    let mut source = String::from("/// Method and path of every route.\npub static ROUTES: &[(&str, &str)] = &[\n");
    for line in std::fs::read_to_string(template)?.lines() {
        let after = |name: &str| line.split_once(name).map(|(_, rest)| rest);
        let method = after("Method: ").and_then(|rest| rest.split(',').next());
        let path = after("Path: \"").and_then(|rest| rest.split('"').next());
        if let (Some(method), Some(path)) = (method, path) {
            let _ = writeln!(source, "    (\"{method}\", \"{path}\"),");
        }
    }
    source.push_str("];\n");
    // OUT_DIR is set by Cargo; it is not a setting of the function.
    #[allow(clippy::disallowed_methods)]
    let out = std::env::var("OUT_DIR").map_err(std::io::Error::other)?;
    std::fs::write(Path::new(&out).join("routes.rs"), source)
}
