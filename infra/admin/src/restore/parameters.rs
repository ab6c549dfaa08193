//! The parameters with which the lost stack was deployed. A deployment keeps the values of the last one, so some stand
//! in no file: those of the CDN, and those that were deployed once.

use super::slice::{head, section};

/// `make deploy` makes it anew.
const DERIVED: &str = "SettingsDigest";

/// Returns the parameters of a stack that have another value than the template's default. `value_of` returns the value of
/// one; empty if the stack does not have it.
pub(crate) fn differing<'a>(template: &str, value_of: impl Fn(&str) -> &'a str) -> Vec<(String, String)> {
    let defaults = defaults(template).into_iter();
    let values = defaults.map(|(name, default)| (name, default, value_of(name)));
    let differ = values.filter(|(name, default, value)| !value.is_empty() && value != default && *name != DERIVED);
    differ.map(|(name, _, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Returns the names of all parameters, and their defaults; empty if they have none.
fn defaults(template: &str) -> Vec<(&str, &str)> {
    let mut found: Vec<(&str, &str)> = Vec::new();
    for line in section(template, "Parameters") {
        if let Some(name) = head(line) {
            found.push((name, ""));
        } else if let (Some(text), Some(last)) = (line.strip_prefix("    Default: "), found.last_mut()) {
            last.1 = text.trim().trim_matches('"');
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = include_str!("../../../../template.yaml");

    #[test]
    fn what_stands_in_no_file_is_listed_and_defaults_are_not() {
        let of_lost = |name: &str| match name {
            "ClerkIssuer" => "https://clerk.acme.dev",
            "KeyPrefix" => "acme",
            "CdnDomain" => "d1.cloudfront.net",
            // These are the defaults: a number, a word in quotes, a word without.
            "ArchiveAfterDays" => "90",
            "DeletionProtection" => "true",
            "ReconcileRepair" => "report",
            "SettingsDigest" => "abc",
            _ => "",
        };
        let names: Vec<(String, String)> = differing(TEMPLATE, of_lost);
        let names: Vec<&str> = names.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["ClerkIssuer", "KeyPrefix", "CdnDomain"]);
        let unset = "arn:aws:secretsmanager:us-east-1:000000000000:secret:none";
        assert!(defaults(TEMPLATE).contains(&("CdnKeysArn", unset)));
    }
}
