use consigne_core::mail::Topic;
use consigne_testkit::fakes::World;
use consigne_testkit::{functions, payload};
use serde_json::{Value, json};

use crate::handlers::people::accounts::{refusal, user};

async fn asked(world: &World, case: &str, token: &str) -> Value {
    functions::call(world, "mail-unsubscribe", payload::event("mail-unsubscribe", case, token)).await
}

fn token() -> String {
    functions::unsubscribe_seal().token(&user("user_ann1"), Topic::Jobs)
}

#[tokio::test]
async fn a_get_shows_a_button_and_changes_nothing() {
    let world = World::default();
    let answer = asked(&world, "ask", &token()).await;
    assert_eq!(answer["status"], 200);
    insta::assert_snapshot!(answer["body"].as_str().unwrap(), @r#"
    <!DOCTYPE html>
    <html lang="fr">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Ne plus recevoir ces messages ?</title>
    </head>
    <body style="margin:0;padding:48px 12px;background:#f3f3f0;color:#20201d;font:16px/1.5 'Segoe UI',Roboto,Helvetica,Arial,sans-serif">
    <main style="max-width:480px;margin:0 auto;padding:28px 32px;background:#ffffff;border-radius:8px">
    <h1 style="margin:0;font-size:20px">Ne plus recevoir ces messages ?</h1>
    <p>Vous ne recevrez plus de messages sur vos générations. Ceux qui concernent votre compte restent envoyés.</p>
    <form method="post">
    <button type="submit" style="padding:10px 20px;background:#20201d;color:#ffffff;border:0;border-radius:6px;font:inherit">Se désinscrire</button>
    </form>
    </main>
    </body>
    </html>
    "#);
    assert_eq!(world.state(), World::default().state());
    let headers = json!({
        "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        "referrer-policy": "no-referrer",
        "x-robots-tag": "noindex",
    });
    assert_eq!(answer["headers"], headers);
}

#[tokio::test]
async fn the_button_and_one_click_requests_unsubscribe_once() {
    for case in ["press", "one-click"] {
        let world = World::default();
        for _ in 0..2 {
            let answer = asked(&world, case, &token()).await;
            assert_eq!(answer["status"], 200);
            let page = answer["body"].as_str().unwrap();
            assert!(page.contains("You receive no more mails about what was generated for you."), "{page}");
            assert!(!page.contains("<form"), "{page}");
            let unsubscribed: Vec<_> = world.state().mail.unsubscribed.into_keys().collect();
            assert_eq!(unsubscribed, [(user("user_ann1"), Topic::Jobs)]);
        }
    }
}

#[tokio::test]
async fn a_forged_token_unsubscribes_nobody() {
    let mut altered = token();
    altered.replace_range(0..1, if altered.starts_with('A') { "B" } else { "A" });
    for token in ["", "x", altered.as_str()] {
        for case in ["ask", "press", "one-click"] {
            let world = World::default();
            let answer = asked(&world, case, token).await;
            assert_eq!(refusal(&answer), (400, "INVALID_REQUEST"), "{case} {token:?}");
            assert_eq!(answer["body"]["error"]["details"]["field"], "token");
            assert!(world.state().mail.unsubscribed.is_empty());
        }
    }
}
