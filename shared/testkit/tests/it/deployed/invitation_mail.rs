//! The mail of an invitation: its link makes the recipient a member. Only the mail contains the token.

use consigne_testkit::stack::Stack;
use serde_json::json;

use super::mail::{founder, mail_to, mails_to};
use super::members::{accept, address, guest};
use super::text;

#[tokio::test]
async fn the_link_in_the_mail_makes_its_recipient_a_member() {
    let stack = Stack::find();
    let (ann, org) = founder(&stack, "fr").await;
    let email = address();
    let body = json!({ "email": email, "role": "developer" });
    let sent = ann.call_with("POST", &format!("/api/orgs/{org}/invitations"), &body).await;
    assert_eq!(sent.status, 201, "{}", sent.json());

    let mail = mail_to(&stack, &email).await;
    assert_eq!(
        text(&mail, "Subject"),
        "Invitation à rejoindre une organisation",
        "the mail is in the inviting person's language"
    );
    let words = text(&mail, "BodyText");
    assert!(words.contains("Ann vous invite"), "{words}");
    let begins = "http://localhost:3000/invitations/accept?token=";
    let token = words.lines().find_map(|line| line.strip_prefix(begins)).expect("the mail must have a link");
    assert!(text(&mail, "BodyHtml").contains(&format!("href=\"{begins}{token}\"")));

    let bob = guest(&stack, &email);
    let accepted = accept(&bob, token).await;
    assert_eq!(accepted.status, 200, "{}", accepted.json());
    assert_eq!(accepted.json()["data"]["org"]["id"], json!(org));
    assert_eq!(mails_to(&stack, &email).await.len(), 1);
    for function in ["member-invite", "invitation-accept", "publish-events", "send-mail"] {
        for secret in [email.as_str(), &token[30..], &token[62..]] {
            assert!(stack.log_lines(function, secret).await.is_empty(), "{function} logs an address or a token");
        }
    }
}
