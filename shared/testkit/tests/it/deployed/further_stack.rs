//! Another stack on the laptop's server, for tests that need other settings or would disturb the other tests.

use std::io::Write as _;
use std::process::{Command, Stdio};

use consigne_testkit::payload::{built, root};
use consigne_testkit::stack::Stack;

/// A stack for one test.
#[derive(Clone, Copy, Debug)]
pub struct FurtherStack {
    /// Its name.
    pub name: &'static str,
    /// Its environment file, relative to the root of the checkout.
    pub env_file: &'static str,
}

impl FurtherStack {
    /// Deploys it, with parameters `Name=value`.
    pub fn deploy(&self, parameters: &[String]) -> Stack {
        self.deploy_with("0", parameters)
    }

    /// Deploys it behind the stand-in for a CDN.
    pub fn deploy_behind_a_cdn(&self) -> Stack {
        self.deploy_with("1", &[])
    }

    fn deploy_with(&self, edge: &str, parameters: &[String]) -> Stack {
        let mut deploy = Command::new(root().join(".venv/bin/python"));
        deploy.env("EDGE", edge);
        deploy.arg(root().join("infra/local/stack.py")).args(["deploy", "--stack", self.name, "--env-file"]);
        deploy.arg(root().join(self.env_file));
        for parameter in parameters {
            deploy.args(["--parameter", parameter]);
        }
        let output = deploy.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Stack::of_file(self.env_file)
    }

    /// Runs the operator's command line on it with `input` on standard input. Returns whether it succeeded, and its
    /// output.
    pub async fn consigne(&self, arguments: &[&str], input: &str) -> (bool, String) {
        let (code, said) = self.consigne_code(arguments, input).await;
        (code == Some(0), said)
    }

    /// Runs `consigne` against the stack. Returns its exit code, and what it prints.
    pub async fn consigne_code(&self, arguments: &[&str], input: &str) -> (Option<i32>, String) {
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let (input, env_file) = (input.to_owned(), root().join(self.env_file));
        let run = move || {
            let mut command = Command::new(built("consigne"));
            command.args(arguments).arg("--env-file").arg(env_file);
            // An account of the shell's own has no effect, but the command would say so.
            for name in ["AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID"] {
                command.env_remove(name);
            }
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut child = command.spawn().unwrap();
            // A command that does not read its input may have ended already.
            drop(child.stdin.take().map(|mut stdin| stdin.write_all(input.as_bytes())));
            child.wait_with_output().unwrap()
        };
        let output = tokio::task::spawn_blocking(run).await.unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        let acted_on = format!("Acting on the laptop's stack {} at ", self.name);
        let lines = said.split_inclusive('\n').filter(|line| !line.starts_with(&acted_on));
        (output.status.code(), lines.collect())
    }
}
