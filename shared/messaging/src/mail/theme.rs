//! The common layout of all mails, as HTML and as plain text. Its files are compiled in.

use askama::Template;
use consigne_core::mail::{Address, Mail, Topic};
use consigne_core::profiles::Language;
use consigne_core::{Application, Fault, Timestamp};

use super::template::{MailContent, MailTemplate, Quoted};

/// What all mails of an installation have in common.
#[derive(Clone, Debug)]
pub struct MailTheme {
    /// Name of the sender.
    pub brand: String,
    /// The application to which links lead.
    pub application: Application,
}

/// The recipient of a mail.
#[derive(Clone, Debug)]
pub struct Reader {
    /// Address to which the mail goes.
    pub address: Address,
    /// The recipient's name, if known.
    pub name: Option<String>,
    /// Language in which it is written.
    pub language: Language,
    /// URL at which they unsubscribe, for mails with a topic.
    pub unsubscribe: Option<String>,
}

#[derive(Template)]
#[template(path = "mail.html")]
struct Page<'a> {
    language: &'static str,
    brand: &'a str,
    greeting: &'a str,
    content: &'a MailContent,
    otherwise: &'static str,
    footer: &'static str,
    unsubscribe: Option<&'a str>,
    unsubscribe_label: &'static str,
}

#[derive(Template)]
#[template(path = "mail.txt")]
struct Text<'a> {
    brand: &'a str,
    greeting: &'a str,
    content: &'a MailContent,
    colon: &'static str,
    footer: &'static str,
    unsubscribe: Option<&'a str>,
    unsubscribe_label: &'static str,
}

impl MailTheme {
    /// Writes a mail for a recipient.
    ///
    /// # Errors
    /// `INTERNAL` if the layout cannot be rendered. The layout is compiled in and a test writes every template, so this does
    /// not happen.
    pub fn write(&self, template: &dyn MailTemplate, reader: Reader, now: Timestamp) -> Result<Mail, Fault> {
        let content = template.content(reader.language, &self.application);
        let (phrases, greeting) = (Phrases::of(reader.language), greeting(&reader));
        let (footer, unsubscribe) = match template.topic() {
            None => (phrases.always, None),
            Some(Topic::Jobs) => (phrases.jobs, reader.unsubscribe),
            Some(Topic::Limits) => (phrases.limits, reader.unsubscribe),
        };
        let page = Page {
            language: reader.language.name(),
            brand: &self.brand,
            greeting: &greeting,
            content: &content,
            otherwise: phrases.otherwise,
            footer,
            unsubscribe: unsubscribe.as_deref(),
            unsubscribe_label: phrases.unsubscribe,
        };
        let text = Text {
            brand: &self.brand,
            greeting: &greeting,
            content: &content,
            colon: phrases.colon,
            footer,
            unsubscribe: unsubscribe.as_deref(),
            unsubscribe_label: phrases.unsubscribe,
        };
        let (html, text) = (page.render().map_err(Fault::internal)?, text.render().map_err(Fault::internal)?);
        Ok(Mail { to: reader.address, subject: content.subject, text, html, unsubscribe, at: now })
    }
}

fn greeting(reader: &Reader) -> String {
    let hello = match reader.language {
        Language::English => "Hello",
        Language::French => "Bonjour",
    };
    match &reader.name {
        Some(name) => format!("{hello} {},", Quoted::name(name)),
        None => format!("{hello},"),
    }
}

/// The layout's own texts.
struct Phrases {
    colon: &'static str,
    otherwise: &'static str,
    always: &'static str,
    jobs: &'static str,
    limits: &'static str,
    unsubscribe: &'static str,
}

impl Phrases {
    const fn of(language: Language) -> Self {
        match language {
            Language::English => Self {
                colon: ":",
                otherwise: "If the button does not work, open this address:",
                always: "You receive this mail because it concerns your account. Please do not reply to it.",
                jobs: "You receive this mail because you had something generated. Please do not reply to it.",
                limits: "You receive this mail because you look after credits and quotas. Please do not reply to it.",
                unsubscribe: "Receive no more of these mails",
            },
            Language::French => Self {
                colon: "\u{a0}:",
                otherwise: "Si le bouton ne fonctionne pas, ouvrez cette adresse\u{a0}:",
                always: "Vous recevez ce message parce qu’il concerne votre compte. Merci de ne pas y répondre.",
                jobs: "Vous recevez ce message à la suite d’une génération. Merci de ne pas y répondre.",
                limits: "Vous recevez ce message pour suivre vos crédits et quotas. Merci de ne pas y répondre.",
                unsubscribe: "Ne plus recevoir ces messages",
            },
        }
    }
}
