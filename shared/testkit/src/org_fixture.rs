//! An organisation on the deployed stack, with an owner, credits and keys, and the server that checks its keys.

use consigne_core::audit::AuditAction;
use consigne_core::credits::{CreditGrantOutcome, LotKind};
use consigne_core::orgs::{Member, OrgRole};
use consigne_core::ports::{GrantCredits, PutMember};
use consigne_core::{OrgId, UserId};
use consigne_runtime::clock;
use serde_json::{Value, json};

use crate::accounts;
use crate::http::Response;
use crate::stack::{Person, Stack};

/// An organisation.
pub struct OrgFixture<'a> {
    stack: &'a Stack,
    /// Its owner.
    pub owner: Person<'a>,
    /// Its id.
    pub org: String,
}

/// An issued key, with its text.
#[derive(Clone, Debug)]
pub struct HeldKey {
    /// Id of the key.
    pub id: String,
    /// Text of the key, which is the secret.
    pub text: String,
}

impl<'a> OrgFixture<'a> {
    /// Creates an organisation with a new owner and some credits.
    pub async fn open(stack: &'a Stack, credits: u64) -> Self {
        let owner = stack.newcomer("pro");
        let founded = owner.call_with("POST", "/api/orgs", &json!({ "name": "Acme" })).await;
        assert_eq!(founded.status, 201, "{}", founded.json());
        let org = founded.json()["data"]["id"].as_str().expect("it has an id").to_owned();
        let fixture = Self { stack, owner, org };
        if credits > 0 {
            fixture.grant_credits(credits).await;
        }
        fixture
    }

    /// Wraps an existing organisation.
    pub fn of(stack: &'a Stack, owner: Person<'a>, org: String) -> Self {
        Self { stack, owner, org }
    }

    /// Grants it credits, as an operator does.
    pub async fn grant_credits(&self, credits: u64) {
        let grant = accounts::credits(self.id(), LotKind::Promo, credits, None, clock::now());
        let granted = self.stack.table().grant_credits(&grant).await.expect("the table answers");
        assert_eq!(granted, CreditGrantOutcome::Granted);
    }

    /// Adds a new person as a member.
    pub async fn add_member(&self, role: OrgRole) -> Person<'a> {
        let person = self.stack.newcomer("pro");
        self.join(&person, role).await;
        person
    }

    /// Makes a person a member.
    pub async fn join(&self, person: &Person<'_>, role: OrgRole) {
        let user = UserId::parse(&person.id).expect("it is a user id");
        let member = Member { org: self.id(), user: user.clone(), role, joined_at: clock::now() };
        let entry = accounts::entry(self.id(), AuditAction::RoleChanged, &user, clock::now());
        self.stack.table().put_member(&member, &entry).await.expect("the table answers");
    }

    /// Returns its id.
    pub fn id(&self) -> OrgId {
        OrgId::parse(&self.org).expect("it is an organisation's id")
    }

    /// Returns the path of a route below the organisation.
    pub fn path(&self, rest: &str) -> String {
        format!("/api/orgs/{}{rest}", self.org)
    }

    /// Issues a key for reading and writing PDFs. `more` has further fields of the request.
    pub async fn issue(&self, environment: &str, more: &Value) -> HeldKey {
        let mut body = json!({ "name": "Key", "environment": environment, "scopes": ["pdf:read", "pdf:write"] });
        for (name, value) in more.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        let issued = self.owner.call_with("POST", &self.path("/keys"), &body).await;
        assert_eq!(issued.status, 201, "{}", issued.json());
        let data = &issued.json()["data"];
        let text = |name: &str| data[name].as_str().expect("a key has a text and an id").to_owned();
        HeldKey { id: text("id"), text: text("key") }
    }

    /// Calls a route below a key as the owner.
    pub async fn change(&self, method: &str, key: &HeldKey, verb: &str, body: &Value) -> Response {
        self.owner.call_with(method, &self.path(&format!("/keys/{}{verb}", key.id)), body).await
    }

    /// Returns the wallet.
    pub async fn wallet(&self) -> Value {
        let wallet = self.owner.call("GET", &self.path("/wallet")).await;
        assert_eq!(wallet.status, 200, "{}", wallet.json());
        wallet.json()["data"].clone()
    }

    /// Verifies a key as a server, with an idempotency key if given.
    pub async fn verify(&self, text: &str, more: &Value, idempotent: Option<&str>) -> Response {
        let mut body = json!({ "key": text });
        for (name, value) in more.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        self.stack.serve("/api/keys/verify", &body, idempotent).await
    }

    /// Charges a key one credit. Returns `data` of the answer.
    pub async fn charge(&self, key: &HeldKey, idempotent: Option<&str>) -> Value {
        let answer = self.verify(&key.text, &json!({ "cost": 1 }), idempotent).await;
        assert_eq!(answer.status, 200, "{}", answer.json());
        answer.json()["data"].clone()
    }
}
