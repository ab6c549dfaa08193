//! `consigne restore`: lets a new stack adopt a restored table and a bucket, and gives it the secrets of the lost one.

mod adopt;
mod bucket;
mod files;
mod owners;
mod parameters;
mod secrets;
mod slice;
mod table;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Mutex;

use clap::{Args, Subcommand};
use consigne_core::Timestamp;
use consigne_runtime::clock;
use serde_json::{Value, json};

use crate::aws::Aws;
use crate::complain;
use crate::doctor::facts::StackFacts;
use crate::grid::Grid;
use crate::operator::{Operator, work};
use crate::report::{Outcome, Report};
use crate::stack_env::Which;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show every step, what it would do, and which are done. Changes nothing.
    #[command(after_help = "\
Example:
  consigne --stack consigne-2 --region eu-west-3 restore plan --table t2 --bucket b2 --secrets-of consigne --origins https://app.acme.dev

docs/operate/restore.md has the whole way, from stopping the lost stack to leading callers to the new one.")]
    Plan(Options),
    /// Do the steps that are not done yet, one after the other. Run it again after a failure.
    Run(Options),
    /// Check that every step is done. It exits with 1 if one is not.
    Check(Options),
}

#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Name of the new stack. Without it, that of --stack.
    #[arg(long, value_name = "NAME")]
    into: Option<String>,
    /// Name of the restored table. With --from-table it is created under this name.
    #[arg(long, value_name = "TABLE")]
    table: String,
    /// Restore --table from this one first, by its point-in-time recovery.
    #[arg(long, value_name = "TABLE")]
    from_table: Option<String>,
    /// The second to which --from-table is restored, such as 2026-11-28T10:00:00Z. Without it, the latest.
    #[arg(long, value_name = "TIME", requires = "from_table")]
    at: Option<String>,
    /// Name of the bucket with the files.
    #[arg(long, value_name = "BUCKET")]
    bucket: String,
    /// Name of the lost stack, or its ARN if it was deleted, whose secrets the new one gets.
    #[arg(long, value_name = "STACK")]
    secrets_of: Option<String>,
    /// A secret of the lost stack, as `Peppers=arn:...`, where --secrets-of does not find it. May be repeated.
    #[arg(long, value_name = "NAME=ARN")]
    secret: Vec<String>,
    /// Origins of the applications, separated by commas: the parameter `AuthorizedParties`.
    #[arg(long, value_name = "ORIGINS")]
    origins: String,
    /// Days after which files are archived: the parameter `ArchiveAfterDays`.
    #[arg(long, value_name = "DAYS", default_value_t = 90)]
    archive_after: u32,
    /// Leave the table unprotected against deletion, for a rehearsal.
    #[arg(long)]
    unprotected: bool,
    /// Copy the values of secrets also if functions use the new ones already.
    #[arg(long)]
    overwrite_secrets: bool,
    /// The stack's template.
    #[arg(long, value_name = "FILE", default_value = "template.yaml")]
    template: PathBuf,
}

/// What the steps work with.
#[derive(Debug)]
struct Restore {
    aws: Aws,
    /// Name of the new stack.
    stack: String,
    table: String,
    from_table: Option<String>,
    at: Option<Timestamp>,
    bucket: String,
    /// Secrets of the lost stack, by their names in the template.
    secrets: Vec<(String, String)>,
    origins: Vec<String>,
    archive_after: u32,
    protected: bool,
    /// Whether secrets that functions use already may be replaced.
    overwrites: bool,
    /// The text of template.yaml.
    template: String,
    /// Parameters of the lost stack that are not the template's defaults.
    parameters: Vec<(String, String)>,
    /// What the last look at the files missed.
    lost: Mutex<files::Lost>,
}

/// Where a step stands.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Standing {
    /// Nothing is left to do.
    Done(String),
    /// What the step would do.
    ToDo(String),
    /// An earlier step must be done first.
    Waits(&'static str),
    /// A person must do something first.
    Blocked(String),
}

/// The steps, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Owners,
    Table,
    Stream,
    Expiry,
    Backups,
    Protection,
    Encryption,
    Bucket,
    Files,
    Adopt,
    Secrets,
    Values,
}

impl Step {
    const ALL: [Self; 12] = [
        Self::Owners,
        Self::Table,
        Self::Stream,
        Self::Expiry,
        Self::Backups,
        Self::Protection,
        Self::Encryption,
        Self::Bucket,
        Self::Files,
        Self::Adopt,
        Self::Secrets,
        Self::Values,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Owners => "owners",
            Self::Table => "table",
            Self::Stream => "stream",
            Self::Expiry => "expiry",
            Self::Backups => "backups",
            Self::Protection => "protection",
            Self::Encryption => "encryption",
            Self::Bucket => "bucket",
            Self::Files => "files",
            Self::Adopt => "adoption",
            Self::Secrets => "secrets",
            Self::Values => "values",
        }
    }

    async fn look(self, restore: &Restore) -> Result<Standing, String> {
        match self {
            Self::Owners => owners::look(restore).await,
            Self::Table => table::look(restore).await,
            Self::Stream | Self::Protection | Self::Encryption => table::setting(restore, self).await,
            Self::Expiry => table::expiry(restore).await,
            Self::Backups => table::backups(restore).await,
            Self::Bucket => bucket::look(restore).await,
            Self::Files => files::look(restore).await,
            Self::Adopt => adopt::look(restore).await,
            Self::Secrets => adopt::look_secrets(restore).await,
            Self::Values => secrets::look(restore).await,
        }
    }

    async fn act(self, restore: &Restore) -> Result<(), String> {
        match self {
            // It never has anything to do: a person must.
            Self::Owners => Ok(()),
            Self::Table => table::restore(restore).await,
            Self::Stream | Self::Protection | Self::Encryption => table::set(restore, self).await,
            Self::Expiry => table::set_expiry(restore).await,
            Self::Backups => table::set_backups(restore).await,
            Self::Bucket => bucket::set(restore).await,
            Self::Files => files::relink(restore).await,
            Self::Adopt => adopt::import(restore).await,
            Self::Secrets => adopt::add_secrets(restore).await,
            Self::Values => secrets::copy(restore).await,
        }
    }
}

pub(crate) fn run(which: &Which, command: &Command) -> Outcome {
    let (Command::Plan(options) | Command::Run(options) | Command::Check(options)) = command;
    let operator = Operator::of_account(which)?;
    let stack = options.into.clone().or_else(|| which.stack().map(str::to_owned));
    let stack = stack.ok_or("Name the new stack: --into NAME, or --stack NAME --region REGION on AWS.")?;
    let aws = operator.aws();
    let restore = work(async { Restore::new(aws, stack, options).await })?;
    match command {
        Command::Plan(_) => {
            let standing = work(async { restore.look_at_all().await })?;
            Ok(report(&restore, &standing, &restore.parameters))
        }
        Command::Check(_) => {
            let standing = work(async { restore.look_at_all().await })?;
            let done = standing.iter().all(|(_, one)| matches!(one, Standing::Done(_)));
            let report = report(&restore, &standing, &[]);
            Ok(if done { report } else { report.failed() })
        }
        Command::Run(_) => {
            operator
                .confirm(which, &format!("Adopt {} and {} into {}", restore.table, restore.bucket, restore.stack))?;
            work(async { restore.run().await })
        }
    }
}

impl Restore {
    async fn new(aws: Aws, stack: String, options: &Options) -> Result<Self, String> {
        let path = &options.template;
        let template = std::fs::read_to_string(path)
            .map_err(|error| format!("{} cannot be read: {error}. Run it in the checkout.", path.display()))?;
        let at = options.at.as_deref().map(|text| {
            Timestamp::parse(text).ok_or_else(|| format!("--at {text} must be a time such as 2026-11-28T10:00:00Z."))
        });
        let lost = match &options.secrets_of {
            Some(stack) => Some(StackFacts::read(&aws, stack).await?),
            None => None,
        };
        let secrets = secrets::sources(&aws, lost.as_ref(), &options.secret, &template).await?;
        let parameters = lost.map(|lost| parameters::differing(&template, |name| lost.parameter(name)));
        Ok(Self {
            aws,
            stack,
            table: options.table.clone(),
            from_table: options.from_table.clone(),
            at: at.transpose()?,
            bucket: options.bucket.clone(),
            secrets,
            origins: options
                .origins
                .split(',')
                .map(|one| one.trim().to_owned())
                .filter(|one| !one.is_empty())
                .collect(),
            archive_after: options.archive_after,
            protected: !options.unprotected,
            overwrites: options.overwrite_secrets,
            template,
            parameters: parameters.unwrap_or_default(),
            lost: Mutex::default(),
        })
    }

    async fn look_at_all(&self) -> Result<Vec<(Step, Standing)>, String> {
        let mut found: Vec<(Step, Standing)> = Vec::new();
        let no_table =
            |(step, standing): &(Step, Standing)| *step == Step::Table && !matches!(standing, Standing::Done(_));
        for step in Step::ALL {
            let standing = if found.iter().any(no_table) && step != Step::Bucket {
                Standing::Waits("table")
            } else {
                step.look(self).await?
            };
            found.push((step, standing));
        }
        Ok(found)
    }

    /// Does what is left to do. A step that is done is left alone, so the command may be run again at any time.
    async fn run(&self) -> Outcome {
        let began = clock::now();
        let mut done = Vec::new();
        for step in Step::ALL {
            let name = step.name();
            match step.look(self).await? {
                Standing::Done(text) => complain(&format!("{name}: {text}.")),
                Standing::Waits(earlier) => return Err(format!("{name}: waits for {earlier}. Run it again.")),
                Standing::Blocked(why) => return Err(format!("{name}: {why}")),
                Standing::ToDo(what) => {
                    complain(&format!("{name}: {what}..."));
                    step.act(self).await.map_err(|why| format!("{name}: {why}\nRun it again once that is mended."))?;
                    match step.look(self).await? {
                        Standing::Done(_) => done.push(name),
                        Standing::ToDo(left) => return Err(format!("{name}: still to do: {left}. Run it again.")),
                        Standing::Waits(earlier) => return Err(format!("{name}: waits for {earlier}. Run it again.")),
                        Standing::Blocked(why) => return Err(format!("{name}: {why}")),
                    }
                }
            }
        }
        let took = clock::now().since(began).as_secs();
        let text = format!("Every step is done, in {took} s.\n{}", next(self));
        Ok(Report::done(text, json!({ "stack": self.stack, "did": done, "seconds": took, "lost": files::lost(self) })))
    }
}

/// Says what comes after the steps.
fn next(restore: &Restore) -> String {
    let stack = &restore.stack;
    format!(
        "Next: set stack_name = \"{stack}\" in infra/samconfig.toml and `make deploy`, then `consigne --stack {stack} --region {} \
         doctor`. docs/operate/restore.md says what to change outside.",
        restore.aws.region()
    )
}

/// Shows all steps, and parameters of the lost stack that a person must carry over.
fn report(restore: &Restore, standing: &[(Step, Standing)], parameters: &[(String, String)]) -> Report {
    let mut grid = Grid::new(&["step", "state", "what"]);
    for (step, one) in standing {
        let (state, what) = one.words();
        grid.row([step.name().to_owned(), state.to_owned(), what]);
    }
    let done = standing.iter().all(|(_, one)| matches!(one, Standing::Done(_)));
    let last = if done { next(restore) } else { "`consigne restore run` does what is left.".to_owned() };
    let document = |(step, one): &(Step, Standing)| {
        let (state, what) = one.words();
        json!({ "step": step.name(), "state": state, "what": what })
    };
    let steps: Vec<Value> = standing.iter().map(document).collect();
    let mut json = json!({ "stack": restore.stack, "done": done, "steps": steps, "lost": files::lost(restore) });
    let mut text = format!("{}\n{last}", grid.render());
    if !parameters.is_empty() {
        text.push_str("\nParameters of the lost stack that are not the template's defaults. Deploy the new stack with those it still needs:");
        for (name, value) in parameters {
            let _ = write!(text, "\n  {name}={value}");
        }
        json["parameters"] = parameters.iter().cloned().collect();
    }
    Report::new(text, json)
}

impl Standing {
    fn words(&self) -> (&'static str, String) {
        match self {
            Self::Done(what) => ("done", what.clone()),
            Self::ToDo(what) => ("to do", what.clone()),
            Self::Waits(earlier) => ("waits", format!("for {earlier}")),
            Self::Blocked(why) => ("BLOCKED", why.clone()),
        }
    }
}
