//! The page that unsubscribe links open.

use askama::Template;
use consigne_core::Fault;
use consigne_core::mail::Topic;
use consigne_core::profiles::Language;

#[derive(Template)]
#[template(path = "unsubscribe.html")]
struct Page {
    language: &'static str,
    title: &'static str,
    text: String,
    button: Option<&'static str>,
}

/// Writes the page: with the button that unsubscribes, or with the confirmation if `done`.
///
/// # Errors
/// `INTERNAL` if the page cannot be rendered. It is compiled in, so this does not happen.
pub fn unsubscribe_page(language: Language, topic: Topic, done: bool) -> Result<String, Fault> {
    let about = match (language, topic) {
        (Language::English, Topic::Jobs) => "what was generated for you",
        (Language::English, Topic::Limits) => "credits and quotas",
        (Language::French, Topic::Jobs) => "vos générations",
        (Language::French, Topic::Limits) => "vos crédits et quotas",
    };
    let (title, text, button) = match (language, done) {
        (Language::English, false) => (
            "Receive no more of these mails?",
            format!("You will receive no more mails about {about}. Those about your account itself are still sent."),
            Some("Unsubscribe"),
        ),
        (Language::English, true) => ("Done", format!("You receive no more mails about {about}."), None),
        (Language::French, false) => (
            "Ne plus recevoir ces messages\u{a0}?",
            format!("Vous ne recevrez plus de messages sur {about}. Ceux qui concernent votre compte restent envoyés."),
            Some("Se désinscrire"),
        ),
        (Language::French, true) => ("C’est fait", format!("Vous ne recevez plus de messages sur {about}."), None),
    };
    Page { language: language.name(), title, text, button }.render().map_err(Fault::internal)
}
