//! The step about the bucket's settings: those of the template, so that adopting it changes nothing.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::{Restore, Standing};
use crate::aws::Refusal;
use crate::doctor::bucket::{METHODS, SENT, SETTINGS, judge};

const NAMESPACE: &str = "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"";

/// Looks which settings are not those of the template.
pub(crate) async fn look(restore: &Restore) -> Result<Standing, String> {
    let bucket = &restore.bucket;
    let origins: Vec<&str> = restore.origins.iter().map(String::as_str).collect();
    let mut other = Vec::new();
    for (name, action, query) in SETTINGS {
        let path = format!("{bucket}?{query}");
        let read = restore.aws.s3(action, "GET", &path, Vec::new(), String::new()).await;
        match &read {
            Err(Refusal::Missing(code)) if code == "NoSuchBucket" => {
                let why = format!("there is no bucket {bucket}. Restore one with AWS Backup, or name the replica.");
                return Ok(Standing::Blocked(why));
            }
            Err(refusal @ (Refusal::Denied(_) | Refusal::Failed(_) | Refusal::Throttled(_))) => {
                return Err(refusal.clone().into());
            }
            // The template brings a policy of its own, and CloudFormation would not replace this one.
            Ok(_) if query == "policy" && !owned(restore).await? => {
                let why = format!(
                    "{bucket} has a policy. Note it and take it away: `aws s3api delete-bucket-policy --bucket {bucket}`."
                );
                return Ok(Standing::Blocked(why));
            }
            _ if query == "policy" => {}
            _ if judge(name, &read, Some(&origins), Some(false), false).is_well() => {}
            _ => other.push(name.strip_prefix("bucket ").unwrap_or(name)),
        }
    }
    Ok(if other.is_empty() {
        Standing::Done(format!("{bucket} has the settings of the template"))
    } else {
        Standing::ToDo(format!("set of {bucket}: {}", other.join(", ")))
    })
}

/// Returns whether the new stack has the bucket already. Then the policy is its own.
async fn owned(restore: &Restore) -> Result<bool, String> {
    Ok(super::adopt::read(restore).await?.is_some_and(|stack| stack.physical("Bucket") == restore.bucket))
}

/// Sets all settings, those that are right already too.
pub(crate) async fn set(restore: &Restore) -> Result<(), String> {
    for (action, query, body) in settings(&restore.origins, restore.archive_after) {
        let path = format!("{}?{query}", restore.bucket);
        // S3 wants a checksum with such requests. Source: Amazon S3 API reference, `PutBucketCors`.
        let sum = STANDARD.encode(Sha256::digest(&body));
        let headers = vec![
            ("content-type", "application/xml".to_owned()),
            ("x-amz-sdk-checksum-algorithm", "SHA256".to_owned()),
            ("x-amz-checksum-sha256", sum),
        ];
        restore.aws.s3(action, "PUT", &path, headers, body).await?;
    }
    Ok(())
}

/// Returns each setting as the template has it: permission, name in the query, body.
fn settings(origins: &[String], archive_after: u32) -> [(&'static str, &'static str, String); 7] {
    let tag = |name: &str, inner: &str| format!("<{name} {NAMESPACE}>{inner}</{name}>");
    let each = |name: &str, values: &[&str]| {
        let one = |value: &&str| format!("<{name}>{}</{name}>", escaped(value));
        values.iter().map(one).collect::<Vec<_>>().concat()
    };
    let open = ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"];
    let closed = open.map(|part| format!("<{part}>true</{part}>")).concat();
    let origins: Vec<&str> = origins.iter().map(String::as_str).collect();
    let cors = [
        each("AllowedOrigin", &origins),
        each("AllowedMethod", &METHODS),
        each("AllowedHeader", &SENT),
        each("ExposeHeader", &["ETag", "accept-ranges", "content-range", "x-amz-request-id", "x-amz-version-id"]),
    ];
    let rule_of = |id: &str, prefix: &str, what: &str| {
        format!("<Rule><ID>{id}</ID><Filter><Prefix>{prefix}</Prefix></Filter><Status>Enabled</Status>{what}</Rule>")
    };
    let rule = |id: &str, what: &str| rule_of(id, "", what);
    let lifecycle = [
        rule(
            "abort-unfinished-uploads",
            "<AbortIncompleteMultipartUpload><DaysAfterInitiation>3</DaysAfterInitiation></AbortIncompleteMultipartUpload>",
        ),
        rule(
            "remove-old-versions",
            "<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration><NoncurrentVersionExpiration>\
             <NoncurrentDays>30</NoncurrentDays></NoncurrentVersionExpiration>",
        ),
        rule_of(
            "remove-exports",
            "exports/",
            "<Expiration><Days>8</Days></Expiration><NoncurrentVersionExpiration><NoncurrentDays>8</NoncurrentDays>\
             </NoncurrentVersionExpiration>",
        ),
        rule(
            "archive",
            &format!("<Transition><Days>{archive_after}</Days><StorageClass>GLACIER_IR</StorageClass></Transition>"),
        ),
    ];
    [
        ("s3:PutBucketVersioning", "versioning", tag("VersioningConfiguration", "<Status>Enabled</Status>")),
        (
            "s3:PutEncryptionConfiguration",
            "encryption",
            tag(
                "ServerSideEncryptionConfiguration",
                "<Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault>\
                 </Rule>",
            ),
        ),
        ("s3:PutBucketPublicAccessBlock", "publicAccessBlock", tag("PublicAccessBlockConfiguration", &closed)),
        (
            "s3:PutBucketOwnershipControls",
            "ownershipControls",
            tag("OwnershipControls", "<Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule>"),
        ),
        ("s3:PutBucketNotification", "notification", tag("NotificationConfiguration", "<EventBridgeConfiguration/>")),
        ("s3:PutLifecycleConfiguration", "lifecycle", tag("LifecycleConfiguration", &lifecycle.concat())),
        (
            "s3:PutBucketCORS",
            "cors",
            tag(
                "CORSConfiguration",
                &format!("<CORSRule>{}<MaxAgeSeconds>3600</MaxAgeSeconds></CORSRule>", cors.concat()),
            ),
        ),
    ]
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = include_str!("../../../../template.yaml");

    #[test]
    fn what_is_set_is_what_the_template_says_and_what_the_doctor_wants() {
        let origin = "https://app.acme.dev".to_owned();
        let set = settings(std::slice::from_ref(&origin), 90);
        for (name, _, query) in SETTINGS.into_iter().filter(|one| one.2 != "policy") {
            let body = set.iter().find(|one| one.1 == query).unwrap_or_else(|| panic!("{query} is not set")).2.clone();
            let found = judge(name, &Ok(body.clone()), Some(&[&origin]), Some(true), false);
            assert!(found.is_well(), "{found:?}: {body}");
        }
        let bucket = super::super::slice::slice(TEMPLATE, &["Bucket"]).unwrap();
        let all: String = set.iter().map(|one| one.2.as_str()).collect();
        let words = bucket.split("Properties:").nth(1).unwrap();
        for list in words.lines().filter(|line| line.contains("Allowed") || line.contains("Exposed")) {
            for value in list
                .split_once('[')
                .map_or("", |(_, rest)| rest.trim_end_matches(']'))
                .split(", ")
                .filter(|v| !v.is_empty())
            {
                assert!(all.contains(&format!(">{value}<")), "{value} of the template is not set");
            }
        }
        for (word, value) in [("DaysAfterInitiation", "3"), ("NoncurrentDays", "30")] {
            assert!(
                words.contains(&format!("{word}: {value}")) && all.contains(&format!("<{word}>{value}<")),
                "{word}"
            );
        }
        assert_eq!(words.matches("- Id: ").count(), all.matches("<ID>").count(), "a rule of the template is not set");
        let exports = words.split("- Id: remove-exports").nth(1).and_then(|rest| rest.split("- Id: ").next()).unwrap();
        for (word, tag) in [
            ("Prefix: exports/", "<Prefix>exports/</Prefix>"),
            ("ExpirationInDays: 8", "<Expiration><Days>8</Days></Expiration>"),
            ("NoncurrentDays: 8", "<NoncurrentDays>8</NoncurrentDays>"),
        ] {
            assert!(exports.contains(word) && all.contains(tag), "{word}");
        }
        assert!(words.contains("StorageClass: GLACIER_IR") && all.contains("<Days>90</Days><StorageClass>GLACIER_IR<"));
    }
}
