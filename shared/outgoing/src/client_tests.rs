use aws_smithy_runtime_api::client::dns::DnsFuture;
use consigne_aws::connections::Guarded;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

/// A server that accepts connections one after the other, reads a request, writes the answer, if any, and closes the
/// connection. Returns its origin, and a task that returns the requests.
async fn server(answers: &[&[u8]]) -> (String, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let answers: Vec<Vec<u8>> = answers.iter().map(|answer| answer.to_vec()).collect();
    let serving = tokio::spawn(async move {
        let mut seen = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut buffer = vec![0; 64 * 1024];
            let read = stream.read(&mut buffer).await.unwrap();
            seen.push(String::from_utf8_lossy(&buffer[..read]).into_owned());
            if answer == b"hang" {
                tokio::time::sleep(Duration::from_secs(5)).await;
            }
            // The caller may have closed the connection.
            drop(stream.write_all(&answer).await);
        }
        seen
    });
    (origin, serving)
}

fn call(origin: &str) -> UpstreamCall {
    UpstreamCall {
        method: "POST".to_owned(),
        origin: origin.to_owned(),
        target: "/v1/a?b=c".to_owned(),
        headers: vec![("x-a".to_owned(), "1".to_owned())],
        body: vec![0, 255, 1],
        timeout: Duration::from_millis(500),
        response_max: 10,
    }
}

async fn asked(call: &UpstreamCall) -> Result<Answered, Failure> {
    match Outgoing::new(true).call_upstream(call).await.unwrap() {
        UpstreamOutcome::Answered(answered) => Ok(answered),
        UpstreamOutcome::Failed(failure, cause) => {
            assert!(!cause.is_empty());
            Err(failure)
        }
    }
}

#[tokio::test]
async fn call_and_answer_arrive_unchanged() {
    let answer =
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nX-B: 1\r\nX-B: 2\r\nContent-Length: 2\r\n\r\n\xff\x00";
    let (origin, serving) = server(&[answer]).await;
    let answered = asked(&call(&origin)).await.unwrap();
    assert_eq!((answered.status, answered.body.as_slice()), (302, &[255, 0][..]), "and is not followed");
    let text = |(name, value): &(String, String)| format!("{name}={value}");
    let headers: Vec<String> = answered.headers.iter().map(text).collect();
    assert_eq!(headers, ["location=http://127.0.0.1:1/", "x-b=1", "x-b=2", "content-length=2"]);
    let seen = &serving.await.unwrap()[0];
    assert!(seen.starts_with("POST /v1/a?b=c HTTP/1.1\r\n"), "{seen}");
    let host = origin.trim_start_matches("http://");
    for header in ["x-a: 1", "content-length: 3", &format!("host: {host}")] {
        assert!(seen.contains(&format!("{header}\r\n")), "{header} in {seen}");
    }
}

#[tokio::test]
async fn every_failure_has_its_own_kind() {
    let long = [&b"HTTP/1.1 200 OK\r\n\r\n"[..], &[b'a'; 11]].concat();
    let lines = "X-Long: ".to_owned() + &"a".repeat(HEADERS_MAX) + "\r\n";
    let headers = format!("HTTP/1.1 200 OK\r\n{lines}\r\n");
    for (answer, want) in [
        (&b"hang"[..], Failure::Timeout),
        (b"", Failure::Broken),
        (b"no HTTP at all\r\n\r\n", Failure::Broken),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", Failure::Broken),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc", Failure::Broken),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\naaaaaaaaaaa", Failure::TooLarge),
        (&long, Failure::TooLarge),
        (headers.as_bytes(), Failure::TooLarge),
    ] {
        let (origin, _serving) = server(&[answer]).await;
        assert_eq!(
            asked(&call(&origin)).await,
            Err(want),
            "{}",
            String::from_utf8_lossy(&answer[..answer.len().min(60)])
        );
    }
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    assert_eq!(asked(&call(&format!("http://{nobody}"))).await, Err(Failure::Unreachable));
    assert_eq!(asked(&call("http://nowhere.invalid")).await, Err(Failure::Unreachable));
}

#[tokio::test]
async fn a_failed_call_is_not_repeated() {
    let (origin, serving) = server(&[b"HTTP/1.1 503 Busy\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n", b""]).await;
    assert_eq!(asked(&call(&origin)).await.unwrap().status, 503);
    assert_eq!(asked(&call(&origin)).await, Err(Failure::Broken));
    assert_eq!(serving.await.unwrap().len(), 2);
}

/// A resolver that gives a planned list of answers, one for each lookup.
#[derive(Clone, Debug, Default)]
pub(crate) struct ScriptedResolver {
    answers: std::sync::Arc<std::sync::Mutex<Vec<Vec<IpAddr>>>>,
}

impl ScriptedResolver {
    /// Creates a resolver that gives these answers one after the other.
    pub(crate) fn answering(answers: &[&[&str]]) -> Self {
        let read = |answer: &&[&str]| answer.iter().map(|text| text.parse().unwrap()).collect();
        Self { answers: std::sync::Arc::new(std::sync::Mutex::new(answers.iter().rev().map(read).collect())) }
    }

    /// Returns the number of answers that were not given yet.
    pub(crate) fn left(&self) -> usize {
        self.answers.lock().unwrap().len()
    }
}

impl ResolveDns for ScriptedResolver {
    fn resolve_dns<'a>(&'a self, _: &'a str) -> DnsFuture<'a> {
        DnsFuture::ready(Ok(self.answers.lock().unwrap().pop().expect("a lookup was not planned")))
    }
}

#[tokio::test]
async fn a_name_resolves_to_allowed_addresses_only() {
    let found = ["10.0.0.1", "169.254.169.254", "1.1.1.1", "::1"];
    for (rule, want) in [(allowed_publicly as fn(IpAddr) -> bool, 1), (allowed_also_privately, 3)] {
        let guarded = Guarded::new(ScriptedResolver::answering(&[&found]), rule);
        assert_eq!(guarded.resolve_dns("a.example").await.unwrap().len(), want);
    }
    let guarded = Guarded::new(ScriptedResolver::answering(&[&["169.254.169.254"]]), allowed_also_privately);
    assert!(guarded.resolve_dns("a.example").await.is_err());
}

#[tokio::test]
async fn localhost_is_called_only_if_private_addresses_are_allowed() {
    let (origin, _serving) = server(&[b"HTTP/1.1 204 No Content\r\n\r\n"]).await;
    let by_name = origin.replace("127.0.0.1", "localhost");
    let outcome = Outgoing::new(false).call_upstream(&call(&by_name)).await.unwrap();
    assert!(matches!(outcome, UpstreamOutcome::Failed(Failure::Unreachable, _)), "{outcome:?}");
    assert_eq!(asked(&call(&by_name)).await.unwrap().status, 204);
}
