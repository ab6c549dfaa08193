use super::*;

#[test]
fn an_end_of_legacy_keys_is_a_time_or_nothing() {
    let of = |text: &str| {
        let variable = ("LEGACY_KEYS_UNTIL".to_owned(), text.to_owned());
        Start::new(EnvVars::fixed([variable])).legacy_keys_until()
    };
    assert_eq!(of("").unwrap(), None);
    assert_eq!(of("2027-01-31T00:00:00Z").unwrap(), Timestamp::parse("2027-01-31T00:00:00Z"));
    assert!(of("2027-01-31").unwrap_err().to_string().contains("LEGACY_KEYS_UNTIL"));
}

#[test]
fn the_hosts_that_requests_will_call_are_known_from_the_dependencies() {
    let variables = [("TABLE_NAME", "t"), ("BUCKET_NAME", "photos"), ("BUS_NAME", "b")];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let start = Start::new(EnvVars::fixed(variables));
    assert!(start.adapters().hosts.borrow().is_empty());
    start.table().unwrap();
    start.bucket().unwrap();
    start.bus().unwrap();
    // Signing makes no calls.
    start.presigner().unwrap();
    let hosts: Vec<String> = start.adapters().hosts.take().into_iter().map(|(host, _)| host).collect();
    assert_eq!(hosts, ["dynamodb", "photos.s3", "events"]);
}

#[tokio::test]
async fn connections_open_during_the_start_but_not_to_list_settings() {
    let variables = [("TABLE_NAME", "t"), ("AWS_ENDPOINT_URL", "http://127.0.0.1:1")];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let start = Start::new(EnvVars::fixed(variables));
    start.table().unwrap();
    // The connection is opened in whatever time the start waits for something else.
    tokio::task::yield_now().await;
    assert!(start.adapters().hosts.borrow()[0].1.as_ref().unwrap().is_finished());
    let start = Start::new(EnvVars::describing());
    start.table().unwrap();
    assert!(start.adapters().hosts.borrow()[0].1.is_none());
}

#[test]
fn without_a_sender_there_is_no_mail_service_and_a_malformed_one_is_refused() {
    let mailer = |from: &str| {
        let variables = [("MAIL_FROM", from), ("MAIL_CONFIGURATION_SET", "mails"), ("APPLICATION_URL", "https://a")];
        let start = Start::new(EnvVars::fixed(variables.map(|(name, value)| (name.to_owned(), value.to_owned()))));
        let made = start.mailer().map(|mailer| mailer.is_some());
        (made.map_err(|error| error.to_string()), start.theme().map(|theme| theme.brand).ok())
    };
    assert_eq!(mailer(""), (Ok(false), Some("Consigne".to_owned())));
    assert_eq!(mailer("Acme <no-reply@example.com>"), (Ok(true), Some("Acme".to_owned())));
    let (made, brand) = mailer("Acme <secret>");
    let problem = made.unwrap_err();
    assert!(problem.starts_with("setting MAIL_FROM must be an address") && !problem.contains("secret"), "{problem}");
    assert_eq!(brand, None);
}

#[test]
fn upstreams_may_be_absent_and_malformed_ones_are_refused() {
    let started = |upstreams: &str, private: &str| {
        let variables = [("UPSTREAMS", upstreams), ("PRIVATE_UPSTREAMS", private)];
        let start = Start::new(EnvVars::fixed(variables.map(|(name, value)| (name.to_owned(), value.to_owned()))));
        start.upstreams().map(|upstreams| upstreams.private).map_err(|error| error.to_string())
    };
    assert_eq!(started("", ""), Ok(false));
    assert_eq!(started("pdf=https://pdf.example.com", "false"), Ok(false));
    assert_eq!(started("pdf=http://127.0.0.1:8000", "true"), Ok(true));
    let problem = started("pdf=http://127.0.0.1:8000", "false").unwrap_err();
    assert!(problem.starts_with("setting UPSTREAMS gives pdf an upstream that has no TLS; use https"), "{problem}");
}
