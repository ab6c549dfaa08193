//! The steps of a drill: which there are, how often each is drawn, and the beginning.

use std::time::Duration;

use consigne_core::Timestamp;
use consigne_core::credits::LotKind;
use consigne_core::deliveries::Posted;
use consigne_core::endpoints::{Endpoint, HookUrl};
use consigne_core::events::EventKind;
use consigne_core::orgs::{Member, OrgRole};
use consigne_core::periods::Day;
use consigne_core::ports::GrantCredits as _;
use consigne_core::profiles::{Contact, Language, Profile};
use consigne_core::{EndpointId, OrgId, UserId};
use futures_util::FutureExt as _;
use serde_json::json;

use super::events::{request, token};
use super::sim::Sim;
use crate::{accounts, hooks};

/// The people of a drill: the owner, a developer and an administrator.
pub const PEOPLE: [&str; 3] = ["user_ann1", "user_dev1", "user_adam1"];

/// A step: its name, how often it is drawn, and what it does.
type Step = (&'static str, u64, fn(&mut Sim));

const STEPS: [Step; 28] = [
    ("upload a file", 16, Sim::upload),
    ("upload a film in parts", 3, Sim::upload_film),
    ("delete a file", 6, Sim::delete),
    ("sign a download", 3, Sim::download),
    ("publish or withdraw a file", 4, Sim::publish),
    ("verify and charge a key", 16, Sim::verify),
    ("repeat a charge", 5, Sim::repeat_charge),
    ("reuse an idempotency key", 2, Sim::reuse_charge),
    ("call through the gateway", 6, Sim::gateway),
    ("open a hold", 6, Sim::open_hold),
    ("settle a hold", 4, Sim::settle_hold),
    ("void a hold", 3, Sim::void_hold),
    ("issue a key", 3, Sim::issue_key),
    ("rotate a key", 2, Sim::rotate_key),
    ("revoke a key", 2, Sim::revoke_key),
    ("buy credits", 3, Sim::buy),
    ("request pictures", 4, Sim::request_pictures),
    ("request an article", 1, Sim::request_article),
    ("cancel a job", 1, Sim::cancel_job),
    ("generate a picture", 5, Sim::generate_picture),
    ("order", 2, Sim::order),
    ("invite somebody", 2, Sim::invite),
    ("erase an account", 1, Sim::erase),
    ("work on closed accounts", 2, Sim::close_accounts),
    ("receivers fail", 2, Sim::receivers_fail),
    ("sweep", 10, Sim::sweep),
    ("wait", 4, Sim::wait),
    ("pass a midnight", 1, Sim::night),
];

impl Sim {
    /// Founds the organisation, without faults.
    pub fn begin(&mut self) {
        self.calm = true;
        let now = self.now();
        for person in PEOPLE {
            let contact = Contact {
                email: format!("{}@example.com", person.trim_start_matches("user_")),
                verified: true,
                name: None,
                language: Language::English,
                at: now,
            };
            let user = UserId::parse(person).expect("it is a user id");
            let profile = Profile { from_token: Some(contact), ..Profile::unknown(user.clone()) };
            self.world.change(|state| drop(state.profiles.insert(user, profile)));
        }
        let event = request("POST /api/orgs", &[], &token(PEOPLE[0], now), &json!({ "name": "Acme" }));
        let founded = self.call("Ann founds an organisation", "org-create", &event);
        let id = founded.and_then(|(_, body)| body["data"]["id"].as_str().and_then(OrgId::parse));
        let Some(org) = id else { return self.breaks("no organisation could be founded") };
        self.books.org = Some(org);
        for (person, role) in [(PEOPLE[1], OrgRole::Developer), (PEOPLE[2], OrgRole::Admin)] {
            let member = Member { org, user: UserId::parse(person).expect("it is a user id"), role, joined_at: now };
            self.world.change(|state| drop(state.accounts.members.insert((org, member.user.clone()), member)));
        }
        let ends = now.plus(Duration::from_hours(2) + self.rng.seconds(8 * 3600));
        for (amount, ends) in [(600, Some(ends)), (400 + self.rng.below(600), None)] {
            let grant = accounts::credits(org, LotKind::Promo, amount, ends, self.now());
            let granted = self.world.grant_credits(&grant).now_or_never().expect("fakes never wait");
            granted.expect("fakes without faults answer");
            self.books.granted += amount;
            self.pass(Duration::from_secs(1));
        }
        for number in 0..=self.rng.below(2) {
            self.register(org, number);
        }
        for _ in 0..2 {
            self.issue_key();
        }
        self.calm = false;
    }

    /// Registers an endpoint of the owner. Its id is not random, because the ids of deliveries follow from it.
    fn register(&mut self, org: OrgId, number: u64) {
        let owner = UserId::parse(PEOPLE[0]).expect("it is a user id");
        let url = format!("https://hooks.example.com/drill/{number}");
        let endpoint = Endpoint {
            id: EndpointId::derive_at(self.now(), &["drill", &number.to_string()]),
            url: HookUrl::kept(&url).expect("it is an address"),
            events: [
                EventKind::KeyRevoked,
                EventKind::KeyIssued,
                EventKind::JobCompleted,
                EventKind::FileReady,
                EventKind::WalletLow,
                EventKind::WalletToppedUp,
            ]
            .into(),
            ..hooks::endpoint(org, &owner, self.now())
        };
        self.world.change(|state| {
            state.hooks.pointers.insert((owner, endpoint.id), org);
            state.hooks.endpoints.insert((org, endpoint.id), endpoint);
        });
    }

    /// Draws a step and takes it.
    pub fn step(&mut self) {
        let all: u64 = STEPS.iter().map(|(_, weight, _)| weight).sum();
        let mut drawn = self.rng.below(all);
        for (name, weight, step) in STEPS {
            if drawn < weight {
                self.tally.step(name);
                step(self);
                break;
            }
            drawn -= weight;
        }
        let wait = Duration::from_secs(1) + self.rng.seconds(100);
        self.pass(wait);
    }

    /// Runs the sweep.
    fn sweep(&mut self) {
        self.tick("sweep");
    }

    /// Lets the receivers of webhooks refuse the next ones, or say that they are gone for good.
    fn receivers_fail(&mut self) {
        let times = 1 + self.rng.index(6);
        let status = if self.rng.percent(4) { 410 } else { 503 };
        self.say(&format!("the next {times} webhooks are answered {status}"));
        let answers = std::iter::repeat_n(Posted::answered(status, None, b""), times);
        self.world.change(|state| state.hooks.answers.extend(answers));
    }

    /// Lets some time pass.
    fn wait(&mut self) {
        let wait = self.rng.seconds(3600);
        self.pass(wait);
    }

    /// Lets the rest of the day pass, and runs the jobs of the night.
    fn night(&mut self) {
        let ends: Timestamp = Day::of(self.now()).ends();
        self.pass(ends.since(self.now()) + Duration::from_mins(5));
        for job in ["quota-reset", "stats-aggregate", "reconcile"] {
            if !self.tick(job) {
                self.pass(Duration::from_mins(1));
                self.tick(job);
            }
        }
    }

    /// Ends all faults, and runs everything that is asynchronous until nothing is left to do.
    pub fn settle(&mut self) {
        self.calm = true;
        self.say("faults end");
        let minutes = std::iter::repeat_n(10, 18).chain(std::iter::repeat_n(6 * 60, 24));
        for minutes in minutes {
            self.pass(Duration::from_mins(minutes));
            if self.broken.is_some() {
                return;
            }
            self.tick("sweep");
            self.tick("account-close");
        }
        self.compare();
        self.pass(Duration::from_mins(30));
    }

    /// Compares the table and the bucket as the installation does every day: no difference may be left.
    fn compare(&mut self) {
        for _ in 0..200 {
            let answer = self.tick_answer("reconcile");
            if answer["ended"] == true {
                let found = answer["found"].clone();
                if found.as_object().is_none_or(|found| !found.is_empty()) {
                    self.breaks(format!("the daily comparison of table and bucket has found {found}"));
                }
                return;
            }
            // Perhaps the run of this day has ended already.
            self.pass(Duration::from_mins(10));
        }
        self.breaks("the daily comparison of table and bucket does not end");
    }
}
