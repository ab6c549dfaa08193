//! Checks of the secrets: that they exist, and that the functions can use them. No value is ever printed.

use std::collections::BTreeMap;

use consigne_auth::{Peppers, Secret, ServiceTokens, StripeSecrets, WebhookSecrets};
use futures_util::StreamExt as _;
use futures_util::stream::iter;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::events::summed;
use super::facts::{Resource, SECRET};
use super::finding::{Finding, State};
use super::{AT_ONCE, Patient};
use crate::aws::{Refusal, SECRETS};

/// Prefix of webhook secrets that their senders made. The random value of a new stack lacks it.
const SIGNING: &str = "whsec_";

/// What is known of the secrets that other checks use.
#[derive(Debug, Default)]
pub(crate) struct Read {
    /// The values by the name of the secret in the template.
    values: BTreeMap<String, Zeroizing<String>>,
}

impl Read {
    /// Returns a secret's value, if it was read.
    pub(crate) fn value(&self, logical: &str) -> Option<&str> {
        self.values.get(logical).map(|value| value.as_str())
    }
}

/// Reads every secret of the stack, and judges it.
pub(crate) async fn all(patient: &Patient) -> (Vec<Finding>, Read) {
    let resources: Vec<&Resource> = patient.facts.of_kind(SECRET).collect();
    let reads = iter(&resources).map(|one| async move {
        let ask = json!({ "SecretId": one.physical });
        (*one, patient.aws.json(SECRETS, "secretsmanager:GetSecretValue", "GetSecretValue", ask).await)
    });
    let reads: Vec<(&Resource, Result<Value, Refusal>)> = reads.buffer_unordered(AT_ONCE).collect().await;
    let (mut found, mut read, mut denied) = (Vec::new(), Read::default(), 0);
    for (resource, answer) in reads {
        match answer {
            Ok(answer) => {
                let text = Zeroizing::new(answer["SecretString"].as_str().unwrap_or_default().to_owned());
                found.push(judge(&resource.logical, &text));
                read.values.insert(resource.logical.clone(), text);
            }
            Err(Refusal::Denied(_)) => denied += 1,
            Err(refusal) => found.push(Finding::refused(name(&resource.logical), &refusal, patient.laptop)),
        }
    }
    let (quiet, mut shown): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|one| one.state == State::Ok && one.name != name("Peppers"));
    if denied > 0 {
        let refusal = Refusal::Denied("secretsmanager:GetSecretValue");
        shown.push(Finding { name: "secrets".to_owned(), ..Finding::refused("", &refusal, patient.laptop) });
    }
    if !quiet.is_empty() || resources.is_empty() {
        shown.extend(summed("secrets", quiet, "others can be used"));
    }
    shown.sort_by(|a, b| a.name.cmp(&b.name));
    (shown, read)
}

fn name(logical: &str) -> String {
    format!("secret {logical}")
}

/// Judges a secret by the rules of the functions that read it.
fn judge(logical: &str, text: &str) -> Finding {
    let check = name(logical);
    let unusable = |why: &str, cure: &str| Finding::failed(check.clone(), format!("cannot be used: {why}"), cure);
    match logical {
        "Peppers" => match Peppers::parse(text) {
            Ok(peppers) => peppered(&check, &peppers),
            Err(error) => unusable(&error.to_string(), "`consigne pepper status`; its previous value is AWSPREVIOUS"),
        },
        "ServiceTokens" => match ServiceTokens::parse(text) {
            Ok(_) if text.trim() == "{}" => {
                Finding::not_set_up(check, "no server may check keys", "`consigne service-token add NAME`")
            }
            Ok(_) => Finding::ok(check, "can be used"),
            Err(error) => unusable(&error.to_string(), "`consigne service-token list`"),
        },
        "GeneratorSecrets" => match WebhookSecrets::parse(text) {
            Ok(_) => Finding::ok(check, "can be used"),
            Err(error) => unusable(&error.to_string(), "`consigne webhook-secret rotate generator`"),
        },
        "ClerkSecrets" => sender(check, text, "clerk", WebhookSecrets::parse(text).err().map(|e| e.to_string())),
        "StripeSecrets" => sender(check, text, "stripe", StripeSecrets::parse(text).err().map(|e| e.to_string())),
        "StripeApiKey" => match mode(text) {
            Some(mode) => Finding::ok(check, format!("is a key for {mode}")),
            None => Finding::not_set_up(check, "holds no key of Stripe", "docs/guides/sell-credits.md"),
        },
        _ if Secret::new(text).is_none() => unusable(
            "it is too short or a placeholder",
            "its previous value is under AWSPREVIOUS; docs/operate/secrets.md",
        ),
        _ => Finding::ok(check, "can be used"),
    }
}

fn peppered(check: &str, peppers: &Peppers) -> Finding {
    let (current, versions) = (peppers.current(), peppers.versions());
    let list: Vec<String> = versions.iter().map(ToString::to_string).collect();
    let text = format!("strong enough; version {current} is current, live: {}", list.join(", "));
    match versions.last() {
        Some(newest) if *newest > current => {
            Finding::warning(check, text, format!("a newer pepper waits: `consigne pepper promote {newest}`"))
        }
        _ => Finding::ok(check, text),
    }
}

/// Judges the secret of a sender that makes it itself.
fn sender(check: String, text: &str, who: &str, problem: Option<String>) -> Finding {
    let cure = format!("`consigne webhook-secret set {who}`");
    let value: Value = serde_json::from_str(text).unwrap_or_default();
    let made = value["current"].as_str().is_some_and(|secret| secret.starts_with(SIGNING));
    match problem {
        Some(why) => Finding::failed(check, format!("cannot be used: {why}"), cure),
        None if made => Finding::ok(check, "can be used"),
        None => Finding::not_set_up(check, format!("holds no secret of {who}: its webhooks are refused"), cure),
    }
}

/// Returns for what a key of Stripe is: live or test mode. `None` if the text is no key of Stripe.
pub(crate) fn mode(key: &str) -> Option<&'static str> {
    let after = key.trim().strip_prefix("sk_").or_else(|| key.trim().strip_prefix("rk_"))?;
    [("live_", "live mode"), ("test_", "test mode")]
        .into_iter()
        .find_map(|(word, mode)| after.starts_with(word).then_some(mode))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRONG: &str = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ01";

    #[test]
    fn placeholders_fail_and_what_was_never_set_is_not_set_up() {
        let object = |name: &str, value: &str| json!({ name: value }).to_string();
        let peppers = |text: &str| json!({ "current": 1, "1": text }).to_string();
        for (logical, text, want) in [
            ("Peppers", peppers(STRONG), State::Ok),
            ("Peppers", peppers("changeme-changeme-changeme-changeme-changeme"), State::Failed),
            ("Peppers", peppers("short"), State::Failed),
            ("Peppers", json!({ "current": 1, "1": STRONG, "2": STRONG }).to_string(), State::Warning),
            ("ServiceTokens", object("default", STRONG), State::Ok),
            ("ServiceTokens", "{}".to_owned(), State::NotSetUp),
            ("ServiceTokens", object("default", "x"), State::Failed),
            ("GeneratorSecrets", object("current", STRONG), State::Ok),
            ("GeneratorSecrets", object("current", "changeme"), State::Failed),
            ("ClerkSecrets", object("current", STRONG), State::NotSetUp),
            ("ClerkSecrets", object("current", &format!("whsec_{STRONG}")), State::Ok),
            ("StripeSecrets", object("current", &format!("whsec_{STRONG}")), State::Ok),
            ("StripeSecrets", object("current", "whsec_short"), State::Failed),
            ("StripeApiKey", STRONG.to_owned(), State::NotSetUp),
            ("StripeApiKey", format!("rk_live_{STRONG}"), State::Ok),
            ("EndpointSecret", STRONG.to_owned(), State::Ok),
            ("EndpointSecret", "changemechangemechangemechangeme".to_owned(), State::Failed),
            ("GatewaySecret", String::new(), State::Failed),
        ] {
            let found = judge(logical, &text);
            assert_eq!(found.state, want, "{logical} {text}");
            let printed = format!("{found:?}");
            assert!(!printed.contains(STRONG) && !printed.contains("changeme-"), "a value is never printed");
        }
    }

    #[test]
    fn keys_of_stripe_say_their_mode() {
        assert_eq!(mode("sk_live_x"), Some("live mode"));
        assert_eq!(mode(" rk_test_x"), Some("test mode"));
        assert_eq!((mode("sk_other"), mode(STRONG)), (None, None));
    }
}
