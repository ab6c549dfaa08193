//! Shows what the doctor found: all of it once, or what has changed since the last look.

use consigne_runtime::clock;
use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr as _;

use super::finding::{Finding, State};
use crate::grid::visible;
use crate::report::Report;

/// Returns the report. It fails if a check failed, and with `strict` also if one has a warning.
pub(crate) fn report(stack: &str, findings: &[Finding], strict: bool) -> Report {
    let report = Report::new(format!("{}\n{}", lines(findings), summary(findings)), document(stack, findings));
    let worst = if strict { State::Warning } else { State::Failed };
    if findings.iter().any(|one| one.state >= worst) { report.failed() } else { report }
}

/// Prints the first look whole, and of later ones what has changed.
///
/// # Errors
/// If it cannot be printed.
pub(crate) fn watched(stack: &str, before: Option<&[Finding]>, now: &[Finding], as_json: bool) -> Result<(), String> {
    let printed = match before {
        _ if as_json => document(stack, now).to_string(),
        None => format!("{}\n{}", lines(now), summary(now)),
        Some(before) => {
            let changed = changes(before, now);
            if changed.is_empty() {
                return Ok(());
            }
            format!("{}\n{}\n{}", clock::now(), lines(&changed), summary(now))
        }
    };
    crate::say(&printed).map_err(|error| format!("It cannot be printed: {error}"))
}

/// Returns the findings whose state is new. Numbers in their texts change all the time. A problem that is gone and has
/// no successor of its name is shown as well.
fn changes(before: &[Finding], now: &[Finding]) -> Vec<Finding> {
    let same = |a: &Finding, b: &Finding| a.name == b.name && a.state == b.state;
    let fresh = now.iter().filter(|one| !before.iter().any(|old| same(old, one))).cloned();
    let gone = before.iter().filter(|old| old.state >= State::Warning && !now.iter().any(|one| one.name == old.name));
    fresh.chain(gone.map(|old| Finding::ok(old.name.clone(), format!("no longer: {}", old.text)))).collect()
}

/// Returns a line for each finding, with the cure below it.
fn lines(findings: &[Finding]) -> String {
    let width = findings.iter().map(|one| one.name.width()).max().unwrap_or(0);
    let states = findings.iter().map(|one| one.state.word().len()).max().unwrap_or(0);
    let pad = |text: &str, width: usize| format!("{text}{}", " ".repeat(width.saturating_sub(text.width())));
    let line = |one: &Finding| {
        let head = format!("{}  {}  {}", pad(one.state.word(), states), pad(&one.name, width), visible(&one.text));
        let indent = " ".repeat(states + width + 4);
        one.cure.as_ref().map_or_else(|| head.clone(), |cure| format!("{head}\n{indent}to do: {}", visible(cure)))
    };
    findings.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Returns the last line.
fn summary(findings: &[Finding]) -> String {
    let count = |state| findings.iter().filter(|one| one.state == state).count();
    let named = |count: usize, one: &str| if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") };
    match (count(State::Failed), count(State::Warning)) {
        (0, 0) => "All is well.".to_owned(),
        (0, warnings) => format!("Nothing failed; {}.", named(warnings, "warning")),
        (failed, warnings) => {
            format!("Something is wrong: {} failed, {}.", named(failed, "check"), named(warnings, "warning"))
        }
    }
}

fn document(stack: &str, findings: &[Finding]) -> Value {
    let checks: Vec<Value> = findings.iter().map(Finding::document).collect();
    json!({ "stack": stack, "ok": findings.iter().all(Finding::is_well), "checks": checks })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found() -> [Finding; 3] {
        [
            Finding::ok("table", "is active"),
            Finding::warning("mail sandbox", "the account is in it", "ask"),
            Finding::failed("bucket CORS", "is gone", "`make deploy`"),
        ]
    }

    #[test]
    fn a_failure_fails_the_report_and_a_warning_only_a_strict_one() {
        let [ok, warning, failed] = found();
        let exit = |findings: &[Finding], strict| report("s", findings, strict).exit();
        assert_eq!((exit(std::slice::from_ref(&ok), true), exit(&[ok.clone(), warning.clone()], false)), (0, 0));
        assert_eq!((exit(&[ok.clone(), warning.clone()], true), exit(&[ok.clone(), failed.clone()], false)), (1, 1));
        let text = report("s", &[ok.clone(), failed, warning], false).render(false);
        let want = "ok       table         is active\n\
                    FAILED   bucket CORS   is gone\n                       to do: `make deploy`\n\
                    warning  mail sandbox  the account is in it\n                       to do: ask\n\
                    Something is wrong: 1 check failed, 1 warning.";
        assert_eq!(text, want);
        assert!(report("s", &[ok], false).render(false).ends_with("\nAll is well."));
    }

    #[test]
    fn programs_get_every_finding_with_its_state_and_cure() {
        let json: Value = serde_json::from_str(&report("s", &found(), false).render(true)).unwrap();
        assert_eq!((&json["stack"], &json["ok"]), (&json!("s"), &json!(false)));
        let want = json!({
            "name": "mail sandbox", "ok": true, "state": "warning", "text": "the account is in it", "cure": "ask"
        });
        assert_eq!((&json["checks"][1], &json["checks"][2]["ok"]), (&want, &json!(false)));
    }

    #[test]
    fn a_watch_shows_only_what_has_changed_its_state() {
        let [ok, warning, failed] = found();
        let before = [ok.clone(), warning.clone(), failed.clone()];
        assert!(changes(&before, &before).is_empty());
        let other_number = Finding { text: "42".to_owned(), ..ok.clone() };
        assert!(changes(std::slice::from_ref(&ok), &[other_number]).is_empty());
        let mended = Finding::ok("bucket CORS", "is there");
        assert_eq!(changes(&before, &[ok.clone(), warning, mended.clone()]), [mended]);
        let gone = changes(&before, &[ok, failed]);
        assert_eq!((gone.len(), gone[0].state, gone[0].name.as_str()), (1, State::Ok, "mail sandbox"));
    }
}
