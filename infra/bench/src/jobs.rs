//! Jobs: the calls of each route, how fast events leave the outbox, and how long a job takes if its generator answers
//! at once.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use consigne_testkit::generator::{Generator, fresh_id};
use consigne_testkit::pictures;
use consigne_testkit::stack::Person;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::Problem;
use crate::calls::{push_passed, quiet};
use crate::proxy::Passed;
use crate::stack::BenchStack;
use crate::table::{Row, Table, quantile};

const EVENTS: &str = "Events, from the request to the queue of the generators";
const JOBS: &str = "A job of one picture, its generator answering at once";
/// Requests at the same time.
const AT_ONCE: usize = 20;
/// Longest time for an event, or for the end of a job.
const MAX_WAIT: Duration = Duration::from_mins(2);
/// Pause between two looks at the state.
const PAUSE: Duration = Duration::from_millis(10);

/// Measures the calls of `rounds` requests, the events of `count` jobs, and `rounds` jobs from request to end.
pub(crate) async fn measure(bench: &BenchStack, rounds: u32, count: u32, table: &mut Table) -> Result<(), Problem> {
    let (ann, generator) = (bench.stack.newcomer("enterprise"), Generator::of(bench.stack));
    // Once for each function, so that the measured requests are warm.
    whole(&ann, &generator).await?;
    calls(bench, &ann, &generator, rounds, table).await?;
    events(bench, &ann, &generator, count, table).await?;
    let mut times = Vec::new();
    for _ in 0..rounds {
        times.push(whole(&ann, &generator).await?.as_secs_f64() * 1_000.0);
    }
    table.push(Row::new(JOBS, "created to completed, median", quantile(&mut times, 0.5), "ms").of_this_machine());
    table.push(Row::new(JOBS, "created to completed, 95 %", quantile(&mut times, 0.95), "ms").of_this_machine());
    Ok(())
}

/// Requests one picture. Returns the job's id.
async fn request_job(ann: &Person<'_>) -> Result<String, Problem> {
    let accepted = ann.call_with("POST", "/api/secure/images/generate", &json!({ "prompt": "a lighthouse" })).await;
    let job = accepted.json()["data"]["job_id"].as_str().map(str::to_owned);
    job.ok_or_else(|| format!("a request for a job was answered {}", accepted.json()))
}

/// Reads a job. Returns whether it is complete.
async fn completed(ann: &Person<'_>, job: &str) -> bool {
    let found = ann.call("GET", &format!("/api/secure/jobs/{job}/status")).await;
    found.json()["data"]["status"] == "completed"
}

/// Runs a job from its request to its end. Returns the time it took.
async fn whole(ann: &Person<'_>, generator: &Generator<'_>) -> Result<Duration, Problem> {
    let began = Instant::now();
    let job = request_job(ann).await?;
    let message = generator.take(&job).await;
    let file = generator.upload(&message, "a.png", "image/png", pictures::png(64, 64, 2_000)).await;
    generator.complete(&message, &fresh_id(), &[file]).await;
    while !completed(ann, &job).await {
        if began.elapsed() > MAX_WAIT {
            return Err(format!("{job} was not completed"));
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(began.elapsed())
}

/// Counts the calls of each route, without those of what follows from it.
async fn calls(
    bench: &BenchStack,
    ann: &Person<'_>,
    generator: &Generator<'_>,
    rounds: u32,
    table: &mut Table,
) -> Result<(), Problem> {
    let mut totals = [Passed::default(); 4];
    for _ in 0..rounds {
        quiet(bench).await;
        bench.proxy.reset();
        let job = request_job(ann).await?;
        totals[0] += own(bench, &["TransactWriteItems", "GetItem"]).await;
        let message = generator.take(&job).await;

        bench.proxy.reset();
        let grant = generator.ask(&message, "a.png", "image/png", 2_000).await.json();
        totals[1] += own(bench, &["TransactWriteItems", "GetItem"]).await;
        generator.put(&grant, pictures::png(64, 64, 2_000)).await;
        quiet(bench).await;

        let completer = completer(bench, generator, &message).await?;
        bench.proxy.reset();
        let file = json!({ "s3_key": grant["s3_key"], "file_size": 2_000 });
        let taken = generator.complete(&message, &fresh_id(), &[file]).await.json();
        if taken["status"] != "completed" {
            return Err(format!("a completion was answered {taken}"));
        }
        quiet(bench).await;
        totals[2] += bench.proxy.passed(|key, _| key == completer);

        bench.proxy.reset();
        completed(ann, &job).await;
        totals[3] += own(bench, &["GetItem", "Query", "GetObject"]).await;
    }
    for ((name, most, note), total) in [
        ("generate", 1.0, "one transaction"),
        ("job-upload-grant", 2.0, "read the job, one transaction"),
        ("completion webhook, one file", 3.0, "read the job, one head a file, one transaction"),
        ("job-status", 1.0, "read the job"),
    ]
    .into_iter()
    .zip(totals)
    {
        push_passed(name, total, rounds, most, note, table);
    }
    Ok(())
}

/// Returns the access key of the completion webhook, which distinguishes its calls from those of the mail that follows.
/// A completion of an unknown job reads the table and does nothing else.
async fn completer(bench: &BenchStack, generator: &Generator<'_>, message: &Value) -> Result<String, Problem> {
    let mut unknown = message.clone();
    let changed = |(at, letter)| if at == 10 { 'Z' } else { letter };
    let id: String = message["job_id"].as_str().unwrap_or_default().chars().enumerate().map(changed).collect();
    unknown["job_id"] = id.into();
    bench.proxy.reset();
    generator.complete(&unknown, &fresh_id(), &[]).await;
    let keys: BTreeSet<String> = bench.proxy.counts().into_keys().map(|(key, _)| key).collect();
    keys.into_iter().next().ok_or_else(|| "a completion of an unknown job made no call".to_owned())
}

/// Waits until no calls pass the proxy any more, and counts those with one of these operations: the route's own.
/// `publish-events` uses other operations.
async fn own(bench: &BenchStack, operations: &[&str]) -> Passed {
    quiet(bench).await;
    bench.proxy.passed(|_, operation| operations.contains(&operation))
}

/// Requests jobs as fast as they are accepted, and waits until the last event is on the queue.
async fn events(
    bench: &BenchStack,
    ann: &Person<'_>,
    generator: &Generator<'_>,
    count: u32,
    table: &mut Table,
) -> Result<(), Problem> {
    quiet(bench).await;
    let (before, began) = (generator.waiting().await, Instant::now());
    let share = count as usize / AT_ONCE;
    let caller = async |_| {
        for _ in 0..share {
            request_job(ann).await?;
        }
        Ok::<_, Problem>(())
    };
    join_all((0..AT_ONCE).map(caller)).await.into_iter().collect::<Result<(), _>>()?;
    let accepted = began.elapsed().as_secs_f64();
    let asked = u32::try_from(share * AT_ONCE).unwrap_or(u32::MAX);
    while generator.waiting().await < before + asked {
        if began.elapsed() > MAX_WAIT {
            return Err(format!("of {asked} events {} reached the queue", generator.waiting().await - before));
        }
        tokio::time::sleep(PAUSE).await;
    }
    let took = began.elapsed().as_secs_f64();
    let row = Row::new(EVENTS, "through outbox, stream and bus", f64::from(asked) / took, "per second");
    table.push(row.of_this_machine().with_note(format!("{asked} jobs, {AT_ONCE} at a time")));
    let behind = (took - accepted) * 1_000.0;
    table.push(Row::new(EVENTS, "last request accepted to last event queued", behind, "ms").of_this_machine());
    Ok(())
}
