//! Does one small thing of the functions' work over and over: `micro <what> <times>`, with what it needs in the
//! environment. Prints the median time of one, in nanoseconds.
//!
//! A program of its own so that callgrind can count what is in the loop and nothing else.

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

/// How many are timed together: one alone is shorter than a look at the clock is exact.
const TOGETHER: u32 = 10;

/// One thing to do; whether it came out right.
type Work = Box<dyn Fn() -> bool>;

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let (what, times) = (words.next().unwrap_or_default(), words.next().and_then(|times| times.parse().ok()));
    let (Some(work), Some(times)) = (work(&what), times) else { return ExitCode::FAILURE };
    let Some(median) = median(&work, times) else { return ExitCode::FAILURE };
    // What a program prints is its result; this is the place.
    #[allow(clippy::print_stdout)]
    {
        println!("{}", median.as_nanos());
    }
    ExitCode::SUCCESS
}

/// Times the work; `None` when it ever came out wrong.
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

/// Gets everything ready and gives what is to be done; `None` for what is not known here, or lacks what it needs.
fn work(what: &str) -> Option<Work> {
    // A program of the bench's, not a function: nothing here is a setting.
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

/// Signs a ticket to read.
fn ticket(key: &str, now: Timestamp) -> Option<Work> {
    let lifetime = Lifetime { until: now.plus(Duration::from_hours(6)), when_over: || () };
    let credentials = Credentials::new("AKIDEXAMPLE", "secret", Some("token".to_owned()), None, "bench");
    let signer = Presigner::new(credentials, lifetime, "us-east-1", &Endpoint::Aws, "bucket");
    let file = Readable {
        key: ObjectKey::parse_for(&UserId::parse("user_ann1")?, key)?,
        name: FileName::stored("photo été.png".to_owned()),
        media: MediaType::from_name("image/png")?,
        version: "v1".to_owned(),
    };
    let valid = Duration::from_mins(10);
    Some(Box::new(move || signer.read(black_box(&file), valid, now).is_ok_and(|url| !url.is_empty())))
}

/// Verifies a session token, its key being known.
fn token(pem: &str, issuer: &str, party: &str, token: &str, now: Timestamp) -> Option<Work> {
    let policy = SessionPolicy { issuer: issuer.to_owned(), authorized_parties: vec![party.to_owned()] };
    let verifier = SessionVerifier::new(policy, KeySource::from_pem(pem).ok()?);
    let bearer = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
    let headers = HeaderMap::from_iter([(header::AUTHORIZATION, bearer)]);
    Some(Box::new(move || {
        let shown = Shown { headers: black_box(&headers), writes: false };
        // Keys that are given are never waited for.
        verifier.user(shown, now).now_or_never().is_some_and(|user| user.is_ok())
    }))
}

/// Checks the checksum of a key and makes its MAC.
fn key(peppers: &str, text: String) -> Option<Work> {
    let (prefix, peppers) = (KeyPrefix::parse("sk")?, Peppers::parse(peppers).ok()?);
    Some(Box::new(move || {
        let key = KeyText::parse(&prefix, black_box(&text));
        key.is_some_and(|key| !peppers.pointers(&key).is_empty())
    }))
}
