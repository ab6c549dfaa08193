//! Books and articles on the deployed stack, written by the stand-in for a language model.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::time::Duration;

use consigne_auth::Refreshed;
use consigne_core::gateway::Upstream;
use consigne_core::mail::Sender;
use consigne_outgoing::Outgoing;
use consigne_outgoing::language_model::{LanguageModel, ModelKey, REPLY_TIMEOUT};
use consigne_runtime::log::RequestLog;
use consigne_runtime::queue::Message;
use consigne_runtime::settings::{EnvVars, Setting};
use consigne_runtime::{Adapters, BatchFunction as _, Pending, Start, StartError, Wire as _, clock};
use consigne_storage::{Bucket, Presigner, Table};
use consigne_testkit::fakes::{Moment, World};
use consigne_testkit::functions::FakeSecrets;
use consigne_testkit::generator::{Generator, fresh_id};
use consigne_testkit::model::{ModelFault, StandIn};
use consigne_testkit::pictures;
use consigne_testkit::stack::{Stack, fresh_user};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::bus_listener::BusListener;
use super::further_stack::FurtherStack;
use super::jobs::{asked, delivered_before_and_after_the_event, status, wait_for};
use super::{assert_refused, text};

/// A stack without a language model.
const STACK_WITHOUT_MODEL: FurtherStack = FurtherStack { name: "outside", env_file: "target/local/outside.env" };
/// Time after which SQS redelivers the message of a killed worker.
const HIDDEN: Duration = Duration::from_mins(12);

/// Returns a new topic.
fn topic() -> String {
    format!("Le phare de {}", fresh_user())
}

/// Returns the tasks of the model calls for a text with so many chapters.
fn asks(chapters: usize) -> Vec<String> {
    ["outline".to_owned()].into_iter().chain((1..=chapters).map(|number| format!("chapter {number}"))).collect()
}

/// Downloads the text of a completed job.
async fn download(stack: &Stack, job: &Value) -> String {
    let url = text(&job["result"], "download_url");
    let downloaded = stack.client.send("GET", &url, &[], Vec::new()).await;
    assert_eq!((downloaded.status, downloaded.header("content-type")), (200, "text/markdown; charset=utf-8"));
    String::from_utf8(downloaded.bytes).unwrap()
}

#[tokio::test]
async fn an_article_is_requested_written_and_downloaded() {
    let stack = Stack::find();
    let (ann, stand_in, topic) = (stack.newcomer("free"), StandIn::of(&stack), topic());
    let listener = BusListener::on(&stack, "user_id", &ann.id).await;
    let job = asked(&ann, "blog", &json!({ "topic": topic, "title": "Lumières / été" })).await;
    let done = wait_for(&ann, &job, "completed").await;
    let written = download(&stack, &done).await;
    let result = &done["result"];
    let key = text(result, "s3_key");
    assert!(key.starts_with(&format!("{}/blogs/", ann.id)) && key.ends_with("-lumieres-ete.md"), "{key}");
    assert_eq!((&result["book_title"], &result["topic"]), (&json!("Lumières / été"), &json!(topic)));
    assert_eq!((&result["chapter_count"], &result["file_size"]), (&json!(4), &json!(written.len())));
    assert!(result["word_count"].as_u64().unwrap() > 100 && text(result, "generated_at").ends_with('Z'));
    assert!(result["tokens"]["prompt"].as_u64().unwrap() > 0 && result["tokens"]["completion"].as_u64().unwrap() > 0);
    assert!(written.starts_with(&format!("# Lumières / été\n\n## {topic}, part 1\n\n")), "{written}");
    assert_eq!((written.matches("\n## ").count(), stand_in.calls(&topic).await), (4, asks(4)));
    ann.wait_for_usage(1, written.len() as u64, 0).await;
    assert_eq!(ann.metadata(&key).await.json()["filename"], "Lumières - été.md");
    assert_eq!(listener.wait_for("job.completed").await["detail"]["files"], json!([key]));

    // The log has the job's id, and neither its topic nor the key.
    let lines = stack.log_lines("generate-worker", &job).await;
    assert!(lines.iter().any(|line| line.contains("\"ChaptersWritten\":1")), "{lines:?}");
    assert!(stack.log_lines("generate-worker", &topic).await.is_empty());
    assert!(stack.log_lines("generate-worker", "Bearer").await.is_empty());
}

#[tokio::test]
async fn each_of_twelve_chapters_is_requested_once_though_messages_come_twice() {
    let stack = Stack::find();
    let (ann, stand_in, topic) = (stack.newcomer("pro"), StandIn::of(&stack), topic());
    let sqs = aws_sdk_sqs::Client::new(&stack.aws().sdk_config());
    let queue = sqs.get_queue_url().queue_name(format!("{}-texts", stack.name("STACK_NAME")));
    let queue = queue.send().await.unwrap().queue_url.unwrap();
    let job = asked(&ann, "books", &json!({ "topic": topic, "goal": "Sans jargon" })).await;
    for _ in 0..20 {
        let again = sqs.send_message().queue_url(&queue).message_body(json!({ "job_id": job }).to_string());
        again.send().await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let done = wait_for(&ann, &job, "completed").await;
    let written = download(&stack, &done).await;
    assert_eq!(stand_in.calls(&topic).await, asks(12));
    assert_eq!((written.matches("\n## ").count(), &done["result"]["chapter_count"]), (12, &json!(12)));
    assert!(text(&done["result"], "s3_key").starts_with(&format!("{}/books/", ann.id)));
    ann.wait_for_usage(1, written.len() as u64, 0).await;
    // After its first message it could no longer be cancelled.
    assert_refused(&ann.call("DELETE", &format!("/api/secure/jobs/{job}")).await, 409, "CONFLICT");
}

#[tokio::test]
async fn a_failing_model_is_retried_and_the_article_is_the_same() {
    let stack = Stack::find();
    let (ann, stand_in, topic) = (stack.newcomer("pro"), StandIn::of(&stack), topic());
    let request = json!({ "topic": topic });
    let calm = wait_for(&ann, &asked(&ann, "blog", &request).await, "completed").await;
    assert_eq!(stand_in.calls(&topic).await, asks(4));
    let trouble = [
        ModelFault::Status(429, "rate_limit_exceeded", Some("1")),
        ModelFault::Status(503, "overloaded", Some("1")),
        ModelFault::Malformed,
    ];
    stand_in.fail(&topic, &trouble, None).await;
    let began = clock::now();
    let again = wait_for(&ann, &asked(&ann, "blog", &request).await, "completed").await;
    assert!(clock::now().since(began) >= Duration::from_secs(2), "the model's Retry-After must be respected");
    assert_eq!(download(&stack, &again).await, download(&stack, &calm).await);
    let calls = [asks(4), vec!["outline".to_owned(); 3], asks(4)].concat();
    assert_eq!(stand_in.calls(&topic).await, calls);
}

#[tokio::test]
async fn a_model_that_keeps_failing_fails_the_job_and_returns_its_allowance() {
    let stack = Stack::find();
    let (ann, stand_in) = (stack.newcomer("free"), StandIn::of(&stack));
    let listener = BusListener::on(&stack, "user_id", &ann.id).await;
    let refused = topic();
    // The trouble after which a job is given up soonest.
    stand_in.fail(&refused, &[], Some(ModelFault::Filtered)).await;
    let job = asked(&ann, "blog", &json!({ "topic": refused })).await;
    let failed = wait_for(&ann, &job, "failed").await;
    assert_eq!(failed["error"]["code"], "MODEL_REFUSED");
    assert!(text(&failed["error"], "message").contains("please try again"), "{failed}");
    assert_eq!(stand_in.calls(&refused).await, ["outline"; 2]);
    assert_eq!(listener.wait_for("job.failed").await["detail"]["error"]["code"], "MODEL_REFUSED");
    ann.wait_for_usage(0, 0, 0).await;
    for _ in 0..5 {
        asked(&ann, "blog", &json!({ "topic": topic() })).await;
    }
    let spent = ann.call_with("POST", "/api/secure/blog/generate", &json!({ "topic": "t" })).await;
    assert_refused(&spent, 429, "GENERATION_QUOTA_EXCEEDED");
}

#[tokio::test]
async fn ten_concurrent_articles_are_each_written_once() {
    let stack = Stack::find();
    let (ann, stand_in) = (stack.newcomer("pro"), StandIn::of(&stack));
    let keys = join_all((0..10).map(async |_| {
        let topic = topic();
        let job = asked(&ann, "blog", &json!({ "topic": topic })).await;
        let done = wait_for(&ann, &job, "completed").await;
        assert_eq!(stand_in.calls(&topic).await, asks(4));
        text(&done["result"], "s3_key")
    }));
    assert_eq!(keys.await.into_iter().collect::<BTreeSet<_>>().len(), 10);
}

/// Plays the worker of a stack without one, on its real table and bucket.
struct WithQueue {
    table: Cell<Option<Table>>,
    bucket: Bucket,
    model_url: String,
    queue: World,
}

impl Adapters for WithQueue {
    type Table = Table;
    type Bucket = Bucket;
    type Bus = ();
    type Cdn = ();
    type Queue = World;
    type Mailer = ();
    type Outgoing = ();
    type Payments = ();
    type Model = LanguageModel;
    type Clock = ();
    type Secrets = FakeSecrets;

    fn table(start: &Start<Self>) -> Result<Table, StartError> {
        Ok(start.adapters().table.take().unwrap())
    }
    fn bucket(start: &Start<Self>) -> Result<Bucket, StartError> {
        Ok(start.adapters().bucket.clone())
    }
    fn queue(start: &Start<Self>, _: &'static Setting) -> Result<World, StartError> {
        Ok(start.adapters().queue.clone())
    }
    fn model(start: &Start<Self>) -> Result<Pending<LanguageModel>, StartError> {
        let at = Upstream::parse(&start.adapters().model_url, true).unwrap();
        let key = Refreshed::fixed(ModelKey::parse("key-0123456789abcdef0123456789abcdef").unwrap());
        Ok(Pending::ready(LanguageModel::new(
            Outgoing::new(true),
            at,
            "stand-in".to_owned(),
            key,
            REPLY_TIMEOUT,
            clock::now,
        )))
    }
    fn secrets(_: &Start<Self>) -> FakeSecrets {
        FakeSecrets
    }
    fn replica(_: &Start<Self>, _: String, _: Option<String>) -> Bucket {
        panic!("a worker writes to the bucket only")
    }
    fn presigner(_: &Start<Self>) -> Result<Presigner, StartError> {
        panic!("a worker signs nothing")
    }
    fn bus(_: &Start<Self>) -> Result<(), StartError> {
        Ok(())
    }
    fn cdn(_: &Start<Self>) -> Result<(), StartError> {
        Ok(())
    }
    fn payments(_: &Start<Self>) -> Result<Pending<()>, StartError> {
        Ok(Pending::ready(()))
    }
    fn mailer(_: &Start<Self>, _: Sender, _: String) {}
    fn outgoing(_: &Start<Self>, _: bool) {}
    fn clock(_: &Start<Self>) {}
}

/// Plays the worker of a stack that has none.
struct Worker<'a> {
    function: generate_worker::Function<WithQueue>,
    queue: World,
    stand_in: StandIn,
    topic: &'a str,
    job: String,
}

impl<'a> Worker<'a> {
    async fn of(stack: &Stack, job: String, topic: &'a str) -> Self {
        let queue = World::default();
        let model_url = stack.name("TEXT_MODEL_URL").to_owned();
        let adapters = WithQueue {
            table: Cell::new(Some(stack.table())),
            bucket: stack.bucket(),
            model_url,
            queue: queue.clone(),
        };
        let start = Start::with(EnvVars::fixed([]), adapters);
        let function = generate_worker::Function::wire(&start).unwrap().await.unwrap();
        Self { function, queue, stand_in: StandIn::of(stack), topic, job }
    }

    /// Delivers its message for the `n`th time. Returns whether that succeeded.
    async fn deliver(&self, n: u32) -> bool {
        let now = clock::now().plus(HIDDEN * n);
        let body = json!({ "job_id": self.job }).to_string();
        let message = Message { body, id: "message-1".to_owned(), receives: n, now, log: RequestLog::default() };
        self.function.handle(&message).await.is_ok()
    }

    /// Delivers the message and kills the worker while it waits for the model.
    async fn kill_in_the_call(&self, n: u32) {
        let before = self.stand_in.calls(self.topic).await.len();
        self.stand_in.fail(self.topic, &[ModelFault::Hang], None).await;
        let asked = async {
            while self.stand_in.calls(self.topic).await.len() == before {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        // When one of them ends, the other is dropped.
        tokio::select! {
            () = asked => {}
            done = self.deliver(n) => panic!("the model was not called, and the worker returned {done}"),
        }
    }

    /// Delivers the message and kills the worker after the checkpoint, before the next message is sent.
    async fn kill_behind_the_checkpoint(&self, n: u32) {
        self.queue.fail_at(0, Moment::Before);
        assert!(!self.deliver(n).await && !self.queue.fault_is_left());
    }
}

#[tokio::test]
async fn without_a_model_outside_generators_write_texts() {
    let stack = STACK_WITHOUT_MODEL.deploy(&["TextModelUrl=".to_owned()]);
    let ann = stack.newcomer("premium");
    a_generator_writes_a_book(&stack).await;

    let mut books = Vec::new();
    let topic = topic();
    for kill in ["never", "in the call", "behind the checkpoint"] {
        let job = asked(&ann, "books", &json!({ "topic": topic })).await;
        let worker = Worker::of(&stack, job.clone(), &topic).await;
        let before = worker.stand_in.calls(&topic).await.len();
        let mut n = 0;
        for _ in 0..13 {
            if kill == "in the call" {
                worker.kill_in_the_call(n).await;
                n += 1;
            }
            if kill == "behind the checkpoint" {
                worker.kill_behind_the_checkpoint(n).await;
            } else {
                assert!(worker.deliver(n).await, "{kill}");
            }
            n += 1;
        }
        assert_eq!(status(&ann, &job).await["status"], "processing");
        assert!(worker.deliver(n).await);
        let calls = worker.stand_in.calls(&topic).await.split_off(before);
        // No chapter was requested twice, except for the calls in flight.
        let each = if kill == "in the call" { 2 } else { 1 };
        let want: Vec<String> = asks(12).into_iter().flat_map(|ask| vec![ask; each]).collect();
        assert_eq!(calls, want, "{kill}");
        let done = wait_for(&ann, &job, "completed").await;
        books.push(download(&stack, &done).await);
    }
    assert!(books[0].matches("\n## ").count() == 12 && books.iter().all(|book| *book == books[0]));
}

/// Takes a book from the queue as an outside generator, and delivers it.
async fn a_generator_writes_a_book(stack: &Stack) {
    let (ann, generator) = (stack.newcomer("pro"), Generator::of(stack));
    let book = asked(&ann, "books", &json!({ "topic": "Intelligence artificielle", "goal": "Sans jargon" })).await;
    let message = generator.take(&book).await;
    let mut file = generator.upload(&message, "ia.md", "text/markdown", pictures::markdown(4000)).await;
    (file["title"], file["chapter_count"], file["word_count"]) = (json!("L’IA en clair"), json!(12), json!(30_000));
    assert_eq!(generator.complete(&message, &fresh_id(), &[file.clone()]).await.status, 200);
    let done = wait_for(&ann, &book, "completed").await;
    let result = &done["result"];
    for (field, want) in [
        ("book_title", json!("L’IA en clair")),
        ("topic", json!("Intelligence artificielle")),
        ("s3_key", file["s3_key"].clone()),
        ("file_size", json!(4000)),
        ("chapter_count", json!(12)),
        ("word_count", json!(30_000)),
    ] {
        assert_eq!(result[field], want, "{field}");
    }
    assert!(text(result, "generated_at").ends_with('Z') && result.get("tokens").is_none());
    assert_eq!(download(stack, &done).await.into_bytes(), pictures::markdown(4000));
    let book = ("ia.md", "text/markdown", pictures::markdown(4000));
    delivered_before_and_after_the_event(stack, &ann, ("books", &json!({ "topic": "La mer" })), book).await;
    let message = generator.take(&asked(&ann, "books", &json!({ "topic": "La pluie" })).await).await;
    assert_eq!(generator.fail(&message, &fresh_id()).await.status, 200);
    let failed = wait_for(&ann, &text(&message, "job_id"), "failed").await;
    assert_eq!(failed["allowance_returned"], true, "{failed}");
}
