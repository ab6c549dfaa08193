use consigne_core::endpoints::HookUrl;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::client::tests::ScriptedResolver;

/// Listens on loopback and answers every connection with these bytes. Returns the port.
async fn receiver(answer: Vec<u8>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut buffer = vec![0; 64 * 1024];
            let _ = stream.read(&mut buffer).await;
            drop(stream.write_all(&answer).await);
        }
    });
    port
}

fn to(url: &str) -> Post {
    let headers = vec![("content-type", "application/json".to_owned())];
    let url = HookUrl::kept(url).unwrap();
    Post { url, headers, body: "{}".to_owned(), timeout: Duration::from_millis(500) }
}

async fn posted(outgoing: &Outgoing, url: &str) -> Posted {
    outgoing.post_webhook(&to(url)).await.unwrap()
}

#[tokio::test]
async fn an_answer_is_read_up_to_a_limit_and_no_redirect_is_followed() {
    let hops =
        receiver(b"HTTP/1.1 307 T\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 2\r\n\r\nno".to_vec()).await;
    let answer = posted(&Outgoing::new(true), &format!("http://127.0.0.1:{hops}/h")).await;
    assert_eq!((answer.status(), answer.error()), (Some(307), Some("redirect")));

    let endless = [&b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n"[..], &vec![b'a'; 100_000]].concat();
    let port = receiver(endless).await;
    let answer = posted(&Outgoing::new(true), &format!("http://127.0.0.1:{port}/h")).await;
    assert!(answer.is_success(), "{answer:?}");

    let busy = receiver(b"HTTP/1.1 429 T\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n".to_vec()).await;
    let Posted::Answered { retry_after, .. } = posted(&Outgoing::new(true), &format!("http://127.0.0.1:{busy}/")).await
    else {
        panic!("it answers");
    };
    assert_eq!(retry_after.as_deref(), Some("7"));
}

#[tokio::test]
async fn a_body_that_never_ends_does_not_change_the_status() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 4_096]).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nso far").await.unwrap();
        std::future::pending::<()>().await;
    });
    let Posted::Answered { status, excerpt, .. } =
        posted(&Outgoing::new(true), &format!("http://127.0.0.1:{port}/")).await
    else {
        panic!("it answers");
    };
    assert_eq!((status, excerpt.as_str()), (200, "so far"));
    serving.abort();
}

#[tokio::test]
async fn an_address_that_is_no_longer_allowed_is_not_called() {
    let port = receiver(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()).await;
    for url in
        [format!("http://127.0.0.1:{port}/"), format!("http://localhost:{port}/"), format!("http://[::1]:{port}/")]
    {
        assert_eq!(posted(&Outgoing::new(false), &url).await, Posted::NotAllowed, "{url}");
    }
    assert!(posted(&Outgoing::new(true), &format!("http://127.0.0.1:{port}/")).await.is_success());
}

#[tokio::test]
async fn a_name_that_now_resolves_to_a_forbidden_address_is_not_called() {
    let port = receiver(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()).await;
    // At registration the name resolved to a public address, and now to the machine itself or to a credentials service.
    for inside in ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fd00:ec2::254", "::ffff:169.254.169.254"] {
        let names = ScriptedResolver::answering(&[&["1.1.1.1"], &[inside]]);
        let first = names.resolve_dns("hooks.example.com").await.unwrap();
        assert_eq!(first, ["1.1.1.1".parse::<IpAddr>().unwrap()]);
        let outgoing = Outgoing::resolving(false, names.clone());
        let answer = posted(&outgoing, &format!("https://hooks.example.com:{port}/")).await;
        let Posted::Failed(Failure::Unreachable, cause) = answer else { panic!("{inside}: {answer:?}") };
        assert!(cause.contains("no address that may be called"), "{cause}");
        assert_eq!(names.left(), 0, "it was asked once");
    }
}

#[tokio::test]
async fn the_checked_address_is_the_one_that_is_called() {
    let port = receiver(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()).await;
    // A second lookup would return another address.
    let names = ScriptedResolver::answering(&[&["127.0.0.1"], &["169.254.169.254"]]);
    let outgoing = Outgoing::resolving(true, names.clone());
    assert!(posted(&outgoing, &format!("http://a.localhost:{port}/")).await.is_success());
    assert_eq!(names.left(), 1);
}

#[tokio::test]
async fn a_name_that_does_not_resolve_has_no_addresses() {
    assert_eq!(Outgoing::new(false).resolve_host("nowhere.invalid").await.unwrap(), Vec::<IpAddr>::new());
    assert!(!Outgoing::new(false).resolve_host("localhost").await.unwrap().is_empty());
}
