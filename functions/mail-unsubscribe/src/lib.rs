//! The way out of mails about a topic. Links in mails are followed by scanners too: looking changes nothing, and shows a
//! button; pressing it does, as does the one request that mail programs send by themselves (RFC 8058).

use consigne_auth::UnsubscribeSeal;
use consigne_core::Fault;
use consigne_core::ports::Unsubscribe;
use consigne_core::profiles::Language;
use consigne_messaging::mail::unsubscribe_page;
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Request, function};

function! {
    /// What people want to hear no more of.
    table: A::Table = table(),
    /// Opens what a link holds.
    seal: UnsubscribeSeal = unsubscribe_seal().await,
}

impl<A: Adapters<Table: Unsubscribe>> HttpFunction for Function<A> {
    /// Answers a request to see the way out, or to take it. Nobody signs in: whoever has the mail's token was sent the mail.
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let token = request.query("token")?.unwrap_or_default();
        let opened = self.seal.open(&token);
        let (user, topic) = opened.ok_or_else(|| Fault::field("token", "token is not one of our mails'"))?;
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
            operation.parameter("token", "What the link in the mail holds", true)
        };
        vec![
            page(
                "GET /api/mail/unsubscribe",
                "Show the button that unsubscribes from mails of one topic; changes nothing",
            ),
            page(
                "POST /api/mail/unsubscribe",
                "Unsubscribe from mails of one topic (RFC 8058); the body does not matter",
            ),
        ]
    }
}

/// Chooses the language a browser asks for first. Source: RFC 9110, section 12.5.4.
fn language(request: &Request) -> Language {
    let asked = request.header("accept-language").unwrap_or_default();
    Language::for_tag(asked.split([',', ';']).next().unwrap_or_default().trim())
}
