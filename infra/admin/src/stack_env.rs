//! Names of the stack: from the environment, else from the file `make up` writes.

use std::collections::HashMap;
use std::path::PathBuf;

use consigne_core::text;
use consigne_runtime::settings::Environment;

/// Where `make up` writes what tools need to know, below the checkout.
const FILE: &str = "target/local/stack.env";
/// Most characters of an operator's name.
const OPERATOR_MAX: usize = 64;

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

    /// Gives these names, and what AWS clients need, as an environment for clients.
    pub(crate) fn environment(&self, names: &[&str]) -> Result<Environment, String> {
        let needed = ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"].iter().chain(names);
        let pairs = needed.map(|name| Ok(((*name).to_owned(), self.get(name)?)));
        let mut pairs = pairs.collect::<Result<Vec<_>, String>>()?;
        let mut add = |name: &str, value: Option<String>| pairs.extend(value.map(|value| (name.to_owned(), value)));
        add("AWS_SESSION_TOKEN", self.process.variable("AWS_SESSION_TOKEN"));
        // The file's address goes with the file's credentials: somebody's own are for AWS, unless they say otherwise.
        let own = self.process.variable("AWS_ACCESS_KEY_ID").is_some();
        let of_file = self.file.get("AWS_ENDPOINT_URL").filter(|_| !own).cloned();
        add("AWS_ENDPOINT_URL", self.process.variable("AWS_ENDPOINT_URL").or(of_file));
        Ok(Environment::fixed(pairs))
    }

    /// Gives the name the person at the keyboard goes by on this machine, for the audit trail.
    pub(crate) fn operator(&self) -> String {
        let name = self.process.variable("USER").or_else(|| self.process.variable("LOGNAME"));
        let name = name.and_then(|name| text::label("USER", &name, OPERATOR_MAX).ok());
        name.unwrap_or_else(|| "operator".to_owned())
    }
}

fn find() -> Option<PathBuf> {
    let here = std::env::current_dir().ok()?;
    here.ancestors().map(|folder| folder.join(FILE)).find(|path| path.is_file())
}
