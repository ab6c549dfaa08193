use rustls::client::WebPkiServerVerifier;

use super::*;

/// Test terms: one second for everything, and every address is allowed.
const TERMS: Terms = Terms {
    roots: Roots::Amazon,
    connect: Duration::from_secs(1),
    answer: Duration::from_secs(1),
    idle: IDLE,
    allowed: |_| true,
};

#[test]
fn every_root_certificate_of_amazon_is_valid() {
    let mut store = RootCertStore::empty();
    assert_eq!(store.add_parsable_certificates(AMAZON.map(CertificateDer::from)), (AMAZON.len(), 0));
    let verifier = WebPkiServerVerifier::builder_with_provider(
        Arc::new(store),
        Arc::new(rustls::crypto::aws_lc_rs::default_provider()),
    );
    verifier.build().unwrap();
}

#[tokio::test]
async fn a_silent_server_is_a_timeout_and_a_closed_connection_an_io_error() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let connections = Connections::new(Terms { answer: Duration::from_millis(200), ..TERMS });
    let call = async || connections.call(HttpRequest::get(&origin).unwrap()).await.unwrap_err();
    let (silent, failure) = tokio::join!(listener.accept(), call());
    assert!(failure.is_timeout(), "{failure:?}");
    drop(silent);
    let (closed, failure) = tokio::join!(async { listener.accept().await.map(drop) }, call());
    closed.unwrap();
    assert!(failure.is_io(), "{failure:?}");
    drop(listener);
    let failure = call().await;
    assert!(failure.is_io(), "{failure:?}");
}

#[tokio::test]
async fn a_failure_shows_whether_a_connection_was_opened() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let connections = Connections::new(Terms { connect: Duration::from_millis(200), ..TERMS });
    let call = async |origin: &str| connections.call(HttpRequest::get(origin).unwrap()).await.unwrap_err();
    let (closed, failure) = tokio::join!(async { listener.accept().await.map(drop) }, call(&origin));
    closed.unwrap();
    assert!(!was_never_connected(&failure), "{failure:?}");
    // The listener never answers the TLS handshake, so the time to connect runs out.
    let failure = call(&origin.replace("http:", "https:")).await;
    assert!(failure.is_timeout() && was_never_connected(&failure), "{failure:?}");
    drop(listener);
    assert!(was_never_connected(&call(&origin).await));
}

#[tokio::test]
async fn an_ip_address_that_is_not_allowed_is_not_called() {
    let connections =
        Connections::new(Terms { roots: Roots::Machine, allowed: |address| !address.is_loopback(), ..TERMS });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    for origin in [format!("http://127.0.0.1:{port}"), format!("https://127.0.0.1:{port}"), "http://[::1]:1".to_owned()]
    {
        let failure = connections.call(HttpRequest::get(&origin).unwrap()).await.unwrap_err();
        assert!(find::<ResolveDnsError>(&failure).is_some(), "{origin}: {failure:?}");
    }
}

#[tokio::test]
async fn a_name_without_an_allowed_address_is_not_called() {
    let connections = Connections::new(Terms { roots: Roots::Machine, allowed: |_| false, ..TERMS });
    let failure = connections.call(HttpRequest::get("http://localhost:1").unwrap()).await.unwrap_err();
    assert!(failure.is_io() && find::<ResolveDnsError>(&failure).is_some(), "{failure:?}");
}
