//! Tests of which headers the gateway hands on.

use proptest::prelude::*;

use super::*;

const KEY: &str = "sk_live_x7Qa";

fn names(kept: Vec<(String, String)>) -> Vec<String> {
    kept.into_iter().map(|(name, _)| name).collect()
}

#[test]
fn an_upstream_gets_only_headers_about_the_call_itself() {
    let call = [
        ("Accept", "application/json"),
        ("Authorization", "Bearer sk_live_x7Qa"),
        ("Connection", "close, X-Mine , x_yours"),
        ("Content-Length", "17"),
        ("Content-Type", "text/plain"),
        ("Cookie", "__session=t"),
        ("Forwarded", "for=1.2.3.4"),
        ("Host", "api.example.com"),
        ("Idempotency-Key", "job-17"),
        ("Keep-Alive", "timeout=5"),
        ("Proxy-Authorization", "Basic x"),
        ("Referer", "https://a.example/?key=sk_live_x7Qa"),
        ("TE", "trailers"),
        ("Trailer", "X-Sum"),
        ("Transfer-Encoding", "chunked"),
        ("Transfer_Encoding", "chunked"),
        ("Upgrade", "h2c"),
        ("Via", "1.1 a"),
        ("X-Api-Key", "sk_live_x7Qa"),
        ("X-API_Key", "other"),
        ("X-Consigne-Org", "org_1"),
        ("X_Consigne_Org", "org_1"),
        ("X-Forwarded", "1.2.3.4"),
        ("X-Forwarded-For", "1.2.3.4"),
        ("X-Forwarded-Host", "evil.example"),
        ("X-HTTP-Method", "DELETE"),
        ("X-HTTP-Method-Override", "DELETE"),
        ("X-Method_Override", "DELETE"),
        ("X-Mine", "1"),
        ("X-Original-URL", "/admin"),
        ("X-Real-IP", "1.2.3.4"),
        ("X-Rewrite-URL", "/admin"),
        ("X-Yours", "1"),
        ("X-Trace", "abc"),
    ];
    let kept = names(forwarded(&call, KEY));
    assert_eq!(kept, ["accept", "content-type", "idempotency-key", "x-trace"]);
}

#[test]
fn no_header_of_a_proxy_is_forwarded() {
    for name in [
        "akamai-origin-hop",
        "proxy",
        "disguised-host",
        "was-default-hostname",
        "x-waws-unencoded-url",
        "x-coming-ip",
        "x-user-email",
        "x-user-roles",
        "x-auth-user",
        "x-jwt",
        "ali-cdn-real-ip",
        "cdn-loop",
        "cf-connecting-ip",
        "cf-ipcountry",
        "cf-ray",
        "client-ip",
        "cloudfront-viewer-address",
        "do-connecting-ip",
        "fastly-client-ip",
        "fastly-ssl",
        "fly-client-ip",
        "fly-forwarded-port",
        "front-end-https",
        "http2-settings",
        "oidc-claim-sub",
        "proxy-client-ip",
        "remote-user",
        "ssl-client-cert",
        "true-client-ip",
        "wl-proxy-client-ip",
        "x-accel-redirect",
        "x-acme-client-ip",
        "x-acme-realip",
        "x-acme-true-client-address",
        "x-amz-cf-id",
        "x-amzn-trace-id",
        "x-appengine-user-ip",
        "x-arr-clientcert",
        "x-auth-request-email",
        "x-azure-clientip",
        "x-azure-socketip",
        "x-client-cert",
        "x-client-ip",
        "x-cluster-client-ip",
        "x-consumer-username",
        "x-coming-from-host",
        "x-envoy-external-address",
        "x-envoy-original-path",
        "x-forwarded-client-cert",
        "x-forwardedfor",
        "x-forwarded-user",
        "x-goog-authenticated-user-email",
        "x-goog-iap-jwt-assertion",
        "x-host",
        "x-http-host-override",
        "x-http-method",
        "x-http-method-override",
        "x-ip",
        "x-ip-address",
        "x-method-override",
        "x-middleware-subrequest",
        "x-ms-client-principal",
        "x-nf-client-connection-ip",
        "x-original-host",
        "x-originating-ip",
        "x-proxyuser-ip",
        "x-real-ip",
        "x-remote-addr",
        "x-remote-ip",
        "x-remote-user",
        "x-scheme",
        "x-server-port",
        "x-ssl-client-dn",
        "x-url-scheme",
        "x-vercel-forwarded-for",
        "x-webauth-user",
    ] {
        for spelt in [name.to_owned(), name.to_ascii_uppercase(), name.replace('-', "_")] {
            assert_eq!(forwarded(&[(spelt.as_str(), "1")], KEY), vec![], "{spelt}");
        }
    }
}

#[test]
fn headers_about_the_content_and_those_of_an_application_are_forwarded() {
    let names = [
        "accept",
        "accept-encoding",
        "accept-language",
        "anthropic-version",
        "baggage",
        "content-encoding",
        "content-type",
        "digest",
        "idempotency-key",
        "if-match",
        "if-none-match",
        "last-event-id",
        "mcp-session-id",
        "origin",
        "prefer",
        "range",
        "referer",
        "sec-fetch-mode",
        "traceparent",
        "tracestate",
        "user-agent",
        "x-b3-traceid",
        "x-billing-address",
        "x-callback-url",
        "x-client-version",
        "x-correlation-id",
        "x-database-port",
        "x-dpi",
        "x-payment-method",
        "x-price-override",
        "x-request-id",
        "x-requested-with",
        "x-ship-ip-label",
        "x-smtp-host",
        "x-trace",
        "x-user-id",
        "x-zip-code",
    ];
    let sent = names.map(|name| (name, "1"));
    assert_eq!(super::tests::names(forwarded(&sent, KEY)), names);
}

#[test]
fn a_caller_gets_only_headers_about_the_answer_itself() {
    let answer = [
        ("Access-Control-Allow-Origin", "*"),
        ("Cache-Control", "public, max-age=3600"),
        ("Connection", "X-Internal"),
        ("Content-Encoding", "gzip"),
        ("Content-Length", "3"),
        ("Content-Type", "text/plain"),
        ("ETag", "\"1\""),
        ("Location", "https://elsewhere.example/a?b=c"),
        ("Set-Cookie", "__session=t"),
        ("Strict-Transport-Security", "max-age=1"),
        ("Transfer-Encoding", "chunked"),
        ("X-Amzn-Remapped-Date", "1"),
        ("X-Consigne-Org", "org_1"),
        ("X-Credits-Remaining", "1000000"),
        ("X-Internal", "1"),
        ("X-Request-Id", "theirs"),
    ];
    let kept = returned(&answer.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert!(kept.contains(&("location".to_owned(), "https://elsewhere.example/a?b=c".to_owned())), "as it is");
    assert_eq!(names(kept), ["content-encoding", "content-type", "etag", "location"]);
}

proptest! {
    #[test]
    fn no_spelling_of_a_stopped_header_passes(
        at in 0..NOT_FORWARDED.len() + HOP_BY_HOP.len(), flips in any::<u64>(), value in "[ -~]{0,20}"
    ) {
        let name = NOT_FORWARDED.iter().chain(&HOP_BY_HOP).nth(at).unwrap();
        let spelt: String = name.char_indices().map(|(n, c)| match (flips >> (n % 64) & 1, c) {
            (1, '-') => '_',
            (1, c) => c.to_ascii_uppercase(),
            (_, c) => c,
        }).collect();
        prop_assert_eq!(forwarded(&[(spelt.as_str(), value.as_str())], KEY), vec![]);
    }

    #[test]
    fn no_header_holds_the_key(before in "[ -~]{0,8}", after in "[ -~]{0,8}", name in "[a-z]{3,12}") {
        let value = format!("{before}{KEY}{after}");
        prop_assert_eq!(forwarded(&[(name.as_str(), value.as_str())], KEY), vec![]);
    }
}
