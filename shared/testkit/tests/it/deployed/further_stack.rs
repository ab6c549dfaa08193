//! A further stack beside the first, for tests whose settings or doings would disturb the others.

use std::io::Write as _;
use std::process::{Command, Stdio};

use consigne_testkit::payload::{built, root};
use consigne_testkit::stack::Stack;

/// A stack of a test's own.
#[derive(Clone, Copy, Debug)]
pub struct FurtherStack {
    /// Its name.
    pub name: &'static str,
    /// Where its names are written, below the checkout.
    pub env_file: &'static str,
}

impl FurtherStack {
    /// Deploys it, with parameters of the test's own: `Name=value`.
    pub fn deploy(&self, parameters: &[String]) -> Stack {
        let mut deploy = Command::new(root().join(".venv/bin/python"));
        deploy.arg(root().join("infra/local/stack.py")).args(["deploy", "--stack", self.name, "--env-file"]);
        deploy.arg(root().join(self.env_file));
        for parameter in parameters {
            deploy.args(["--parameter", parameter]);
        }
        let output = deploy.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Stack::of_file(self.env_file)
    }

    /// Runs the operator's command line on it, with something on its standard input; gives whether it went well and what it
    /// said.
    pub async fn consigne(&self, arguments: &[&str], input: &str) -> (bool, String) {
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let (input, env_file) = (input.to_owned(), root().join(self.env_file));
        let run = move || {
            let mut command = Command::new(built("consigne"));
            command.args(arguments).arg("--env-file").arg(env_file);
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut child = command.spawn().unwrap();
            // A command that reads nothing may have ended by now.
            drop(child.stdin.take().map(|mut stdin| stdin.write_all(input.as_bytes())));
            child.wait_with_output().unwrap()
        };
        let output = tokio::task::spawn_blocking(run).await.unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        let acted_on = format!("Acting on the laptop's stack {} at ", self.name);
        let lines = said.split_inclusive('\n').filter(|line| !line.starts_with(&acted_on));
        (output.status.success(), lines.collect())
    }
}
