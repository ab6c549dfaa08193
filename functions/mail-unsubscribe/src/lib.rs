//! Unsubscribes a person from the mails about one topic.
//!
//! Virus scanners follow links in mails too, so GET changes nothing and shows a page with a button. The button sends a
//! POST, as mail programs do by themselves (one-click unsubscribe, RFC 8058), and that unsubscribes.

use consigne_auth::UnsubscribeSeal;
use consigne_core::Fault;
use consigne_core::ports::Unsubscribe;
use consigne_core::profiles::Language;
use consigne_messaging::mail::unsubscribe_page;
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Request, function};

function! {
    /// Profiles, with the topics that people have unsubscribed from.
    table: A::Table = table(),
    /// Opens the token of a link.
    seal: UnsubscribeSeal = unsubscribe_seal().await,
}

impl<A: Adapters<Table: Unsubscribe>> HttpFunction for Function<A> {
    /// Shows the page, or unsubscribes. Nobody signs in, because the token proves that the caller received the mail.
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let token = request.query("token")?.unwrap_or_default();
        let opened = self.seal.open(&token);
        let (user, topic) = opened.ok_or_else(|| Fault::field("token", "token is not valid"))?;
        request.log.field("user.id", &user);
        request.log.field("mail.topic", topic.name());

        let pressed = *request.method() == "POST";
        if pressed {
            self.table.unsubscribe(&user, topic, request.now).await?;
            request.log.count("MailsUnsubscribed");
        }
        Ok(Answer::html(200, unsubscribe_page(language(request), topic, pressed)?))
    }

    fn operations() -> Vec<Operation> {
        let page = |route, summary| {
            let operation = Operation::new::<String>(route, summary).for_anyone().as_page();
            operation.parameter("token", "Token from the link in the mail", true)
        };
        vec![
            page(
                "GET /api/mail/unsubscribe",
                "Show a page with a button that unsubscribes from mails of one topic. Changes nothing",
            ),
            page("POST /api/mail/unsubscribe", "Unsubscribe from mails of one topic (RFC 8058). The body is ignored"),
        ]
    }
}

/// Returns the language that the browser names first. Source: RFC 9110, section 12.5.4.
fn language(request: &Request) -> Language {
    let asked = request.header("accept-language").unwrap_or_default();
    Language::for_tag(asked.split([',', ';']).next().unwrap_or_default().trim())
}
