//! `consigne webhook-secret`: manages the secrets with which senders sign their webhooks.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use clap::{Subcommand, ValueEnum};
use consigne_auth::{StripeSecret, StripeSecrets, WebhookSecret, WebhookSecretError, WebhookSecrets};
use consigne_runtime::settings::{CLERK_SECRETS_ARN, GENERATOR_SECRETS_ARN, STRIPE_SECRETS_ARN, Setting};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::grid::Grid;
use crate::input::given;
use crate::operator::{Operator, work};
use crate::report::{Outcome, Report};
use crate::secret::random;
use crate::stack_env::Which;

/// Prefix of secrets, by which people and secret scanners recognise them.
const PREFIX: &str = "whsec_";
/// Characters of the mark that identifies a secret.
const MARK: usize = 8;
/// When a new secret works in execution environments that have read the secret before.
const LEARNT: &str = "Running environments read it at the first webhook it signs, at most once a minute.";

/// A sender of webhooks.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Sender {
    /// Generators of pictures, videos and texts. Their secret is created here.
    Generator,
    /// Clerk, about people. Clerk creates the secret itself and shows it at the endpoint, under "Signing Secret".
    Clerk,
    /// Stripe, about payments. Stripe creates the secret itself and shows it at the endpoint, under "Signing secret".
    Stripe,
}

impl Sender {
    /// Every sender.
    const ALL: [Self; 3] = [Self::Generator, Self::Clerk, Self::Stripe];

    const fn name(self) -> &'static str {
        match self {
            Self::Generator => "generator",
            Self::Clerk => "clerk",
            Self::Stripe => "stripe",
        }
    }

    fn setting(self) -> &'static Setting {
        match self {
            Self::Generator => &GENERATOR_SECRETS_ARN,
            Self::Clerk => &CLERK_SECRETS_ARN,
            Self::Stripe => &STRIPE_SECRETS_ARN,
        }
    }

    /// Returns whether a text can be a secret of this sender, by the rules of the functions that read it.
    fn could_sign_by(self, secret: &str) -> bool {
        match self {
            Self::Generator | Self::Clerk => WebhookSecret::parse(secret).is_some(),
            Self::Stripe => StripeSecret::parse(secret).is_some(),
        }
    }

    /// Checks the secret's whole text.
    ///
    /// # Errors
    /// If the functions could not read it.
    fn check(self, text: &str) -> Result<(), WebhookSecretError> {
        match self {
            Self::Generator | Self::Clerk => WebhookSecrets::parse(text).map(drop),
            Self::Stripe => StripeSecrets::parse(text).map(drop),
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the accepted secrets of a sender, or of all, by their marks. Never shows a secret.
    #[command(after_help = "\
Examples:
  consigne webhook-secret status
  consigne webhook-secret status clerk --json")]
    Status {
        /// The sender that signs with them. Without it, all senders.
        sender: Option<Sender>,
    },
    /// Create a sender's next secret and print it, which is shown only once. The previous one is accepted until it is
    /// retired.
    Rotate {
        /// The sender that will sign with it.
        sender: Sender,
    },
    /// Read a secret that the sender has created itself from standard input. The previous one is accepted until it is
    /// retired.
    Set {
        /// The sender that signs with it.
        sender: Sender,
        /// Accept no other secret from now on: for a sender's first one, or to replace one that leaked.
        #[arg(long)]
        alone: bool,
    },
    /// Remove the previous secret.
    Retire {
        /// The sender that signed with it.
        sender: Sender,
        /// Remove the newer secret instead, which nobody has learned.
        #[arg(long)]
        newer: bool,
    },
}

pub(crate) fn run(which: &Which, command: &Command) -> Outcome {
    let (sender, change) = match command {
        Command::Status { sender: None } => return status(which, &Sender::ALL),
        Command::Status { sender: Some(sender) } => return status(which, &[*sender]),
        Command::Rotate { sender: sender @ (Sender::Clerk | Sender::Stripe) } => {
            let name = sender.name();
            return Err(format!(
                "{name} creates its secret itself: rotate it there, then `consigne webhook-secret set {name}`."
            ));
        }
        Command::Rotate { sender } => (*sender, "Create the next webhook secret of"),
        Command::Set { sender, alone: false } => (*sender, "Add a webhook secret of"),
        Command::Set { sender, alone: true } => (*sender, "Replace all webhook secrets of"),
        Command::Retire { sender, newer: false } => (*sender, "Remove the previous webhook secret of"),
        Command::Retire { sender, newer: true } => (*sender, "Remove the newer webhook secret of"),
    };
    let (name, setting) = (sender.name(), sender.setting());
    let secret = Operator::to_change(which, &[setting.name], &format!("{change} {name}"))?.secret(setting)?;
    work(async {
        let held = secret.read().await?;
        let mut live = Live::parse(&held.text, sender)?;
        let (text, shown) = match command {
            Command::Status { .. } => (live.status(), None),
            Command::Rotate { .. } => {
                let next = format!("{PREFIX}{}", random(&STANDARD)?);
                live.take(next.clone(), false, sender)?;
                let text = format!(
                    "The {name} has another secret, shown this once:\n{next}\n{LEARNT}\nGive it to the {name}, then take \
                     the one before away: `consigne webhook-secret retire {name}`."
                );
                (text, Some(next))
            }
            Command::Set { alone, .. } => {
                live.take(given()?.trim().to_owned(), *alone, sender)?;
                let rest = if *alone {
                    "Within five minutes, running environments accept no other."
                } else {
                    "The previous one is accepted until `retire` removes it."
                };
                let mark = mark(&live.current);
                (format!("Webhooks of {name} are accepted with the secret {mark}. {LEARNT}\n{rest}"), None)
            }
            Command::Retire { newer, .. } => {
                live.retire(*newer, sender)?;
                (format!("Retired: within five minutes, only {} is accepted of {name}.", mark(&live.current)), None)
            }
        };
        // Written before it is shown, because whoever has a secret can sign. If the command is killed in between,
        // nobody knows the new secret. `retire --newer` removes it.
        secret.replace(&held, live.render(sender)?).await?;
        let mut facts = live.document(sender);
        if let Some(shown) = shown {
            facts["secret"] = json!(shown);
        }
        Ok(Report::new(text, facts))
    })
}

/// Shows the accepted secrets of some senders. One whose secret cannot be used does not hide the others.
fn status(which: &Which, senders: &[Sender]) -> Outcome {
    let names: Vec<&str> = senders.iter().map(|sender| sender.setting().name).collect();
    let operator = Operator::of_stack(which, &names)?;
    let read = async |sender: Sender| Live::parse(&operator.secret(sender.setting())?.read().await?.text, sender);
    work(async {
        let mut found = Vec::new();
        for sender in senders {
            found.push((*sender, read(*sender).await));
        }
        match found.as_slice() {
            [(sender, live)] => {
                let live = live.as_ref().map_err(Clone::clone)?;
                Ok(Report::new(live.status(), json!({ "senders": [live.document(*sender)] })))
            }
            several => Ok(overview(several)),
        }
    })
}

/// Returns the report about several senders.
fn overview(found: &[(Sender, Result<Live, String>)]) -> Report {
    let (mut grid, mut documents, mut problems) =
        (Grid::new(&["sender", "current", "previous"]), Vec::new(), Vec::new());
    for (sender, live) in found {
        let name = sender.name();
        let marks = match live {
            Ok(live) => {
                documents.push(live.document(*sender));
                [mark(&live.current), live.previous.as_deref().map(mark).unwrap_or_default()]
            }
            Err(problem) => {
                documents.push(json!({ "sender": name, "problem": problem }));
                problems.push(format!("{name}: {problem}"));
                ["PROBLEM".to_owned(), String::new()]
            }
        };
        grid.row(std::iter::once(name.to_owned()).chain(marks));
    }
    let text = std::iter::once(grid.render()).chain(problems.iter().cloned()).collect::<Vec<_>>().join("\n");
    let report = Report::new(text, json!({ "senders": documents }));
    if problems.is_empty() { report } else { report.failed() }
}

/// Returns a mark that identifies a secret without revealing it.
fn mark(secret: &str) -> String {
    let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(secret.trim_start_matches(PREFIX)));
    hash.chars().take(MARK).collect()
}

/// The secret's text, parsed. It has no `Debug`, because it contains secrets.
#[derive(Deserialize, Serialize)]
struct Live {
    current: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<String>,
}

impl Live {
    /// Parses `{"current": "whsec_...", "previous": "whsec_..."}`, by the rules of the functions that read it too.
    ///
    /// # Errors
    /// If the functions could not use it.
    fn parse(text: &str, sender: Sender) -> Result<Self, String> {
        let unfit = |why: String| format!("The secret cannot be used: {why}. Its previous value is under AWSPREVIOUS.");
        sender.check(text).map_err(|error| unfit(error.to_string()))?;
        serde_json::from_str(text).map_err(|_| unfit("it is not a JSON object".to_owned()))
    }

    /// Encodes the secret's text.
    ///
    /// # Errors
    /// If the functions could not read it.
    fn render(&self, sender: Sender) -> Result<String, String> {
        let text = serde_json::to_string(self).map_err(|error| format!("Nothing was changed: {error}."))?;
        sender.check(&text).map_err(|error| format!("Nothing was changed: {error}."))?;
        Ok(text)
    }

    /// Returns the marks of the secrets for programs.
    fn document(&self, sender: Sender) -> Value {
        json!({ "sender": sender.name(), "current": mark(&self.current), "previous": self.previous.as_deref().map(mark) })
    }

    fn status(&self) -> String {
        let previous = self.previous.as_deref().map(|secret| {
            format!("\nprevious  {}   accepted until `retire`, while one replaces the other", mark(secret))
        });
        format!("current   {}{}", mark(&self.current), previous.unwrap_or_default())
    }

    fn take(&mut self, next: String, alone: bool, sender: Sender) -> Result<(), String> {
        if !sender.could_sign_by(&next) {
            return Err(
                "That is not a webhook secret: `whsec_` and what the sender shows behind it. Nothing was changed."
                    .to_owned(),
            );
        }
        if alone {
            *self = Self { current: next, previous: None };
            return Ok(());
        }
        if mark(&next) == mark(&self.current) {
            return Err("That secret is in use already; nothing was changed.".to_owned());
        }
        if self.previous.is_some() {
            let name = sender.name();
            return Err(format!(
                "{name} has two secrets already. `consigne webhook-secret retire {name}` takes the older one away, once \
                 nothing is signed with it."
            ));
        }
        self.previous = Some(std::mem::replace(&mut self.current, next));
        Ok(())
    }

    fn retire(&mut self, newer: bool, sender: Sender) -> Result<(), String> {
        let name = sender.name();
        let only = || format!("{name} has only one secret, and without it no webhook would be accepted.");
        let previous = self.previous.take().ok_or_else(only)?;
        if newer {
            self.current = previous;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const NEW: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDazfgQ8KS9rc=";

    fn live() -> Live {
        Live::parse(&format!(r#"{{"current": "{OLD}"}}"#), Sender::Clerk).ok().unwrap()
    }

    #[test]
    fn a_secret_is_rotated_and_retired() {
        let mut live = live();
        assert!(live.retire(false, Sender::Clerk).unwrap_err().contains("only one"));
        live.take(NEW.to_owned(), false, Sender::Clerk).unwrap();
        assert_eq!(live.render(Sender::Clerk).unwrap(), format!(r#"{{"current":"{NEW}","previous":"{OLD}"}}"#));
        assert!(live.take(OLD.to_owned(), false, Sender::Clerk).unwrap_err().contains("two secrets"));
        live.retire(false, Sender::Clerk).unwrap();
        assert_eq!(live.render(Sender::Clerk).unwrap(), format!(r#"{{"current":"{NEW}"}}"#));
        assert!(live.take(NEW.to_owned(), false, Sender::Clerk).unwrap_err().contains("in use already"));
        live.take(OLD.to_owned(), false, Sender::Clerk).unwrap();
        live.retire(true, Sender::Clerk).unwrap();
        assert_eq!(live.render(Sender::Clerk).unwrap(), format!(r#"{{"current":"{NEW}"}}"#));
    }

    #[test]
    fn a_secret_alone_leaves_no_other() {
        let mut live = live();
        live.take(NEW.to_owned(), false, Sender::Clerk).unwrap();
        live.take(OLD.to_owned(), true, Sender::Clerk).unwrap();
        assert_eq!(live.render(Sender::Clerk).unwrap(), format!(r#"{{"current":"{OLD}"}}"#));
    }

    #[test]
    fn what_is_no_secret_changes_nothing_and_is_not_shown() {
        let mut live = live();
        for bad in ["", "whsec_", "whsec_short", "sk_live_0123456789abcdef0123456789abcdef"] {
            let problem = live.take(bad.to_owned(), true, Sender::Clerk).unwrap_err();
            assert!(problem.contains("not a webhook secret") && !problem.contains("short"), "{problem}");
        }
        assert_eq!(live.current, OLD);
        assert!(Live::parse("{}", Sender::Clerk).is_err());
    }

    #[test]
    fn a_status_shows_marks_only() {
        let mut live = live();
        live.take(NEW.to_owned(), false, Sender::Generator).unwrap();
        let status = live.status();
        assert!(status.contains(&mark(NEW)) && status.contains(&mark(OLD)), "{status}");
        assert!(!status.contains(&OLD[6..]) && !status.contains(&NEW[6..]), "{status}");
        assert_eq!(mark(OLD), mark(&OLD[6..]), "the prefix is no part of it");
    }

    #[test]
    fn all_senders_are_shown_although_one_has_no_secret() {
        let mut live = live();
        live.take(NEW.to_owned(), false, Sender::Clerk).unwrap();
        let missing = Live::parse("{}", Sender::Stripe);
        let report = overview(&[(Sender::Clerk, Ok(live)), (Sender::Stripe, missing)]);
        let text = report.render(false);
        assert!(report.exit() == 1 && text.contains(&format!("clerk   {}  {}\n", mark(NEW), mark(OLD))), "{text}");
        assert!(text.contains("\nstripe  PROBLEM") && text.contains("\nstripe: The secret cannot be used"), "{text}");
        let json: Value = serde_json::from_str(&report.render(true)).unwrap();
        assert_eq!(json["senders"][0], json!({ "sender": "clerk", "current": mark(NEW), "previous": mark(OLD) }));
    }

    #[test]
    fn a_secret_of_stripe_need_be_no_base64() {
        let odd = format!("whsec_{}", "aB3dE".repeat(9));
        assert!(live().take(odd.clone(), true, Sender::Clerk).is_err());
        let mut live = live();
        live.take(odd.clone(), true, Sender::Stripe).unwrap();
        assert_eq!(live.render(Sender::Stripe).unwrap(), format!(r#"{{"current":"{odd}"}}"#));
    }

    #[test]
    fn a_fresh_secret_is_one() {
        let fresh = format!("{PREFIX}{}", random(&STANDARD).unwrap());
        assert!(WebhookSecret::parse(&fresh).is_some() && fresh.len() == PREFIX.len() + 44);
    }
}
