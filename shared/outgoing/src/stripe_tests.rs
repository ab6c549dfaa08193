use consigne_core::OrgId;
use consigne_core::credits::PACKS;

use super::*;

const KEY: &str = "sk_test_0123456789abcdef0123456789";

fn stripe() -> Stripe {
    let key = Refreshed::fixed(ApiKey::parse(KEY).unwrap());
    Stripe::new("https://api.stripe.example/", key, Application::at("https://app.example.com"), || {
        Timestamp::from_secs(0)
    })
}

#[test]
fn a_form_has_buyer_pack_price_and_return_urls() {
    let org = OrgId::parse("org_01M7YREWKH7VM7Z3Z2KWSH2FTR").unwrap();
    let form = stripe().form(&CheckoutAsk::new(org, PACKS[1], None, "n"));
    let pairs: Vec<String> =
        form_urlencoded::parse(form.as_bytes()).map(|(name, value)| format!("{name}={value}")).collect();
    let wallet = format!("https://app.example.com/orgs/{org}/wallet");
    assert_eq!(
        pairs,
        [
            "mode=payment".to_owned(),
            format!("client_reference_id={org}"),
            format!("success_url={wallet}?checkout=paid"),
            format!("cancel_url={wallet}?checkout=cancelled"),
            "line_items[0][quantity]=1".to_owned(),
            "line_items[0][price_data][currency]=eur".to_owned(),
            "line_items[0][price_data][unit_amount]=8000".to_owned(),
            "line_items[0][price_data][product_data][name]=10000 credits".to_owned(),
            format!("metadata[org_id]={org}"),
            "metadata[pack]=growth".to_owned(),
            "metadata[credits]=10000".to_owned(),
            format!("payment_intent_data[metadata][org_id]={org}"),
            "payment_intent_data[metadata][pack]=growth".to_owned(),
            "payment_intent_data[metadata][credits]=10000".to_owned(),
        ]
    );
}

#[test]
fn an_answer_is_a_session_or_a_transient_or_permanent_failure() {
    let session = read(200, false, br#"{"id": "cs_test_1", "url": "https://checkout.stripe.com/c/pay/cs_test_1"}"#);
    assert!(session.is_ok_and(|session| session.id.as_str() == "cs_test_1"));
    for odd in ["", "{}", "[]", r#"{"id": "cs/1", "url": "https://x"}"#, r#"{"id": "cs_1", "url": null}"#] {
        assert!(matches!(read(200, false, odd.as_bytes()), Err(Trouble::Permanent(_))), "{odd}");
    }
    for transient in [409, 429, 500, 502, 503] {
        assert!(matches!(read(transient, false, b"<html>"), Err(Trouble::Transient(_))), "{transient}");
    }
    assert!(matches!(read(500, true, b""), Err(Trouble::Replayed(_))), "a failure that is replayed does not pass");
    assert!(matches!(read(429, true, b""), Err(Trouble::Transient(_))));
    let refusal =
        format!(r#"{{"error": {{"type": "invalid_request_error", "code": "x", "message": "Invalid: {KEY}"}}}}"#);
    for refused in [400, 401, 402, 403, 404] {
        match read(refused, false, refusal.as_bytes()) {
            Err(Trouble::Refused(why)) => {
                assert_eq!(why, format!("Stripe answered {refused} invalid_request_error x"), "without its sentence");
            }
            _ => panic!("{refused} passes"),
        }
    }
    assert!(matches!(read(301, false, b""), Err(Trouble::Permanent(_))), "nothing is known of a session");
}

#[test]
fn a_key_is_plain_and_does_not_print() {
    for bad in ["", "sk_test_short", "sk_test_0123456789abcdef\r\nx: 0123456789", "changemechangemechangemechangeme"] {
        assert!(ApiKey::parse(bad).is_none(), "{bad:?}");
    }
    assert_eq!(format!("{:?}", ApiKey::parse(&format!(" {KEY}\n"))), "Some(ApiKey(Secret(..)))");
    assert!(!format!("{:?}", stripe()).contains("0123"));
}
