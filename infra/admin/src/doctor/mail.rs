//! Checks of mail: the sender's identity, the account's standing at SES, and the configuration set.

use serde_json::Value;

use super::Patient;
use super::finding::Finding;
use super::metrics::{Metric, over};
use crate::aws::{Refusal, encoded};

/// Share of the day's quota from which it deserves a look.
const QUOTA: f64 = 0.8;
/// Bounce rates at which SES puts an account under review, and may pause its sending. Source: Amazon SES developer
/// guide, "Sending review process FAQs".
const BOUNCES: (f64, f64) = (0.05, 0.10);
const HOST: &str = "email";
const NAME: &str = "ses";

/// Checks everything about mail, if the stack sends any.
pub(crate) async fn all(patient: &Patient) -> Vec<Finding> {
    let from = patient.facts.parameter("MailFrom");
    if from.is_empty() {
        return vec![Finding::not_set_up("mail", "MailFrom is empty: no mail is sent", "docs/guides/send-mail.md")];
    }
    let address = from.rsplit_once('<').map_or(from, |(_, rest)| rest.trim_end_matches('>'));
    // SES answers one call a second, so it is asked one after the other.
    let ses = async { (identity(patient, address).await, account(patient).await, set(patient).await) };
    let ((identity, account, set), bounces) = tokio::join!(ses, bounces(patient));
    let mut found = vec![identity];
    found.extend(account);
    found.extend([set, bounces]);
    found
}

/// Asks SES, once it may be asked again.
async fn ask(patient: &Patient, action: &'static str, path: String) -> Result<Value, Refusal> {
    patient.ses.turn().await;
    patient.aws.rest(HOST, NAME, action, path).await
}

async fn account(patient: &Patient) -> Vec<Finding> {
    match ask(patient, "ses:GetAccount", "/v2/email/account".to_owned()).await {
        Ok(account) => judge(&account),
        Err(refusal) => vec![Finding::refused("mail account", &refusal, patient.laptop)],
    }
}

/// Judges an answer of `GetAccount`.
fn judge(account: &Value) -> Vec<Finding> {
    let quota = &account["SendQuota"];
    let number = |name: &str| quota[name].as_f64().unwrap_or(0.0);
    let (sent, most) = (number("SentLast24Hours"), number("Max24HourSend"));
    let used = format!("{sent:.0} of {most:.0} mails of a day were sent");
    let status = account["EnforcementStatus"].as_str().unwrap_or("HEALTHY");
    let sends = account["SendingEnabled"] != false && status != "SHUTDOWN";
    vec![
        if !sends {
            let cure = "see the reason in the console of SES, under Account dashboard";
            Finding::failed("mail account", format!("SES has stopped sending: {status}"), cure)
        } else if status == "HEALTHY" {
            Finding::ok("mail account", "may send, and is healthy")
        } else {
            Finding::warning("mail account", format!("is {status}"), "see the console of SES, under Account dashboard")
        },
        if account["ProductionAccessEnabled"] == true {
            Finding::ok("mail sandbox", "the account is out of it")
        } else {
            let text = "the account is in the sandbox: only verified addresses get mail";
            Finding::warning("mail sandbox", text, "ask for production access: `aws sesv2 put-account-details`")
        },
        // A negative maximum stands for no limit.
        if most > 0.0 && sent >= most * QUOTA {
            Finding::warning("mail quota", used, "ask for more under Service Quotas, Amazon SES")
        } else {
            Finding::ok("mail quota", used)
        },
    ]
}

/// Checks that SES has verified the sender's address, or else its domain.
async fn identity(patient: &Patient, address: &str) -> Finding {
    let domain = address.rsplit_once('@').map_or(address, |(_, domain)| domain);
    let identity = async |identity: &str| {
        let path = format!("/v2/email/identities/{}", encoded(identity));
        ask(patient, "ses:GetEmailIdentity", path).await
    };
    let whole = identity(address).await;
    if whole.as_ref().is_ok_and(verified) {
        return Finding::ok("mail sender", format!("{address} is verified"));
    }
    sender(address, &whole, domain, &identity(domain).await, patient.laptop)
}

/// Judges the answers of `GetEmailIdentity` about an address that is not verified, and about its domain.
fn sender(
    address: &str,
    whole: &Result<Value, Refusal>,
    domain: &str,
    domains: &Result<Value, Refusal>,
    laptop: bool,
) -> Finding {
    let name = "mail sender";
    // SES says of an identity that it does not know that it is missing. Any other refusal leaves the question open.
    let open = |answer: &Result<Value, Refusal>| {
        answer.as_ref().err().filter(|refusal| !matches!(refusal, Refusal::Missing(_))).cloned()
    };
    match (whole, domains, open(whole).or_else(|| open(domains))) {
        (_, Ok(identity), _) if verified(identity) => Finding::ok(name, format!("{domain} is verified")),
        (_, _, Some(refusal @ Refusal::Denied(_))) => Finding::refused(name, &refusal, laptop),
        (Err(_), Err(_), _) if laptop => {
            Finding::not_on_laptop(name, "the laptop's server verifies senders in another way")
        }
        (_, _, Some(refusal)) => Finding::refused(name, &refusal, laptop),
        (_, _, None) => Finding::failed(
            name,
            format!("SES has verified neither {address} nor {domain}: every mail is refused"),
            format!("`aws sesv2 create-email-identity --email-identity {domain}`, then its three DKIM records"),
        ),
    }
}

fn verified(identity: &Value) -> bool {
    identity["VerifiedForSendingStatus"] == true
}

/// Checks the configuration set through which SES publishes bounces and complaints.
async fn set(patient: &Patient) -> Finding {
    let path = format!("/v2/email/configuration-sets/{}/event-destinations", encoded(&patient.facts.name));
    match ask(patient, "ses:GetConfigurationSetEventDestinations", path).await {
        Ok(answer) => feedback(&answer),
        Err(Refusal::Missing(_)) if patient.laptop => {
            Finding::not_on_laptop("mail feedback", "the laptop's server keeps no configuration sets")
        }
        Err(refusal) => Finding::refused("mail feedback", &refusal, patient.laptop),
    }
}

/// Judges an answer of `GetConfigurationSetEventDestinations`.
fn feedback(answer: &Value) -> Finding {
    let destinations = answer["EventDestinations"].as_array();
    let publishes = |one: &Value| {
        let types = one["MatchingEventTypes"].as_array().cloned().unwrap_or_default();
        one["Enabled"] == true && ["BOUNCE", "COMPLAINT"].iter().all(|kind| types.iter().any(|one| one == kind))
    };
    Finding::when(
        destinations.is_some_and(|all| all.iter().any(publishes)),
        "mail feedback",
        "SES publishes bounces and complaints",
        "SES does not publish bounces and complaints: mail goes on to dead mailboxes",
        "deploy the stack: `make deploy`",
    )
}

async fn bounces(patient: &Patient) -> Finding {
    if patient.laptop {
        return Finding::not_on_laptop("mail bounces", "the laptop's server does not measure the rate");
    }
    let metric = Metric {
        namespace: "AWS/SES",
        name: "Reputation.BounceRate",
        dimension: None,
        statistic: "Maximum",
        minutes: 1_440,
    };
    match over(&patient.aws, &metric).await {
        Ok(rate) => bounced(rate.unwrap_or(0.0)),
        Err(refusal) => Finding::refused("mail bounces", &refusal, false),
    }
}

fn bounced(rate: f64) -> Finding {
    let text = format!("{:.1} % of the mails bounced", rate * 100.0);
    let cure = "find the mails that bounce: `consigne logs --function mail-feedback`; AWS reviews accounts above 5 %";
    match rate {
        rate if rate >= BOUNCES.1 => Finding::failed("mail bounces", text, cure),
        rate if rate >= BOUNCES.0 => Finding::warning("mail bounces", text, cure),
        _ => Finding::ok("mail bounces", text),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::doctor::finding::State;

    #[test]
    fn sandbox_quota_and_enforcement_are_found() {
        let quota = |sent: f64| json!({ "Max24HourSend": 50_000.0, "SentLast24Hours": sent });
        let good = json!({
            "ProductionAccessEnabled": true, "SendingEnabled": true, "EnforcementStatus": "HEALTHY", "SendQuota": quota(10.0)
        });
        assert!(judge(&good).iter().all(|one| one.state == State::Ok));
        for (field, value, at, want) in [
            ("ProductionAccessEnabled", json!(false), 1, State::Warning),
            ("SendQuota", quota(45_000.0), 2, State::Warning),
            ("SendingEnabled", json!(false), 0, State::Failed),
            ("EnforcementStatus", json!("PROBATION"), 0, State::Warning),
            ("EnforcementStatus", json!("SHUTDOWN"), 0, State::Failed),
        ] {
            let mut account = good.clone();
            account[field] = value;
            assert_eq!(judge(&account)[at].state, want, "{field}");
        }
    }

    #[test]
    fn feedback_needs_an_enabled_destination_for_bounces_and_complaints() {
        let destination = |enabled: bool, types: &[&str]| {
            feedback(&json!({ "EventDestinations": [{ "Enabled": enabled, "MatchingEventTypes": types }] })).state
        };
        assert_eq!(destination(true, &["BOUNCE", "COMPLAINT"]), State::Ok);
        assert_eq!(destination(false, &["BOUNCE", "COMPLAINT"]), State::Failed);
        assert_eq!(destination(true, &["BOUNCE"]), State::Failed);
        assert_eq!(feedback(&json!({})).state, State::Failed);
        assert!(verified(&json!({ "VerifiedForSendingStatus": true })) && !verified(&json!({})));
    }

    #[test]
    fn a_sender_is_unverified_only_if_ses_says_so() {
        let (yes, no) =
            (Ok(json!({ "VerifiedForSendingStatus": true })), Ok(json!({ "VerifiedForSendingStatus": false })));
        let missing = || Err(Refusal::Missing("NotFoundException".to_owned()));
        let busy = || Err(Refusal::Throttled("TooManyRequestsException".to_owned()));
        let judge = |whole, domains| sender("a@b.c", &whole, "b.c", &domains, false);
        assert_eq!(judge(missing(), yes.clone()).state, State::Ok);
        for (whole, domains) in [(no.clone(), missing()), (missing(), missing()), (missing(), no.clone())] {
            let found = judge(whole, domains);
            assert!(found.state == State::Failed && found.text.contains("neither a@b.c nor b.c"), "{found:?}");
        }
        for (whole, domains) in [(busy(), no.clone()), (missing(), busy()), (busy(), busy())] {
            assert_eq!(judge(whole, domains).state, State::Warning);
        }
        let broken = judge(missing(), Err(Refusal::Failed("503".to_owned())));
        assert!(broken.state == State::Failed && broken.text == "503", "{broken:?}");
        assert_eq!(judge(missing(), Err(Refusal::Denied("ses:GetEmailIdentity"))).state, State::Warning);
        assert_eq!(sender("a@b.c", &missing(), "b.c", &busy(), true).state, State::NotOnLaptop);
    }

    #[test]
    fn bounce_rates_follow_the_limits_of_ses() {
        assert_eq!([0.01, 0.06, 0.2].map(|rate| bounced(rate).state), [State::Ok, State::Warning, State::Failed]);
    }
}
