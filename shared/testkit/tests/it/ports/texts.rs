//! Contract of the ports for writing texts: drafts, the language model, and files in the bucket.

use std::time::Duration;

use consigne_auth::Refreshed;
use consigne_core::files::{Grant, Kind};
use consigne_core::gateway::Upstream;
use consigne_core::jobs::{Ask, Job};
use consigne_core::ports::{
    AskModel, ForgetDraft, GetDraft, GrantUpload, PutObject, ReadChapters, ReadHead, StoreDraft,
};
use consigne_core::texts::{Chapter, Draft, Form, Next, Prompt, Reply, Sort, Tokens, Trouble, Turn};
use consigne_core::{Fault, Plan};
use consigne_outgoing::Outgoing;
use consigne_outgoing::language_model::{LanguageModel, ModelKey};
use consigne_runtime::clock;
use consigne_storage::{Bucket, Table};
use consigne_testkit::fakes::World;
use consigne_testkit::model::{ModelFault, StandIn};
use consigne_testkit::stack::{Stack, fresh_user};
use futures_util::future::join_all;

use super::{file_of, now, on_both, owner};

mod drafts {
    use super::*;

    on_both!(
        consigne_testkit::stack::Stack::table,
        a_stored_draft_is_read_back,
        of_ten_concurrent_claims_of_a_step_one_succeeds,
        a_chapter_is_stored_with_its_draft_or_not_at_all,
        a_whole_book_is_read_back_in_order,
        a_draft_is_deleted_with_its_chapters,
    );

    trait DraftStore: GetDraft + StoreDraft + ReadChapters + ForgetDraft {}
    impl DraftStore for World {}
    impl DraftStore for Table {}

    fn job() -> Job {
        Job::accept(&owner(), Plan::Pro, Kind::Book, Ask::text("Le phare", None, None).unwrap(), now())
    }

    fn claimed(text: &Draft, message: &str) -> Draft {
        match text.turn(message, now()) {
            Turn::Taken(taken) => *taken,
            other => panic!("it may not be claimed: {other:?}"),
        }
    }

    fn replied(text: &Draft, reply: &str) -> (Draft, Option<Chapter>) {
        let reply = Reply { text: reply.to_owned(), tokens: Tokens { prompt: 3, completion: 4 } };
        text.take(&reply, Form::of(Kind::Book).unwrap(), None, now()).unwrap()
    }

    const PLAN: &str = r#"{"title": "Le phare “été”", "chapters": ["1", "2", "3", "4", "5", "6"]}"#;

    /// Stores a draft with an outline.
    async fn planned(store: &impl DraftStore, job: &Job) -> Draft {
        let claimed = claimed(&Draft::begun(job), "m0");
        assert!(store.store_draft(&claimed, None).await.unwrap().is_committed());
        let (planned, _) = replied(&claimed, PLAN);
        assert!(store.store_draft(&planned, None).await.unwrap().is_committed());
        planned
    }

    async fn a_stored_draft_is_read_back(store: &impl DraftStore) {
        let job = job();
        assert_eq!(store.get_draft(&job.id).await.unwrap(), None);
        let first = claimed(&Draft::begun(&job), "m1");
        assert!(store.store_draft(&first, None).await.unwrap().is_committed());
        assert_eq!(store.get_draft(&job.id).await.unwrap().as_ref(), Some(&first));
        let trouble = Trouble { tokens: Tokens { prompt: 1, completion: 2 }, ..Trouble::new(Sort::TooLong, "") };
        let (after, _) = first.troubled(&trouble, job.deadline, now());
        assert!(store.store_draft(&after, None).await.unwrap().is_committed());
        assert_eq!(store.get_draft(&job.id).await.unwrap(), Some(after));
    }

    async fn of_ten_concurrent_claims_of_a_step_one_succeeds(store: &impl DraftStore) {
        let job = job();
        for draft in [Draft::begun(&job), planned(store, &self::job()).await] {
            let claims: Vec<Draft> = (0..10).map(|n| claimed(&draft, &format!("m{n}"))).collect();
            let won = join_all(claims.iter().map(|claim| store.store_draft(claim, None))).await;
            let won: Vec<bool> = won.into_iter().map(|outcome| outcome.unwrap().is_committed()).collect();
            assert_eq!(won.iter().filter(|won| **won).count(), 1, "{won:?}");
            let winner = won.iter().position(|won| *won).unwrap();
            assert_eq!(store.get_draft(&draft.job).await.unwrap(), Some(claims[winner].clone()));
        }
    }

    async fn a_chapter_is_stored_with_its_draft_or_not_at_all(store: &impl DraftStore) {
        let job = job();
        let text = claimed(&planned(store, &job).await, "m1");
        let (after, chapter) = replied(&text, &"mot ".repeat(50));
        // The claim was never stored, so this step is computed from an outdated state.
        assert!(!store.store_draft(&after, chapter.as_ref()).await.unwrap().is_committed());
        assert_eq!(store.read_chapters(&job.id).await.unwrap(), Vec::<String>::new());
        assert!(store.store_draft(&text, None).await.unwrap().is_committed());
        assert!(store.store_draft(&after, chapter.as_ref()).await.unwrap().is_committed());
        assert!(!store.store_draft(&after, chapter.as_ref()).await.unwrap().is_committed());
        assert_eq!(store.read_chapters(&job.id).await.unwrap(), ["mot ".repeat(50).trim_end()]);
    }

    /// Stores six chapters of 90 kB, which together are more than one page of a query. Returns them.
    async fn written(store: &impl DraftStore, job: &Job) -> Vec<String> {
        let (mut text, mut chapters) = (planned(store, job).await, Vec::new());
        while let Next::Chapter(at) = text.next() {
            let claim = claimed(&text, "m1");
            assert!(store.store_draft(&claim, None).await.unwrap().is_committed());
            let (after, chapter) = replied(&claim, &format!("{at} été ").repeat(11_000));
            assert!(store.store_draft(&after, chapter.as_ref()).await.unwrap().is_committed());
            chapters.extend(chapter.map(|chapter| chapter.text));
            text = after;
        }
        assert!(text.file.is_some());
        chapters
    }

    async fn a_whole_book_is_read_back_in_order(store: &impl DraftStore) {
        let job = job();
        let chapters = written(store, &job).await;
        assert_eq!(chapters.len(), 6);
        assert!(store.read_chapters(&job.id).await.unwrap() == chapters);
    }

    async fn a_draft_is_deleted_with_its_chapters(store: &impl DraftStore) {
        let (job, other) = (job(), job());
        written(store, &job).await;
        let draft = planned(store, &other).await;
        for _ in 0..2 {
            store.forget_draft(&job.id).await.unwrap();
        }
        assert_eq!(store.get_draft(&job.id).await.unwrap(), None);
        assert!(store.read_chapters(&job.id).await.unwrap().is_empty());
        assert_eq!(store.get_draft(&other.id).await.unwrap(), Some(draft));
    }
}

mod models {
    use super::*;

    /// A model whose faults a test can plan.
    trait Model: AskModel {
        async fn plan(&self, topic: &str, faults: &[ModelFault]);
    }

    impl Model for World {
        async fn plan(&self, _: &str, faults: &[ModelFault]) {
            self.change(|state| state.texts.faults = faults.iter().copied().map(Some).collect());
        }
    }

    /// The adapter with the stand-in, and a short timeout.
    struct Real(LanguageModel, StandIn);

    impl AskModel for Real {
        async fn ask_model(&self, prompt: &Prompt) -> Result<Result<Reply, Trouble>, Fault> {
            self.0.ask_model(prompt).await
        }
    }

    impl Model for Real {
        async fn plan(&self, topic: &str, faults: &[ModelFault]) {
            self.1.fail(topic, faults, None).await;
        }
    }

    fn model_under(stack: &Stack, key: &str) -> Real {
        let at = Upstream::parse(stack.name("TEXT_MODEL_URL"), true).unwrap();
        let key = Refreshed::fixed(ModelKey::parse(key).unwrap());
        // Long enough for a busy machine. A hanging call takes half a minute.
        let timeout = Duration::from_secs(8);
        Real(
            LanguageModel::new(Outgoing::new(true), at, "stand-in".to_owned(), key, timeout, clock::now),
            StandIn::of(stack),
        )
    }

    fn real(stack: &Stack) -> Real {
        model_under(stack, "key-0123456789abcdef0123456789abcdef")
    }

    on_both!(
        super::real,
        an_outline_and_a_chapter_are_written_and_their_tokens_counted,
        every_fault_has_its_own_sort_of_trouble,
    );

    fn form() -> Form {
        Form::of(Kind::Blog).unwrap()
    }

    async fn an_outline_and_a_chapter_are_written_and_their_tokens_counted(model: &impl Model) {
        let ask = Ask::text(&format!("Le phare {}", fresh_user()), None, None).unwrap();
        let prompt = Prompt::outline(&ask, form());
        let reply = model.ask_model(&prompt).await.unwrap().unwrap();
        let plan = consigne_core::texts::Outline::parse(&reply.text, form(), None).unwrap();
        assert!(plan.chapters.len() == 4 && reply.tokens.prompt > 0 && reply.tokens.completion > 0, "{reply:?}");
        let chapter = |before| Prompt::chapter(&ask, form(), &plan, 1, before, None);
        let [one, again, other] = [chapter("fin."), chapter("fin."), chapter("autre fin.")];
        let ask = async |prompt| model.ask_model(prompt).await.unwrap().unwrap().text;
        assert_eq!(ask(&one).await, ask(&again).await);
        assert_ne!(ask(&one).await, ask(&other).await);
    }

    async fn every_fault_has_its_own_sort_of_trouble(model: &impl Model) {
        for (fault, want) in ModelFault::ALL {
            let topic = format!("Le phare {}", fresh_user());
            model.plan(&topic, &[fault]).await;
            let prompt = Prompt::outline(&Ask::text(&topic, None, None).unwrap(), form());
            let outcome = model.ask_model(&prompt).await.unwrap();
            assert_eq!(outcome.as_ref().err().map(|trouble| trouble.sort), want, "{fault:?}: {outcome:?}");
            let wait = outcome.err().and_then(|trouble| trouble.retry_after);
            let asked = matches!(fault, ModelFault::Status(.., Some(_))).then_some(Duration::from_secs(7));
            assert_eq!(wait, asked, "{fault:?}");
            assert!(model.ask_model(&prompt).await.unwrap().is_ok(), "{fault:?}: it goes right again");
        }
    }

    #[tokio::test]
    async fn an_unreachable_model_is_down_and_a_refused_key_is_misconfigured() {
        let stack = Stack::find();
        let prompt = Prompt::outline(&Ask::text("Le phare", None, None).unwrap(), form());
        let of = async |model: Real| model.ask_model(&prompt).await.unwrap().unwrap_err().sort;
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let nobody = format!("http://{}/v1", listener.local_addr().unwrap());
        drop(listener);
        let Real(_, stand_in) = real(&stack);
        let key = Refreshed::fixed(ModelKey::parse("key-0123456789abcdef0123456789abcdef").unwrap());
        let at = Upstream::parse(&nobody, true).unwrap();
        let gone =
            LanguageModel::new(Outgoing::new(true), at, "stand-in".to_owned(), key, Duration::from_secs(1), clock::now);
        assert_eq!(of(Real(gone, stand_in)).await, Sort::Down);
        let at = Upstream::parse(&stack.name("TEXT_MODEL_URL").replace("/v1", "/v2"), true).unwrap();
        let key = Refreshed::fixed(ModelKey::parse("key-0123456789abcdef0123456789abcdef").unwrap());
        let moved =
            LanguageModel::new(Outgoing::new(true), at, "stand-in".to_owned(), key, Duration::from_secs(1), clock::now);
        assert_eq!(of(Real(moved, StandIn::of(&stack))).await, Sort::Misconfigured);
        // Without the setting for private upstreams, loopback addresses are not called.
        assert!(Upstream::parse(&nobody, false).is_err());
    }
}

mod buckets {
    use super::*;

    on_both!(consigne_testkit::stack::Stack::bucket, a_file_is_put_only_if_the_key_has_no_object,);

    trait Objects: PutObject + ReadHead {}
    impl Objects for World {}
    impl Objects for Bucket {}

    async fn a_file_is_put_only_if_the_key_has_no_object(bucket: &impl Objects) {
        let file = file_of(&owner(), "été.md", 5, now());
        assert!(bucket.put_object(&file, b"# Un\n").await.unwrap());
        assert!(!bucket.put_object(&file, b"# Deux\n").await.unwrap());
        let head = bucket.read_head(file.key.as_str(), None, 100).await.unwrap().unwrap();
        assert_eq!((head.bytes.as_slice(), head.size), (&b"# Un\n"[..], 5));
    }

    #[tokio::test]
    async fn a_put_file_has_its_content_type_and_is_checked_like_an_upload() {
        let (stack, now) = (Stack::find(), now());
        let person = stack.newcomer("pro");
        let owner = consigne_core::UserId::parse(&person.id).unwrap();
        let file = file_of(&owner, "a.md", 5, now);
        let grant = Grant { file: file.clone(), plan: Plan::Pro, job: None, seen: None, idempotency: None, now };
        stack.table().grant_upload(&grant).await.unwrap();
        assert!(stack.bucket().put_object(&file, b"# Un\n").await.unwrap());
        let facts = person.wait_for(file.key.as_str(), "ready").await;
        assert_eq!(
            (&facts["size"], &facts["contentType"]),
            (&serde_json::json!(5), &serde_json::json!("text/markdown"))
        );
    }
}
