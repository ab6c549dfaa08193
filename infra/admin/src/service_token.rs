//! `consigne service-token`: manages the tokens with which servers authenticate on the routes that check and charge
//! keys, and their further rights.

use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Subcommand;
use consigne_auth::{ServiceRight, ServiceTokens};
use consigne_runtime::settings::SERVICE_TOKENS_ARN;
use serde_json::{Map, Value, json};

use crate::grid::Grid;
use crate::operator::{Operator, work};
use crate::report::{Outcome, Report};
use crate::secret::random;
use crate::stack_env::Which;

/// Most tokens of one service: one in use and its replacement.
const LIVE_MAX: usize = 2;
/// Longest name of a service, in characters.
const NAME_MAX: usize = 64;
/// Prefix of tokens, by which secret scanners recognise them.
const PREFIX: &str = "svc_";
/// When a new token works in execution environments that have read the secret before.
const LEARNT: &str = "Running environments read it at its first use, at most once a minute, or within five minutes.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the services, how many tokens each has, and their rights. Never shows a token.
    #[command(after_help = "\
Examples:
  consigne service-token list
  consigne service-token list --json")]
    List,
    /// Add a service and print its token, which is shown only once.
    Add {
        /// Name of the service, which appears on the receipts of its charges.
        name: String,
    },
    /// Add a second token to a service and print it, which is shown only once.
    Rotate {
        /// Name of the service.
        name: String,
    },
    /// Give a service a right besides checking and charging keys.
    Allow {
        /// Name of the service.
        name: String,
        /// `files`: act for any user on the routes of files. `plan`: also say which plan that user has.
        #[arg(value_parser = ServiceRight::ALL.map(ServiceRight::name))]
        right: String,
    },
    /// Take a right from a service.
    Deny {
        /// Name of the service.
        name: String,
        /// The right: `files` or `plan`.
        #[arg(value_parser = ServiceRight::ALL.map(ServiceRight::name))]
        right: String,
    },
    /// Remove the older of a service's two tokens, or with --last the service.
    Retire {
        /// Name of the service.
        name: String,
        /// Remove the only token, and with it the service.
        #[arg(long)]
        last: bool,
    },
}

pub(crate) fn run(which: &Which, command: &Command) -> Outcome {
    let names = [SERVICE_TOKENS_ARN.name];
    let operator = match command {
        Command::List => Operator::of_stack(which, &names)?,
        Command::Add { name } => Operator::to_change(which, &names, &format!("Add the service {name}"))?,
        Command::Rotate { name } => Operator::to_change(which, &names, &format!("Add a second token to {name}"))?,
        Command::Allow { name, right } => {
            Operator::to_change(which, &names, &format!("Give {name} the right `{right}`"))?
        }
        Command::Deny { name, right } => {
            Operator::to_change(which, &names, &format!("Take the right `{right}` from {name}"))?
        }
        Command::Retire { name, last: false } => {
            Operator::to_change(which, &names, &format!("Remove the older token of {name}"))?
        }
        Command::Retire { name, last: true } => {
            Operator::to_change(which, &names, &format!("Remove the service {name}"))?
        }
    };
    let secret = operator.secret(&SERVICE_TOKENS_ARN)?;
    work(async {
        let held = secret.read().await?;
        let mut tokens = Tokens::parse(&held.text)?;
        let (text, facts) = match command {
            Command::List => return Ok(Report::new(tokens.list(), tokens.document())),
            Command::Add { name } => {
                let token = mint()?;
                tokens.add(name, &token)?;
                let text = format!("Added {name}. Its token, which is shown only once:\n{token}\n{LEARNT}");
                (text, json!({ "service": name, "token": token }))
            }
            Command::Rotate { name } => {
                let token = mint()?;
                tokens.rotate(name, &token)?;
                let text = format!(
                    "{name} has a second token, shown this once:\n{token}\n{LEARNT}\nGive it to the service, then take \
                     the older one away: `consigne service-token retire {name}`."
                );
                (text, json!({ "service": name, "token": token }))
            }
            Command::Allow { name, right } => {
                tokens.allow(name, right)?;
                let text = format!("{name} has the right `{right}`. {LEARNT}");
                (text, json!({ "service": name, "right": right, "allowed": true }))
            }
            Command::Deny { name, right } => {
                tokens.deny(name, right)?;
                let text = format!(
                    "{name} no longer has the right `{right}`.\nEnvironments that run read their tokens again every five \
                     minutes; after that it is refused everywhere."
                );
                (text, json!({ "service": name, "right": right, "allowed": false }))
            }
            Command::Retire { name, last } => {
                tokens.retire(name, *last)?;
                let what = if *last { "the service and its only token are gone" } else { "its older token is gone" };
                let text = format!(
                    "Retired: {what} ({name}).\nEnvironments that run read their tokens again every five minutes; after that it is \
                     refused everywhere."
                );
                (text, json!({ "service": name, "removed": last }))
            }
        };
        // Written before it is shown, because whoever has a token can use it. If the command is killed in between,
        // nobody knows the new token. `rotate` and `retire` replace it.
        secret.replace(&held, tokens.render()?).await?;
        // Not a message too: the token would be in the document twice.
        Ok(Report::new(text, facts))
    })
}

/// Creates a token of 256 random bits.
fn mint() -> Result<String, String> {
    Ok(format!("{PREFIX}{}", random(&URL_SAFE_NO_PAD)?))
}

/// The secret's text, parsed. It has no `Debug`, because it contains tokens.
struct Tokens(Map<String, Value>);

impl Tokens {
    /// Parses `{"pdf-api": "...", "ai-api": ["old", "new"], "portal": {"tokens": ["..."], "rights": ["files"]}}`, by the rules of the functions that read it too.
    ///
    /// # Errors
    /// If the functions could not use it.
    fn parse(text: &str) -> Result<Self, String> {
        let unfit = |why: String| {
            format!("The secret of service tokens cannot be used: {why}. Its previous value is under AWSPREVIOUS.")
        };
        ServiceTokens::parse(text).map_err(|error| unfit(error.to_string()))?;
        serde_json::from_str(text).map(Self).map_err(|_| unfit("it is not a JSON object".to_owned()))
    }

    /// Encodes the secret's text.
    ///
    /// # Errors
    /// If the functions could not read it.
    fn render(&self) -> Result<String, String> {
        let text = Value::Object(self.0.clone()).to_string();
        ServiceTokens::parse(&text).map_err(|error| format!("Nothing was changed: {error}."))?;
        Ok(text)
    }

    fn list(&self) -> String {
        if self.0.is_empty() {
            return "There are no services. `consigne service-token add NAME` adds one.".to_owned();
        }
        let mut grid = Grid::new(&["service", ">tokens", "rights", "next"]);
        for (name, live) in &self.0 {
            let next = if count(live) == LIVE_MAX { "one replaces the other; retire the older" } else { "" };
            grid.row([name.clone(), count(live).to_string(), rights(live).join(" "), next.to_owned()]);
        }
        grid.render()
    }

    /// Returns the list for programs.
    fn document(&self) -> Value {
        let service =
            |(name, live): (&String, &Value)| json!({ "name": name, "tokens": count(live), "rights": rights(live) });
        json!({ "services": self.0.iter().map(service).collect::<Vec<_>>() })
    }

    fn add(&mut self, name: &str, token: &str) -> Result<(), String> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let led = name.starts_with(|c: char| c.is_ascii_lowercase());
        if !led || name.len() > NAME_MAX || !name.bytes().all(plain) {
            return Err(format!(
                "{name:?} is not a service's name: a lower-case letter, then lower-case letters, digits and hyphens, at most {NAME_MAX}."
            ));
        }
        if self.0.contains_key(name) {
            return Err(format!(
                "{name} exists already. `consigne service-token rotate {name}` gives it a second token."
            ));
        }
        self.0.insert(name.to_owned(), token.into());
        Ok(())
    }

    fn rotate(&mut self, name: &str, token: &str) -> Result<(), String> {
        let mut tokens = texts(self.entry(name)?);
        if tokens.len() >= LIVE_MAX {
            return Err(format!(
                "{name} has {LIVE_MAX} tokens already. `consigne service-token retire {name}` takes the older one away, \
                 once nobody uses it."
            ));
        }
        tokens.push(token.into());
        self.put(name, tokens);
        Ok(())
    }

    fn retire(&mut self, name: &str, last: bool) -> Result<(), String> {
        let tokens = texts(self.entry(name)?);
        match (tokens.len() == LIVE_MAX, last) {
            (true, false) => self.put(name, tokens[1..].to_vec()),
            (true, true) => {
                return Err(format!(
                    "{name} has two tokens; --last is for a service's only one. Retire the older first."
                ));
            }
            (false, true) => drop(self.0.shift_remove(name)),
            (false, false) => {
                return Err(format!(
                    "{name} has only this token, and could check no key without it. Rotate first; or, to be rid of the \
                     service, add --last."
                ));
            }
        }
        Ok(())
    }

    fn allow(&mut self, name: &str, right: &str) -> Result<(), String> {
        let entry = self.entry(name)?;
        let (tokens, mut rights) = (texts(entry), rights(entry));
        rights.retain(|known| known != right);
        rights.push(right.to_owned());
        self.0.insert(name.to_owned(), entry_of(tokens, &rights));
        Ok(())
    }

    fn deny(&mut self, name: &str, right: &str) -> Result<(), String> {
        let entry = self.entry(name)?;
        let (tokens, mut rights) = (texts(entry), rights(entry));
        rights.retain(|known| known != right);
        self.0.insert(name.to_owned(), entry_of(tokens, &rights));
        Ok(())
    }

    fn entry(&self, name: &str) -> Result<&Value, String> {
        self.0.get(name).ok_or_else(|| unknown(name))
    }

    /// Replaces the tokens of a service, which keeps its rights.
    fn put(&mut self, name: &str, tokens: Vec<Value>) {
        let rights = self.0.get(name).map(rights).unwrap_or_default();
        self.0.insert(name.to_owned(), entry_of(tokens, &rights));
    }
}

/// Returns the entry of a service. Without rights it is as versions before the rights wrote it, which can read no other.
fn entry_of(mut tokens: Vec<Value>, rights: &[String]) -> Value {
    if !rights.is_empty() {
        return json!({ "tokens": tokens, "rights": rights });
    }
    match tokens.pop() {
        Some(only) if tokens.is_empty() => only,
        last => tokens.into_iter().chain(last).collect(),
    }
}

/// Returns the tokens of an entry.
fn texts(entry: &Value) -> Vec<Value> {
    match entry.get("tokens").unwrap_or(entry) {
        Value::Array(tokens) => tokens.clone(),
        only => vec![only.clone()],
    }
}

/// Returns the rights of an entry.
fn rights(entry: &Value) -> Vec<String> {
    let rights = entry.get("rights").and_then(Value::as_array).into_iter().flatten();
    rights.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn count(entry: &Value) -> usize {
    texts(entry).len()
}

fn unknown(name: &str) -> String {
    format!("Unknown service {name}. `consigne service-token list` shows all; `add` adds one.")
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "svc_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa1";
    const NEW: &str = "svc_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa2";

    fn tokens(text: &str) -> Tokens {
        Tokens::parse(text).ok().unwrap()
    }

    #[test]
    fn a_token_is_43_url_safe_characters_and_never_the_same() {
        let (one, other) = (mint().unwrap(), mint().unwrap());
        assert_eq!(one.len(), PREFIX.len() + 43);
        assert!(one.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
        assert_ne!(one, other);
    }

    #[test]
    fn a_service_is_added_rotated_and_retired() {
        let mut held = tokens("{}");
        held.add("ai-api", OLD).unwrap();
        assert_eq!(held.render().unwrap(), format!(r#"{{"ai-api":"{OLD}"}}"#));
        held.rotate("ai-api", NEW).unwrap();
        assert_eq!(held.render().unwrap(), format!(r#"{{"ai-api":["{OLD}","{NEW}"]}}"#));
        assert!(held.rotate("ai-api", NEW).unwrap_err().contains("has 2 tokens already"));
        assert!(held.retire("ai-api", true).unwrap_err().contains("has two tokens"));
        held.retire("ai-api", false).unwrap();
        assert_eq!(held.render().unwrap(), format!(r#"{{"ai-api":"{NEW}"}}"#));
        assert!(held.retire("ai-api", false).unwrap_err().contains("--last"));
        held.retire("ai-api", true).unwrap();
        assert_eq!(held.render().unwrap(), "{}");
    }

    #[test]
    fn one_token_in_an_array_is_one_token() {
        let mut held = tokens(&format!(r#"{{"default": "{OLD}", "pdf": ["{OLD}"]}}"#));
        assert!(held.retire("pdf", false).unwrap_err().contains("only this token"));
        held.rotate("pdf", NEW).unwrap();
        assert_eq!(count(&held.0["pdf"]), 2);
        held.retire("pdf", false).unwrap();
        assert_eq!(held.render().unwrap(), format!(r#"{{"default":"{OLD}","pdf":"{NEW}"}}"#));
    }

    #[test]
    fn rights_are_given_and_taken_and_survive_a_rotation() {
        let mut held = tokens(&format!(r#"{{"portal": "{OLD}"}}"#));
        held.allow("portal", "files").unwrap();
        held.allow("portal", "files").unwrap();
        held.rotate("portal", NEW).unwrap();
        assert_eq!(
            held.render().unwrap(),
            format!(r#"{{"portal":{{"tokens":["{OLD}","{NEW}"],"rights":["files"]}}}}"#)
        );
        assert!(held.list().contains("portal        2  files   one replaces"), "{}", held.list());
        held.retire("portal", false).unwrap();
        held.allow("portal", "plan").unwrap();
        held.deny("portal", "files").unwrap();
        assert_eq!(held.render().unwrap(), format!(r#"{{"portal":{{"tokens":["{NEW}"],"rights":["plan"]}}}}"#));
        held.deny("portal", "plan").unwrap();
        held.deny("portal", "plan").unwrap();
        assert!(held.deny("pdf", "plan").unwrap_err().contains("Unknown service pdf"));
        assert_eq!(held.render().unwrap(), format!(r#"{{"portal":"{NEW}"}}"#), "as older versions read it");
        held.allow("portal", "files").unwrap();
        held.retire("portal", true).unwrap();
        assert_eq!(held.render().unwrap(), "{}");
    }

    #[test]
    fn names_are_plain_and_taken_once() {
        let mut held = tokens(&format!(r#"{{"default": "{OLD}"}}"#));
        for bad in ["", "A", "1a", "-a", "a b", "é", &"a".repeat(65)] {
            assert!(held.add(bad, NEW).unwrap_err().contains("is not a service's name"), "{bad}");
        }
        assert!(held.add("default", NEW).unwrap_err().contains("exists already"));
        assert!(held.rotate("pdf", NEW).unwrap_err().contains("Unknown service pdf"));
        assert!(held.retire("pdf", true).unwrap_err().contains("Unknown service pdf"));
    }

    #[test]
    fn what_is_listed_or_refused_shows_no_token() {
        let listed = tokens(&format!(r#"{{"default": "{OLD}", "pdf": ["{OLD}", "{NEW}"]}}"#)).list();
        assert!(
            listed.contains("\npdf           2  -       one replaces the other") && !listed.contains("svc_"),
            "{listed}"
        );
        let bad = Tokens::parse(&format!(r#"{{"a": ["{OLD}", "{OLD}", "{OLD}"]}}"#)).err().unwrap();
        assert!(bad.contains("more than 2") && !bad.contains("svc_"), "{bad}");
    }
}
