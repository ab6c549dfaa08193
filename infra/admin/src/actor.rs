//! The name of the operator, under which changes are written to the audit log.

use std::process::Command;

use consigne_core::text;
use consigne_runtime::settings::EnvVars;

/// Longest name of an operator, in characters.
const NAME_MAX: usize = 64;

/// Returns the operator's name: of `--as`, of the shell's `USER` or `LOGNAME`, or the name of the process's user.
///
/// # Errors
/// If `--as` is not a name, or there is no name at all.
pub(crate) fn name(given: Option<&str>) -> Result<String, String> {
    let shell = EnvVars::process();
    choose(given, [shell.variable("USER"), shell.variable("LOGNAME")], system_user)
}

fn choose(
    given: Option<&str>,
    of_shell: [Option<String>; 2],
    of_system: impl FnOnce() -> Option<String>,
) -> Result<String, String> {
    if let Some(given) = given {
        return text::label("--as", given, NAME_MAX).map_err(|fault| format!("{}.", fault.message));
    }
    let fit = |name: Option<String>| text::label("USER", &name?, NAME_MAX).ok();
    let found = of_shell.into_iter().find_map(fit).or_else(|| fit(of_system()));
    found.ok_or_else(|| {
        "Nothing was changed: this machine does not say who you are, and the audit log needs a name. Give yours with \
         --as NAME, or set USER."
            .to_owned()
    })
}

/// Asks the system for the name of the user who runs this process.
fn system_user() -> Option<String> {
    let ask = |program: &str| Command::new(program).arg("-un").output().ok().filter(|output| output.status.success());
    // A shell without a search path still has the program at this place.
    let output = ask("id").or_else(|| ask("/usr/bin/id"))?;
    String::from_utf8(output.stdout).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_name_that_there_is_counts() {
        let owned = |name: Option<&str>| name.map(str::to_owned);
        let of = |given, user, logname, system| choose(given, [owned(user), owned(logname)], || owned(system));
        assert_eq!(of(Some("Zoë 本田"), Some("ann"), Some("bob"), Some("cyd")), Ok("Zoë 本田".to_owned()));
        assert_eq!(of(None, Some("ann"), Some("bob"), Some("cyd")), Ok("ann".to_owned()));
        assert_eq!(of(None, Some(" "), Some("bob"), Some("cyd")), Ok("bob".to_owned()));
        assert_eq!(of(None, None, Some("a\u{1b}b"), Some("cyd\n")), Ok("cyd".to_owned()));
    }

    #[test]
    fn without_a_name_nothing_is_done() {
        let refused = choose(None, [None, Some(String::new())], || None).unwrap_err();
        assert!(refused.contains("--as NAME") && refused.starts_with("Nothing was changed"), "{refused}");
        assert!(choose(Some("a\nb"), [Some("ann".to_owned()), None], || None).unwrap_err().starts_with("--as "));
    }

    #[test]
    fn the_system_knows_who_runs_this() {
        assert!(system_user().is_some_and(|name| !name.trim().is_empty()));
    }
}
