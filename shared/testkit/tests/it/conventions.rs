//! Rules of the repository: folder, package, binary, events folder and logical id of a function have the same name; a
//! function reads exactly its settings; functions/README.md has a row for each; queues have dead-letter queues.

use std::collections::BTreeSet;
use std::process::Command;

use consigne_core::files::MediaType;
use consigne_testkit::functions::functions as registered;
use consigne_testkit::payload::{built, root};
use consigne_testkit::template::{functions, name_of, routes, template, text};
use serde_json::Value;

/// Returns the names of the folders in a folder.
fn folders(path: &str) -> BTreeSet<String> {
    let entries = std::fs::read_dir(root().join(path)).unwrap();
    let folders = entries.map(|entry| entry.unwrap()).filter(|entry| entry.path().is_dir());
    folders.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// Converts `on-object-event` to `OnObjectEvent`.
fn pascal(name: &str) -> String {
    let capital = |word: &str| [word[..1].to_uppercase().as_str(), &word[1..]].concat();
    name.split('-').map(capital).collect::<Vec<_>>().concat()
}

fn names() -> BTreeSet<String> {
    functions(&template()).iter().map(|(_, properties)| name_of(properties).to_owned()).collect()
}

#[test]
fn a_function_has_the_same_name_everywhere() {
    let template = template();
    assert_eq!(folders("functions"), names(), "folders of functions/ against the template");
    assert!(
        registered().iter().map(|function| function.name).eq(names()),
        "the functions' own names against the template"
    );
    let mut payloads = folders("events");
    assert!(payloads.remove("schemas"), "events/ also has the schemas of published events");
    assert_eq!(payloads, names(), "folders of events/ against the template");
    for (logical, properties) in functions(&template) {
        let name = name_of(&properties);
        assert_eq!(logical, format!("{}Function", pascal(name)));
        assert_eq!(properties["FunctionName"]["!Sub"], format!("${{AWS::StackName}}-{name}"));
        assert_eq!(properties["CodeUri"], format!("target/lambda/{name}"));
        let logs = properties["LoggingConfig"]["LogGroup"]["!Ref"].as_str().unwrap();
        let part = logs.strip_suffix("Logs").unwrap().to_lowercase();
        let group = &template["Resources"][logs]["Properties"];
        assert_eq!(group["LogGroupName"]["!Sub"], format!("/consigne/${{AWS::StackName}}/{part}"));
        assert!(group["RetentionInDays"].is_object(), "{logs} keeps its lines for ever");
        let manifest = std::fs::read_to_string(root().join("functions").join(name).join("Cargo.toml")).unwrap();
        assert!(manifest.contains(&format!("name = \"{name}\"\n")), "{name}: the package has another name");
    }
}

#[test]
fn functions_are_in_alphabetical_order() {
    let order: Vec<String> = functions(&template()).into_iter().map(|(logical, _)| logical).collect();
    let mut sorted = order.clone();
    sorted.sort();
    assert_eq!(order, sorted);
}

#[test]
fn mains_have_at_most_twenty_lines() {
    for name in names() {
        let main = std::fs::read_to_string(root().join("functions").join(&name).join("src/main.rs")).unwrap();
        assert!(main.lines().count() <= 20, "{name}");
    }
}

#[test]
fn every_function_reads_exactly_the_settings_it_is_given() {
    let template = template();
    for (_, properties) in functions(&template) {
        let name = name_of(&properties);
        let mut given = variables(&properties);
        // The global variables are for functions that answer HTTP.
        if properties["Events"]
            .as_object()
            .is_some_and(|events| events.values().any(|event| event["Type"] == "HttpApi"))
        {
            given.extend(variables(&template["Globals"]["Function"]));
        }
        assert_eq!(settings_of(name), given, "{name}: settings read against variables set");
    }
}

/// Returns the names of the environment variables that something sets.
fn variables(properties: &Value) -> BTreeSet<String> {
    let variables = properties["Environment"]["Variables"].as_object();
    variables.into_iter().flatten().map(|(name, _)| name.clone()).collect()
}

/// Runs the built function to list the settings that it reads.
fn settings_of(name: &str) -> BTreeSet<String> {
    let binary = built(name);
    let output = Command::new(&binary).arg("--settings").output();
    let output = output.unwrap_or_else(|error| panic!("{}: {error}; `cargo build` makes it", binary.display()));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter_map(|line| line.split('\t').next()).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

#[test]
fn the_fallback_has_the_routes_of_the_template() {
    let known: BTreeSet<(String, String)> =
        fallback::ROUTES.iter().map(|(method, path)| ((*method).to_owned(), (*path).to_owned())).collect();
    let routed = routes(&template()).into_iter().map(|(_, method, path)| (method, path)).collect();
    assert_eq!(known, routed);
}

#[test]
fn the_table_of_functions_has_a_row_for_each() {
    let text = std::fs::read_to_string(root().join("functions/README.md")).unwrap();
    let rows: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    assert!(rows.iter().copied().eq(names().iter().map(String::as_str)), "{rows:?}");
}

#[test]
fn every_permission_on_all_resources_has_a_comment() {
    let text = text();
    let lines: Vec<&str> = text.lines().collect();
    for (at, line) in lines.iter().enumerate() {
        let bare = ["\"*\"", "'*'", ": *", "[*]"].iter().any(|star| line.contains(star)) || line.contains(":*\"");
        assert!(!bare || lines[at - 1].trim_start().starts_with('#'), "line {}: {line}", at + 1);
    }
}

#[test]
fn every_queue_has_a_dead_letter_queue_and_a_long_enough_visibility_timeout() {
    let template = template();
    let resources = template["Resources"].as_object().unwrap();
    let of_type = |kind: &str| -> Vec<(&String, &Value)> {
        resources.iter().filter(|(_, resource)| resource["Type"] == kind).collect()
    };
    for (name, mapping) in of_type("AWS::Lambda::EventSourceMapping") {
        let mapping = &mapping["Properties"];
        let function = &resources[mapping["FunctionName"]["!Ref"].as_str().unwrap()]["Properties"];
        assert_eq!(mapping["FunctionResponseTypes"][0], "ReportBatchItemFailures", "{name}");
        let source = mapping["EventSourceArn"]["!GetAtt"].as_str().unwrap();
        let Some(queue) = source.strip_suffix(".Arn").and_then(|queue| resources.get(queue)) else {
            assert!(
                mapping["DestinationConfig"]["OnFailure"].is_object(),
                "{name}: a poisoned record blocks the stream"
            );
            continue;
        };
        let queue = &queue["Properties"];
        let timeout = function["Timeout"].as_u64().unwrap_or(10);
        assert!(
            queue["VisibilityTimeout"].as_u64() >= Some(6 * timeout),
            "{name}: visibility below six times {timeout} s"
        );
        assert!(queue["RedrivePolicy"]["deadLetterTargetArn"].is_object(), "{name}: ends nowhere");
    }
}

/// Returns whether CloudFormation accepts a value for a parameter.
fn takes(parameter: &str, value: &str) -> bool {
    let pattern = template()["Parameters"][parameter]["AllowedPattern"].as_str().unwrap().to_owned();
    // CloudFormation matches the whole value.
    regex_lite::Regex::new(&format!("^(?:{pattern})$")).unwrap().is_match(value)
}

#[test]
fn parameters_accept_exactly_the_values_that_work() {
    let key = "-----BEGIN PUBLIC KEY-----\\nMIIB+/a=\\n-----END PUBLIC KEY-----";
    for good in [String::new(), key.to_owned(), format!("{key}\\n"), format!("{key}\n"), key.replace("\\n", "\n")] {
        assert!(takes("ClerkJwtKey", &good), "{good:?}");
    }
    assert!(takes("ClerkJwtKey", &format!("{key}\\n{key}\\n")), "two keys, while one replaces the other");
    for bad in ["x", "-----BEGIN PRIVATE KEY-----\\nMIIB\\n-----END PRIVATE KEY-----", "sk_test_x"] {
        assert!(!takes("ClerkJwtKey", bad), "{bad:?}");
    }
    assert!(takes("AuthorizedParties", "https://app.example.com") && !takes("AuthorizedParties", ""));
    for good in ["", "https://api.example.com", "http://127.0.0.1:4566/_aws/execute-api/a1/%24default"] {
        assert!(takes("PublicUrl", good), "{good:?}");
    }
    for bad in ["https://api.example.com/", "https://", "api.example.com", "https://a.example?x", "https://a b"] {
        assert!(!takes("PublicUrl", bad), "{bad:?}");
    }
    for good in ["", "no-reply@example.com", "Été & Cie <no-reply@example.com>", "<no-reply@example.com>"] {
        assert!(takes("MailFrom", good), "{good:?}");
    }
    for bad in ["Consigne", "no-reply@", "\"A\" <a@example.com>", "A <a@example.com> B", "a@example.com, b@example.com"]
    {
        assert!(!takes("MailFrom", bad), "{bad:?}");
    }
    assert!(takes("ApplicationUrl", "http://localhost:3000") && !takes("ApplicationUrl", "https://app.example.com/"));
    // ClerkJwtKey or ClerkJwksUrl must be set.
    let rule = template()["Rules"]["SomeKey"]["Assertions"][0]["Assert"].to_string();
    assert!(rule.contains("ClerkJwtKey") && rule.contains("ClerkJwksUrl"), "{rule}");
}

#[test]
fn no_file_is_too_long() {
    let mut long = Vec::new();
    let mut folders = vec![root().join("functions"), root().join("shared"), root().join("infra")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs" || extension == "py") {
                let lines = std::fs::read_to_string(&path).unwrap().lines().count();
                if lines > 420 {
                    long.push(format!("{} has {lines} lines", path.display()));
                }
            }
        }
    }
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn the_table_of_file_types_agrees_with_the_code() {
    let page = std::fs::read_to_string(root().join("docs/reference/files.md")).unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let words = |cell: &str| cell.split_whitespace().map(str::to_owned).collect::<BTreeSet<String>>();
    let shown: Vec<Vec<BTreeSet<String>>> =
        rows.map(|row| row.replace('`', "").split('|').skip(1).take(4).map(words).collect()).collect();
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    let known: Vec<Vec<BTreeSet<String>>> = MediaType::names()
        .map(|name| {
            let media = MediaType::from_name(name).unwrap();
            let kinds: Vec<&str> = media.kinds.iter().map(|kind| kind.name()).collect();
            vec![set(&[name]), set(media.aliases), set(media.extensions), set(&kinds)]
        })
        .collect();
    assert_eq!(shown, known);
}
