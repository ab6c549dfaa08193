//! Repeats one small part of the functions' work: `micro <what> <times>`, with its inputs in the environment. Prints
//! the median time of one repetition, in nanoseconds.
//!
//! It is a program of its own so that callgrind counts what is in the loop and nothing else.

use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use aws_credential_types::Credentials;
use consigne_auth::{Credentials as Shown, KeyPrefix, KeySource, KeyText, Peppers, SessionPolicy, SessionVerifier};
use consigne_core::files::{FileName, MediaType, ObjectKey, Readable};
use consigne_core::{Timestamp, UserId};
use consigne_runtime::clock;
use consigne_storage::{Endpoint, Lifetime, Presigner};
use futures_util::FutureExt as _;
use http::{HeaderMap, HeaderValue, header};

/// Repetitions that are timed together. One alone is shorter than the clock's precision.
const TOGETHER: u32 = 10;

/// One piece of work. It returns whether the result was right.
type Work = Box<dyn Fn() -> bool>;

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let (what, times) = (words.next().unwrap_or_default(), words.next().and_then(|times| times.parse().ok()));
    let (Some(work), Some(times)) = (work(&what), times) else { return ExitCode::FAILURE };
    let Some(median) = median(&work, times) else { return ExitCode::FAILURE };
    // The program prints its result. This is the only place.
    #[allow(clippy::print_stdout)]
    {
        println!("{}", median.as_nanos());
    }
    ExitCode::SUCCESS
}

/// Returns the median time of the work, or `None` if a result was wrong.
fn median(work: &Work, times: u32) -> Option<Duration> {
    let mut taken = Vec::new();
    for _ in 0..times.div_ceil(TOGETHER) {
        let began = Instant::now();
        let right = (0..TOGETHER).all(|_| black_box(work()));
        taken.push(began.elapsed() / TOGETHER);
        if !right {
            return None;
        }
    }
    taken.sort();
    taken.get(taken.len() / 2).copied()
}

/// Prepares the work with this name. Returns `None` if the name is unknown or an input is missing.
fn work(what: &str) -> Option<Work> {
    // This program belongs to the bench and is not a function, so these variables are not settings.
    #[allow(clippy::disallowed_methods)]
    let given = |name: &str| std::env::var(name).ok();
    let now = clock::now();
    match what {
        "ticket" => ticket(&given("OBJECT_KEY")?, now),
        "token" => token(&given("PEM")?, &given("ISSUER")?, &given("PARTY")?, &given("TOKEN")?, now),
        "key" => key(&given("PEPPERS")?, given("API_KEY")?),
        _ => None,
    }
}

/// Signs a ticket for the object `key`.
fn ticket(key: &str, now: Timestamp) -> Option<Work> {
    let lifetime = Lifetime { until: now.plus(Duration::from_hours(6)), when_over: || () };
    let credentials = Credentials::new("AKIDEXAMPLE", "secret", Some("token".to_owned()), None, "bench");
    let signer = Presigner::new(credentials, lifetime, "us-east-1", &Endpoint::Aws, "bucket");
    let file = Readable {
        key: ObjectKey::parse_for(&UserId::parse("user_ann1")?, key)?.to_string(),
        name: FileName::stored("photo été.png".to_owned()),
        media: MediaType::from_name("image/png")?,
        version: "v1".to_owned(),
        asked: None,
    };
    let valid = Duration::from_mins(10);
    Some(Box::new(move || signer.read(black_box(&file), valid, now).is_ok_and(|url| !url.is_empty())))
}

/// Verifies a session token with a known key.
fn token(pem: &str, issuer: &str, party: &str, token: &str, now: Timestamp) -> Option<Work> {
    let policy = SessionPolicy {
        issuer: issuer.to_owned(),
        authorized_parties: vec![party.to_owned()],
        max_token_seconds: 86_400,
    };
    let verifier = SessionVerifier::new(policy, KeySource::from_pem(pem).ok()?);
    let bearer = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
    let headers = HeaderMap::from_iter([(header::AUTHORIZATION, bearer)]);
    Some(Box::new(move || {
        let shown = Shown { headers: black_box(&headers), writes: false };
        // A key that was given needs no waiting.
        verifier.user(shown, now).now_or_never().is_some_and(|user| user.is_ok())
    }))
}

/// Checks the checksum of an API key and computes its MAC.
fn key(peppers: &str, text: String) -> Option<Work> {
    let (prefix, peppers) = (KeyPrefix::parse("sk")?, Peppers::parse(peppers).ok()?);
    Some(Box::new(move || {
        let key = KeyText::parse(&prefix, black_box(&text));
        key.is_some_and(|key| !peppers.pointers(&key).is_empty())
    }))
}
