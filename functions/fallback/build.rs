//! Takes the routes out of template.yaml, so that `Allow` never lags behind it.
//!
//! Read line by line: every route there is written `{ ..., Method: GET, Path: "/api/..." }`, which a test checks against
//! a full reading of the template.

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
    // Cargo's own variable, not a setting.
    #[allow(clippy::disallowed_methods)]
    let out = std::env::var("OUT_DIR").map_err(std::io::Error::other)?;
    std::fs::write(Path::new(&out).join("routes.rs"), source)
}
