//! Shows the caller who they are, what their plan allows, and what they have used of it this month.

use std::collections::BTreeMap;

use consigne_auth::{SessionVerifier, User};
use consigne_core::files::Kind;
use consigne_core::jobs::Generations;
use consigne_core::periods::Month;
use consigne_core::ports::{GetGenerations, GetProfile};
use consigne_core::{Fault, Plan};
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Request, function};
use schemars::JsonSchema;
use serde::Serialize;

/// The signed-in person. What their session token does not say is null.
#[derive(Debug, Serialize, JsonSchema)]
#[allow(missing_docs)] // The names say what most fields are.
pub struct Me {
    pub user_id: String,
    pub email: Option<String>,
    pub email_verified: bool,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub full_name: Option<String>,
    pub username: Option<String>,
    pub image_url: Option<String>,
    pub phone_number: Option<String>,
    pub phone_verified: bool,
    /// Language, as a BCP 47 tag.
    pub locale: Option<String>,
    #[schemars(extend("enum" = Plan::ALL.map(Plan::name)))]
    pub subscription: &'static str,
    /// Role in the whole installation: `user`, `expert` or `admin`.
    #[schemars(extend("enum" = ["user", "expert", "admin"]))]
    pub role: &'static str,
    /// Features of the plan and of the token, sorted.
    pub features: Vec<String>,
    /// What the plan allows.
    pub limits: Limits,
}

/// Limits of the caller's plan.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Limits {
    /// Bytes of storage, reserved bytes included.
    pub storage_bytes: u64,
    /// Bytes of the largest file, by kind.
    pub file_bytes: BTreeMap<&'static str, u64>,
    /// Jobs of this month, by kind. `book` and `blog` share one allowance: both show the same figures.
    pub generations: BTreeMap<&'static str, Allowance>,
    /// Reads in a minute; approximate.
    pub reads_per_minute: u32,
    /// Writes in a minute.
    pub writes_per_minute: u32,
}

/// A month's allowance of jobs.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Allowance {
    /// Jobs in a calendar month (UTC).
    pub limit: u32,
    /// Jobs requested this month. Above the limit after a change to a smaller plan.
    pub used: u32,
    /// When the next month begins.
    #[schemars(extend("format" = "date-time"))]
    pub resets_at: String,
}

function! {
    users: SessionVerifier = session_verifier(),
    table: A::Table = table(),
}

impl<A: Adapters<Table: GetGenerations + GetProfile>> HttpFunction for Function<A> {
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let user = request.user(&self.users).await?;
        let month = Month::of(request.now);
        // Clerk issues tokens to a person whose account is closed only here. What asks first tells them so.
        let (profile, requested) =
            futures_util::try_join!(self.table.get_profile(&user.id), self.table.get_generations(&user.id, month))?;
        profile.require_open()?;
        let limits = Limits::of(user.plan, &requested, month);
        Ok(Answer::envelope(200, "You are signed in", &Me::of(user, limits), request.now))
    }

    fn operations() -> Vec<Operation> {
        vec![Operation::new::<Me>("GET /api/me", "Get the caller's identity, plan and limits").in_envelope()]
    }
}

impl Me {
    fn of(user: User, limits: Limits) -> Self {
        let mut features = user.features;
        features.extend(user.plan.allowances().features.iter().map(|feature| (*feature).to_owned()));
        Self {
            user_id: user.id.to_string(),
            email: user.email,
            email_verified: user.email_verified,
            first_name: user.first_name,
            last_name: user.last_name,
            full_name: user.full_name,
            username: user.username,
            image_url: user.image_url,
            phone_number: user.phone_number,
            phone_verified: user.phone_verified,
            locale: user.locale,
            subscription: user.plan.name(),
            role: user.role.name(),
            features: features.into_iter().collect(),
            limits,
        }
    }
}

impl Limits {
    fn of(plan: Plan, used: &Generations, month: Month) -> Self {
        let allowances = plan.allowances();
        let resets_at = month.ends().to_string();
        let allowance =
            |kind| Allowance { limit: plan.generations(kind), used: used.of(kind), resets_at: resets_at.clone() };
        Self {
            storage_bytes: allowances.storage,
            file_bytes: Kind::ALL.into_iter().map(|kind| (kind.name(), plan.largest(kind))).collect(),
            generations: Kind::GENERATED.into_iter().map(|kind| (kind.name(), allowance(kind))).collect(),
            reads_per_minute: allowances.reads_per_minute,
            writes_per_minute: allowances.writes_per_minute,
        }
    }
}
