//! Names of the stack: from the environment, else from the file `make up` writes.

use std::collections::HashMap;
use std::path::PathBuf;

use consigne_runtime::settings::Environment;

/// Where `make up` writes what tools need to know, below the checkout.
const FILE: &str = "target/local/stack.env";

/// What is known of the stack.
#[derive(Debug)]
pub(crate) struct StackEnv {
    process: Environment,
    file: HashMap<String, String>,
}

impl StackEnv {
    /// Reads the file, from this folder or one above it; a variable of the environment wins over it.
    pub(crate) fn read() -> Self {
        let mut file = HashMap::new();
        if let Some(text) = find().and_then(|path| std::fs::read_to_string(path).ok()) {
            let pairs = text.lines().filter_map(|line| line.split_once('='));
            file.extend(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
        }
        Self { process: Environment::process(), file }
    }

    /// Gives one value.
    pub(crate) fn get(&self, name: &str) -> Result<String, String> {
        self.process
            .variable(name)
            .or_else(|| self.file.get(name).cloned())
            .ok_or_else(|| format!("{name} is not set, and {FILE} does not name it. `make up` writes that file."))
    }

    /// Gives everything as an environment for clients.
    pub(crate) fn environment(&self, names: &[&str]) -> Result<Environment, String> {
        let pairs = names.iter().map(|name| Ok(((*name).to_owned(), self.get(name)?)));
        Ok(Environment::fixed(pairs.collect::<Result<Vec<_>, String>>()?))
    }
}

fn find() -> Option<PathBuf> {
    let here = std::env::current_dir().ok()?;
    here.ancestors().map(|folder| folder.join(FILE)).find(|path| path.is_file())
}
