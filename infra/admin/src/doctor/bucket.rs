//! Checks of the bucket: versions, encryption, public access, browsers, events, ageing and transport.

use futures_util::future::join_all;
use serde_json::Value;

use super::Patient;
use super::finding::Finding;
use crate::aws::Refusal;
use crate::aws::xml::{first, rows, value};

/// Headers that browsers must be able to read of the bucket's answers.
const EXPOSED: [&str; 5] = ["etag", "accept-ranges", "content-range", "x-amz-request-id", "x-amz-version-id"];
/// Headers that browsers must be able to send to the bucket.
pub(crate) const SENT: [&str; 4] = ["content-type", "if-none-match", "range", "x-amz-checksum-sha256"];
/// Methods that browsers use on the bucket.
pub(crate) const METHODS: [&str; 4] = ["GET", "HEAD", "PUT", "POST"];
/// The rules by which objects age, as the template defines them.
const RULES: [&str; 4] = ["abort-unfinished-uploads", "archive", "remove-exports", "remove-old-versions"];
/// How to bring settings back that the template defines.
const DEPLOY: &str = "set it again, or deploy the stack: `make deploy`";

/// A setting of the bucket: the name of its check, the permission to read it, and its name in the query.
pub(crate) const SETTINGS: [(&str, &str, &str); 7] = [
    ("bucket versions", "s3:GetBucketVersioning", "versioning"),
    ("bucket encryption", "s3:GetEncryptionConfiguration", "encryption"),
    ("bucket public access", "s3:GetBucketPublicAccessBlock", "publicAccessBlock"),
    ("bucket CORS", "s3:GetBucketCORS", "cors"),
    ("bucket events", "s3:GetBucketNotification", "notification"),
    ("bucket lifecycle", "s3:GetLifecycleConfiguration", "lifecycle"),
    ("bucket policy", "s3:GetBucketPolicy", "policy"),
];

/// Checks the settings of the bucket.
pub(crate) async fn settings(patient: &Patient) -> Vec<Finding> {
    let facts = &patient.facts;
    let origins: Option<Vec<&str>> =
        facts.known_parameter("AuthorizedParties").map(|all| all.split(',').filter(|one| !one.is_empty()).collect());
    let requires_tls = facts.known_parameter("RequireTls").map(|value| value != "false");
    let checks = SETTINGS.map(|(name, action, query)| {
        let (path, origins) = (format!("{}?{query}", patient.bucket_name), origins.as_deref());
        async move {
            let read = patient.aws.s3(action, "GET", &path, Vec::new(), String::new()).await;
            judge(name, &read, origins, requires_tls, patient.laptop)
        }
    });
    join_all(checks).await
}

/// Judges one setting by S3's answer. A setting that was never made is an answer too. `origins` and `tls` follow from the
/// stack's parameters; they are `None` if those are not known.
pub(crate) fn judge(
    name: &str,
    read: &Result<String, Refusal>,
    origins: Option<&[&str]>,
    tls: Option<bool>,
    laptop: bool,
) -> Finding {
    let text = match read {
        Ok(text) => text.as_str(),
        Err(Refusal::Missing(code)) if code != "NoSuchBucket" => "",
        Err(refusal) => return Finding::refused(name, refusal, laptop),
    };
    match name {
        "bucket versions" => Finding::when(
            first(text, "Status").as_deref() == Some("Enabled"),
            name,
            "every object keeps its versions",
            "versioning is not enabled: uploads cannot be told apart, and no file becomes ready",
            DEPLOY,
        ),
        "bucket encryption" => match first(text, "SSEAlgorithm") {
            Some(algorithm) => Finding::ok(name, format!("is on, {algorithm}")),
            None => Finding::failed(name, "is not configured", DEPLOY),
        },
        "bucket public access" => {
            let parts = ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"];
            let open: Vec<&str> =
                parts.into_iter().filter(|part| first(text, part).as_deref() != Some("true")).collect();
            Finding::when(open.is_empty(), name, "is blocked", format!("is not blocked: {}", open.join(", ")), DEPLOY)
        }
        "bucket CORS" => match origins {
            Some(origins) => cors(name, text, origins),
            None => Finding::without_parameters(name),
        },
        "bucket events" => Finding::when(
            text.contains("EventBridgeConfiguration"),
            name,
            "go to EventBridge",
            "do not go to EventBridge: no upload is noticed, and no file becomes ready",
            DEPLOY,
        ),
        "bucket lifecycle" => {
            let rules = rows(text, "Rule", &["ID", "Status"]);
            let on = |wanted: &&str| {
                rules.iter().any(|rule| value(rule, "ID") == *wanted && value(rule, "Status") == "Enabled")
            };
            let missing: Vec<&str> = RULES.into_iter().filter(|rule| !on(rule)).collect();
            let good = format!("all {} rules are enabled", RULES.len());
            let bad = format!("missing or disabled: {}", missing.join(", "));
            Finding::when(missing.is_empty(), name, &good, bad, DEPLOY)
        }
        _ => policy(name, text, tls, laptop),
    }
}

/// Judges what browsers may do: every origin of the applications, every method and every header.
fn cors(name: &str, text: &str, origins: &[&str]) -> Finding {
    let rules = rows(text, "CORSRule", &["AllowedOrigin", "AllowedMethod", "AllowedHeader", "ExposeHeader"]);
    let lacks = |origin: &&&str| {
        let Some(rule) = rules.iter().find(|rule| holds(rule.get("AllowedOrigin"), origin)) else { return true };
        METHODS.iter().any(|method| !holds(rule.get("AllowedMethod"), method))
            || SENT.iter().any(|header| !holds(rule.get("AllowedHeader"), header))
            || EXPOSED.iter().any(|header| !holds(rule.get("ExposeHeader"), header))
    };
    let refused: Vec<&str> = origins.iter().filter(lacks).copied().collect();
    Finding::when(
        refused.is_empty(),
        name,
        "browsers of every application may upload and read",
        format!("browsers cannot upload, or cannot read the headers they need, from {}", refused.join(", ")),
        DEPLOY,
    )
}

/// Returns whether a list of CORS has a value. Names of headers are compared without case.
fn holds(list: Option<&Vec<String>>, wanted: &str) -> bool {
    list.is_some_and(|list| list.iter().any(|one| one == "*" || one.eq_ignore_ascii_case(wanted)))
}

/// Judges the policy: it must refuse requests without TLS.
fn policy(name: &str, text: &str, tls: Option<bool>, laptop: bool) -> Finding {
    let policy: Value = serde_json::from_str(text).unwrap_or_default();
    let refuses = |statement: &Value| {
        statement["Effect"] == "Deny" && statement["Condition"]["Bool"]["aws:SecureTransport"] == "false"
    };
    if policy["Statement"].as_array().is_some_and(|all| all.iter().any(refuses)) {
        return Finding::ok(name, "refuses requests without TLS");
    }
    let Some(tls) = tls else { return Finding::without_parameters(name) };
    if tls {
        Finding::failed(name, "does not refuse requests without TLS", DEPLOY)
    } else if laptop {
        Finding::not_on_laptop(name, "the laptop has no TLS, so RequireTls is off")
    } else {
        Finding::warning(name, "RequireTls is off", "set RequireTls=true and `make deploy`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::State;

    const GOOD: [(&str, &str); 7] = [
        ("bucket versions", "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"),
        ("bucket encryption", "<S><Rule><A><SSEAlgorithm>AES256</SSEAlgorithm></A></Rule></S>"),
        (
            "bucket public access",
            "<P><BlockPublicAcls>true</BlockPublicAcls><IgnorePublicAcls>true</IgnorePublicAcls><BlockPublicPolicy>true\
             </BlockPublicPolicy><RestrictPublicBuckets>true</RestrictPublicBuckets></P>",
        ),
        (
            "bucket CORS",
            "<C><CORSRule><AllowedOrigin>https://a.dev</AllowedOrigin><AllowedMethod>GET</AllowedMethod><AllowedMethod>HEAD\
             </AllowedMethod><AllowedMethod>PUT</AllowedMethod><AllowedMethod>POST</AllowedMethod><AllowedHeader>content-type\
             </AllowedHeader><AllowedHeader>if-none-match</AllowedHeader><AllowedHeader>range</AllowedHeader><AllowedHeader>\
             x-amz-checksum-sha256</AllowedHeader><ExposeHeader>ETag</ExposeHeader><ExposeHeader>accept-ranges</ExposeHeader>\
             <ExposeHeader>content-range</ExposeHeader><ExposeHeader>x-amz-request-id</ExposeHeader><ExposeHeader>x-amz-version-id\
             </ExposeHeader></CORSRule></C>",
        ),
        ("bucket events", "<N><EventBridgeConfiguration/></N>"),
        (
            "bucket lifecycle",
            "<L><Rule><ID>abort-unfinished-uploads</ID><Status>Enabled</Status></Rule><Rule><ID>archive</ID><Status>Enabled\
             </Status></Rule><Rule><ID>remove-exports</ID><Status>Enabled</Status></Rule><Rule><ID>remove-old-versions</ID>\
             <Status>Enabled</Status></Rule></L>",
        ),
        (
            "bucket policy",
            r#"{"Statement":[{"Effect":"Deny","Principal":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}]}"#,
        ),
    ];

    fn state(name: &str, text: &str) -> State {
        judge(name, &Ok(text.to_owned()), Some(&["https://a.dev"]), Some(true), false).state
    }

    #[test]
    fn a_bucket_as_deployed_is_well_and_each_planted_fault_is_found() {
        for (name, text) in GOOD {
            assert_eq!(state(name, text), State::Ok, "{name}");
            let nothing = Err(Refusal::Missing("NoSuchThing".into()));
            let never = judge(name, &nothing, Some(&["https://a.dev"]), Some(true), false);
            assert_eq!(never.state, State::Failed, "{name} that was never set");
        }
        for (name, from, to) in [
            ("bucket versions", "Enabled", "Suspended"),
            ("bucket public access", "<BlockPublicAcls>true", "<BlockPublicAcls>false"),
            ("bucket CORS", "https://a.dev", "https://b.dev"),
            ("bucket CORS", "<AllowedMethod>PUT", "<AllowedMethod>DELETE"),
            ("bucket CORS", "x-amz-version-id", "x-other"),
            ("bucket CORS", "<AllowedHeader>if-none-match", "<AllowedHeader>x-other"),
            ("bucket lifecycle", "remove-exports", "other"),
            ("bucket lifecycle", "archive</ID><Status>Enabled", "archive</ID><Status>Disabled"),
            ("bucket policy", "SecureTransport", "Other"),
        ] {
            let text = GOOD.iter().find(|one| one.0 == name).unwrap().1.replace(from, to);
            assert_eq!(state(name, &text), State::Failed, "{name}: {to}");
        }
    }

    #[test]
    fn a_lost_bucket_fails_and_transport_follows_the_parameter() {
        let lost = judge("bucket versions", &Err(Refusal::Missing("NoSuchBucket".into())), Some(&[]), Some(true), true);
        assert_eq!(lost.state, State::Failed);
        assert_eq!(policy("bucket policy", "", Some(false), true).state, State::NotOnLaptop);
        assert_eq!(policy("bucket policy", "", Some(false), false).state, State::Warning);
    }

    #[test]
    fn what_depends_on_unknown_parameters_is_not_checked() {
        for (name, text) in [GOOD[3], ("bucket policy", "")] {
            assert_eq!(judge(name, &Ok(text.to_owned()), None, None, false), Finding::without_parameters(name));
        }
        let (name, text) = GOOD[6];
        assert_eq!(judge(name, &Ok(text.to_owned()), None, None, false).state, State::Ok, "it refuses them anyway");
    }

    #[test]
    fn rules_methods_and_headers_are_those_of_the_template() {
        let template = include_str!("../../../../template.yaml");
        let bucket = template.split("\n  Bucket:\n").nth(1).and_then(|rest| rest.split("\n\n").next()).unwrap();
        let after = |mark: &str| bucket.split(mark).nth(1).unwrap_or_else(|| panic!("the template has no {mark}"));
        let lifecycle = after("LifecycleConfiguration:\n").split("\n      ReplicationConfiguration:").next().unwrap();
        let mut rules: Vec<&str> = lifecycle.lines().filter_map(|line| line.trim().strip_prefix("- Id: ")).collect();
        rules.sort_unstable();
        assert_eq!(rules, RULES);
        let list = |name: &str| -> Vec<String> {
            let list = after(&format!("{name}: [")).split(']').next().unwrap();
            list.split(", ").map(str::to_ascii_lowercase).collect()
        };
        assert_eq!(list("AllowedHeaders"), SENT);
        assert_eq!(list("ExposedHeaders"), EXPOSED);
        assert_eq!(list("AllowedMethods"), METHODS.map(str::to_ascii_lowercase));
    }
}
