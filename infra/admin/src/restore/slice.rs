//! The part of the template with which a stack begins that adopts what exists.
//!
//! It is cut out of template.yaml as text, so the adopted resources stand in both templates in the same words, and the
//! deployment that follows changes none of them.

use std::fmt::Write as _;

/// Parameters that the kept resources refer to.
const PARAMETERS: [&str; 3] = ["ArchiveAfterDays", "AuthorizedParties", "DeletionProtection"];
/// With it, CloudFormation deletes a resource if its creation is taken back.
const ON_CREATE: &str = "DeletionPolicy: RetainExceptOnCreate";
/// The resources that are adopted.
pub(crate) const ADOPTED: [&str; 2] = ["Table", "Bucket"];

/// Cuts the resources with these names out of the template, and what they refer to.
///
/// # Errors
/// If the template lacks one of them.
pub(crate) fn slice(template: &str, resources: &[&str]) -> Result<String, String> {
    let mut text = "AWSTemplateFormatVersion: \"2010-09-09\"\n\
                    Description: What a restored stack of Consigne adopts. Deploy template.yaml over it.\n"
        .to_owned();
    for (section, names) in [("Parameters", PARAMETERS.as_slice()), ("Resources", resources)] {
        let _ = writeln!(text, "{section}:");
        for name in names {
            let block = block(template, section, name).ok_or_else(|| {
                format!("The template has no {name} in {section}. Give the template.yaml of this release.")
            })?;
            // What is adopted holds everything there is. It must outlive also an import that is taken back.
            let adopted = ADOPTED.contains(name);
            text.push_str(&if adopted { block.replace(ON_CREATE, "DeletionPolicy: Retain") } else { block });
        }
    }
    Ok(text)
}

/// Returns the names of all resources of a type.
pub(crate) fn of_kind(template: &str, kind: &str) -> Vec<String> {
    let wanted = format!("    Type: {kind}");
    let mut name = "";
    let mut found = Vec::new();
    for line in section(template, "Resources") {
        if let Some(head) = head(line) {
            name = head;
        } else if line.trim_end() == wanted {
            found.push(name.to_owned());
        }
    }
    found
}

/// Returns whether a resource stays when its stack is deleted.
pub(crate) fn outlives(template: &str, name: &str) -> bool {
    block(template, "Resources", name).is_some_and(|block| block.contains("    DeletionPolicy: "))
}

/// Returns the lines of a section.
pub(crate) fn section<'a>(template: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let begins = format!("{name}:");
    let after = template.lines().skip_while(move |line| line.trim_end() != begins).skip(1);
    after.take_while(|line| line.is_empty() || line.starts_with([' ', '#']))
}

/// Returns the name with which a block begins.
pub(crate) fn head(line: &str) -> Option<&str> {
    let name = line.strip_prefix("  ")?.trim_end().strip_suffix(':')?;
    name.bytes().all(|byte| byte.is_ascii_alphanumeric()).then_some(name)
}

/// Returns a block of a section, without its condition: what exists is adopted whatever the parameters say. The
/// replication of a bucket is left out, because it needs a role; the deployment that follows sets it.
fn block(template: &str, section_name: &str, name: &str) -> Option<String> {
    let mut lines = section(template, section_name).skip_while(|line| head(line) != Some(name));
    let mut text = format!("{}\n", lines.next()?);
    let mut replicates = false;
    for line in lines.take_while(|line| line.is_empty() || line.starts_with("   ")) {
        if line.starts_with("      ") && !line.starts_with("       ") {
            replicates = line.starts_with("      ReplicationConfiguration:");
        }
        if !replicates && !line.starts_with("    Condition:") {
            text.push_str(line);
            text.push('\n');
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = include_str!("../../../../template.yaml");

    #[test]
    fn the_slice_has_the_very_words_of_the_template_and_nothing_more() {
        let text = slice(TEMPLATE, &["Table", "Bucket", "TextModelKey"]).unwrap();
        for line in text.lines().skip(2) {
            assert!(TEMPLATE.contains(line) || line == "    DeletionPolicy: Retain", "{line}");
        }
        let heads: Vec<&str> = text.lines().filter_map(head).collect();
        assert_eq!(
            heads,
            ["ArchiveAfterDays", "AuthorizedParties", "DeletionProtection", "Table", "Bucket", "TextModelKey"]
        );
        for has in [
            "StreamViewType: NEW_IMAGE",
            "IndexName: ledgers",
            "RetainExceptOnCreate",
            "ExposedHeaders",
            "UpdateReplacePolicy: Retain",
        ] {
            assert!(text.contains(has), "{has}");
        }
        let adopted = slice(TEMPLATE, &ADOPTED).unwrap();
        assert_eq!(adopted.matches(" DeletionPolicy: Retain\n").count(), 2, "an import that fails must leave both");
        for lacks in ["Transform", "Outputs", "Condition:", "!If", "BucketPolicy"] {
            assert!(!text.contains(lacks), "{lacks}: an import may have none");
        }
        // CloudFormation takes a template of 51,200 bytes in a request.
        let secrets = of_kind(TEMPLATE, "AWS::SecretsManager::Secret");
        let all: Vec<&str> = ADOPTED.into_iter().chain(secrets.iter().map(String::as_str)).collect();
        assert!(slice(TEMPLATE, &all).unwrap().len() < 51_200);
    }

    #[test]
    fn every_parameter_that_the_kept_resources_refer_to_is_kept() {
        let secrets = of_kind(TEMPLATE, "AWS::SecretsManager::Secret");
        assert!(secrets.len() >= 12 && secrets.contains(&"Peppers".to_owned()), "{secrets:?}");
        let all: Vec<&str> = ADOPTED.into_iter().chain(secrets.iter().map(String::as_str)).collect();
        let text = slice(TEMPLATE, &all).unwrap();
        let resources = text.split("Resources:").nth(1).unwrap();
        let words = resources.split("!Ref ").skip(1).filter_map(|rest| rest.split([' ', '\n', '}', ']', ',']).next());
        for name in words {
            assert!(PARAMETERS.contains(&name), "{name} is referred to and not kept");
        }
        assert!(!resources.contains("!Sub") && !resources.contains("!GetAtt"));
    }

    #[test]
    fn all_secrets_but_three_outlive_their_stack() {
        let secrets = of_kind(TEMPLATE, "AWS::SecretsManager::Secret");
        let gone: Vec<&str> = secrets.iter().map(String::as_str).filter(|name| !outlives(TEMPLATE, name)).collect();
        assert_eq!(gone, ["CursorSecret", "InvitationSecret", "UnsubscribeSecret"]);
    }

    #[test]
    fn a_resource_that_is_missing_is_named() {
        assert!(slice(TEMPLATE, &["Shelf"]).unwrap_err().contains("no Shelf in Resources"));
    }
}
