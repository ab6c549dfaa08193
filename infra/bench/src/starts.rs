//! Starts: from exec to the first answer through the Runtime API, interleaved with a hello-world.

use std::process::Stdio;
use std::time::Instant;

use consigne_auth::{InvitationToken, InvitationTokens, KeyPrefix, KeyText, Secret};
use consigne_core::keys::Environment;
use consigne_core::mail::Topic;
use consigne_core::{InvitationId, OrgId, UserId};
use consigne_testkit::functions::{self, SERVICE_TOKEN};
use consigne_testkit::tokens::Issuer;
use consigne_testkit::{payload, webhooks};
use serde_json::json;
use tokio::process::Command;

use crate::runtime_api::RuntimeApi;
use crate::table::{Row, Table, quantile};
use crate::{Problem, bootstrap, say, sizes, stub};

/// Slowest start by the number of SDK clients, as a multiple of the hello-world's.
fn most(clients: usize) -> f64 {
    match clients {
        0 => 1.15,
        1 => 1.5,
        _ => 1.8,
    }
}

/// Measures every function `rounds` times, each round beginning with the hello-world.
pub(crate) async fn measure(names: &[String], rounds: usize, table: &mut Table) -> Result<(), Problem> {
    say(&format!("Starting every function {rounds} times..."));
    let issuer = Issuer::fresh("bench-1");
    let stub = stub::start().await?;
    let mut api = RuntimeApi::start().await?;
    let mut hellos = Vec::new();
    let mut times: Vec<Vec<f64>> = vec![Vec::new(); names.len()];
    for _ in 0..rounds {
        hellos.push(start(&mut api, "hello", "{}", &[]).await?);
        for (name, times) in names.iter().zip(&mut times) {
            let settings = settings(&issuer, &stub.to_string());
            times.push(start(&mut api, name, &event(name, &issuer)?, &settings).await?);
        }
    }
    let group = "Start: exec to first answer, against hello-world";
    let hello = quantile(&mut hellos, 0.5);
    table.push(Row::new(group, "hello-world, median", hello, "ms").of_this_machine());
    for (name, times) in names.iter().zip(&mut times) {
        let (median, clients) = (quantile(times, 0.5), sizes::clients(name)?);
        let note = format!("{median:.1} ms, {clients} SDK client{}", if clients == 1 { "" } else { "s" });
        table.push(Row::new(group, name, median / hello, "x hello").at_most(most(clients)).with_note(note));
    }
    Ok(())
}

/// Starts a bootstrap, gives it one event and takes the time to its answer, in milliseconds.
async fn start(api: &mut RuntimeApi, name: &str, event: &str, settings: &[(String, String)]) -> Result<f64, Problem> {
    api.offer(event).await;
    let began = Instant::now();
    let mut child = Command::new(bootstrap(name))
        .env_clear()
        .envs(settings.iter().map(|(name, value)| (name, value)))
        .env("AWS_LAMBDA_RUNTIME_API", api.address())
        .env("AWS_LAMBDA_FUNCTION_NAME", name)
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env("AWS_LAMBDA_LOG_STREAM_NAME", "bench")
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("{name}: {error}"))?;
    let answered = api.answer().await.map_err(|problem| format!("{name}: {problem}"))?;
    let took = answered.at.duration_since(began).as_secs_f64() * 1000.0;
    child.kill().await.map_err(|error| format!("{name}: {error}"))?;
    // A refusal would be a start without the work; it must not pass for one.
    if answered.failed || answered.body.contains("\"success\":false") && name != "fallback" {
        return Err(format!("{name} answered {}", answered.body));
    }
    Ok(took)
}

/// Gives the first payload of a function, by name, with a good token in it.
fn event(name: &str, issuer: &Issuer) -> Result<String, Problem> {
    let folder = payload::root().join("events").join(name);
    let entries = std::fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut cases: Vec<String> = entries
        .flatten()
        .filter_map(|entry| Some(entry.path().file_stem()?.to_string_lossy().into_owned()))
        .filter(|case| !case.contains("poison"))
        .collect();
    cases.sort();
    let case = cases.first().ok_or_else(|| format!("{} holds no payload", folder.display()))?;
    let token = match name {
        "hold-open" | "hold-settle" | "hold-void" | "key-verify" | "receipt-outcome" => SERVICE_TOKEN.to_owned(),
        "mail-unsubscribe" => a_way_out().ok_or("no link to unsubscribe can be made")?,
        "invitation-accept" => {
            issuer.token_with("user_ann1", &json!({ "email": stub::INVITED, "email_verified": true }))
        }
        _ => issuer.token("user_ann1", "pro"),
    };
    let event = payload::event(name, case, &token);
    let event = if name.starts_with("webhook-") || name == "job-upload-grant" {
        webhooks::signed(event, "msg_1")
    } else {
        event
    };
    let event = event.to_string().replace("$KEY", &a_key());
    Ok(event.replace("$INVITATION", an_invitation().expose()))
}

/// Makes what a link to unsubscribe holds, with the secret that the stub gives.
fn a_way_out() -> Option<String> {
    Some(functions::unsubscribe_seal().token(&UserId::parse("user_ann1")?, Topic::Jobs))
}

/// Writes the token of the invitation there is, under the secret there is.
fn an_invitation() -> InvitationToken {
    let secret = Secret::new(stub::SECRET).unwrap_or_else(|| unreachable!("it is long enough"));
    let ids = (OrgId::parse(stub::ORG), InvitationId::parse(stub::INVITATION));
    let (Some(org), Some(id)) = ids else { unreachable!("they are ids") };
    InvitationTokens::new(secret).derive(org, id)
}

/// Writes the text of a key, whichever.
fn a_key() -> String {
    let prefix = KeyPrefix::parse("sk").unwrap_or_else(|| unreachable!("sk is a word"));
    KeyText::write(&prefix, Environment::Production, [7; 32]).expose().to_owned()
}

fn settings(issuer: &Issuer, stub: &str) -> Vec<(String, String)> {
    let endpoint = format!("http://{stub}");
    let queue = format!("{endpoint}/000000000000/queue");
    [
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_SESSION_TOKEN", "token"),
        ("AWS_ENDPOINT_URL", &endpoint),
        ("TABLE_NAME", "table"),
        ("BUCKET_NAME", "bucket"),
        ("BUS_NAME", "bus"),
        ("PARKING_QUEUE_URL", &queue),
        ("QUOTA_QUEUE_URL", &queue),
        ("STATS_QUEUE_URL", &queue),
        ("STORAGE_QUEUE_URL", &queue),
        ("CURSOR_SECRET_ARN", "cursors"),
        ("GATEWAY_SECRET_ARN", "gateway"),
        ("UPSTREAMS", &format!("pdf={endpoint}")),
        ("PRIVATE_UPSTREAMS", "true"),
        ("INVITATION_SECRET_ARN", "invitations"),
        ("PEPPER_SECRET_ARN", "peppers"),
        ("SERVICE_TOKENS_ARN", "tokens"),
        ("CLERK_SECRETS_ARN", "webhooks"),
        ("GENERATOR_SECRETS_ARN", "webhooks"),
        ("STRIPE_SECRETS_ARN", "webhooks"),
        ("STRIPE_API_KEY_ARN", "stripe"),
        ("STRIPE_URL", &endpoint),
        ("UNSUBSCRIBE_SECRET_ARN", "unsubscribe"),
        ("MAIL_FROM", "no-reply@example.com"),
        ("MAIL_CONFIGURATION_SET", "mails"),
        ("APPLICATION_URL", "https://app.example.com"),
        ("PUBLIC_URL", "https://api.example.com"),
        ("KEY_PREFIX", "sk"),
        ("CLERK_ISSUER", &issuer.iss),
        ("AUTHORIZED_PARTIES", &issuer.azp),
        ("CLERK_JWT_KEY", &issuer.public_pem),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}
