//! `consigne mail`: previews mails with sample values, without sending any.

use std::path::PathBuf;

use clap::Subcommand;
use consigne_core::mail::{Address, Topic};
use consigne_core::profiles::Language;
use consigne_messaging::mail::{Application, MailTheme, Reader, templates};
use serde_json::{Value, json};

use crate::grid::Grid;
use crate::report::{Outcome, Report};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the mails and their topics.
    List,
    /// Write a mail to the screen or to a file, as its reader sees it.
    Preview {
        /// Name of the mail.
        name: String,
        /// Language: en or fr.
        #[arg(long, default_value = "en")]
        lang: String,
        /// Only the plain text, instead of the HTML page.
        #[arg(long)]
        text: bool,
        /// File to write to.
        #[arg(long)]
        out: Option<PathBuf>,
    },
}

pub(crate) fn run(command: &Command) -> Outcome {
    match command {
        Command::List => {
            let mails = templates::samples().into_iter();
            let mail = |(name, topic): (&str, Option<&str>)| json!({ "name": name, "topic": topic });
            let mails = mails.map(|template| mail((template.name(), template.topic().map(Topic::name))));
            Ok(Report::new(list(), json!({ "mails": mails.collect::<Vec<Value>>() })))
        }
        Command::Preview { name, lang, text, out } => {
            let mail = preview(name, lang, *text)?;
            let form = if *text { "text" } else { "html" };
            let Some(path) = out else {
                return Ok(Report::new(mail.as_str(), json!({ "name": name, "language": lang, form: mail })));
            };
            std::fs::write(path, mail).map_err(|error| format!("{} cannot be written: {error}", path.display()))?;
            Ok(Report::done(format!("Wrote {}.", path.display()), json!({ "file": path })))
        }
    }
}

fn list() -> String {
    let mut grid = Grid::new(&["mail", "topic"]);
    for template in templates::samples() {
        let topic = template.topic().map_or("always sent", Topic::name);
        grid.row([template.name().to_owned(), topic.to_owned()]);
    }
    grid.render()
}

fn preview(name: &str, language: &str, text: bool) -> Result<String, String> {
    let language = Language::from_name(language).ok_or_else(|| format!("--lang {language} must be en or fr."))?;
    let template = templates::samples().into_iter().find(|template| template.name() == name);
    let template = template.ok_or_else(|| format!("Unknown mail {name}; known are:\n{}", list()))?;
    let theme = MailTheme { brand: "Consigne".to_owned(), application: Application::at("https://app.example.com") };
    let address = Address::parse("ann@example.com").ok_or("the sample address is malformed")?;
    let unsubscribe = Some("https://api.example.com/api/mail/unsubscribe?token=sample".to_owned());
    let reader = Reader { address, name: Some("Ann".to_owned()), language, unsubscribe };
    let mail = theme.write(&*template, reader, consigne_runtime::clock::now()).map_err(|fault| fault.chain())?;
    Ok(if text { format!("{}\n\n{}", mail.subject, mail.text) } else { mail.html })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_is_shown_in_the_language_and_form_asked_for_and_an_unknown_one_names_the_others() {
        assert!(
            preview("key-created", "fr", true).unwrap().starts_with("Acme : nouvelle clé d’API « Production API »\n")
        );
        assert!(preview("wallet-low", "en", false).unwrap().starts_with("<!DOCTYPE html>\n<html lang=\"en\">"));
        assert!(preview("x", "en", false).unwrap_err().contains("invitation   "));
        assert_eq!(preview("invitation", "de", false), Err("--lang de must be en or fr.".to_owned()));
    }
}
