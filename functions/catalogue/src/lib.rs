//! Shows what this installation offers, to everybody: plans, packs, services, kinds of files, events and scopes.
//!
//! It makes no call, and the answer is the same for all callers, so caches may keep it for a minute.

use std::collections::BTreeMap;

use consigne_core::credits::{CURRENCY, PACKS};
use consigne_core::endpoints::offered_names;
use consigne_core::files::{Kind, MediaType};
use consigne_core::services::{SERVICES, ServiceView, scopes};
use consigne_core::{Fault, Plan, Timestamp};
use consigne_runtime::{Adapters, Answer, HttpFunction, Named, Operation, Pending, Request, Start, Wire, Wiring};
use schemars::JsonSchema;
use serde::Serialize;

/// How long caches may keep the answer.
const CACHED: &str = "public, max-age=60";

/// What the installation offers.
#[derive(Debug, Serialize, JsonSchema)]
#[allow(missing_docs)] // The names say what most fields are.
pub struct Catalogue {
    /// Plans, the smallest first.
    pub plans: Vec<PlanView>,
    pub packs: Vec<PackView>,
    /// Services that API keys can pay for.
    pub services: Vec<ServiceView>,
    pub file_kinds: Vec<FileKindView>,
    /// Upload profiles. There are none yet.
    pub profiles: Vec<ProfileView>,
    /// Names of the events to which endpoints can subscribe, sorted.
    pub event_types: Vec<&'static str>,
    pub scopes: Vec<&'static str>,
    pub migration: MigrationView,
}

/// What a plan allows.
#[derive(Debug, Serialize, JsonSchema)]
#[allow(missing_docs)] // The names say what most fields are.
pub struct PlanView {
    pub name: &'static str,
    /// Bytes of storage, reserved bytes included.
    pub storage_bytes: u64,
    /// Bytes of the largest file, by kind.
    pub file_bytes: BTreeMap<&'static str, u64>,
    /// Jobs in a calendar month (UTC), by kind. `book` and `blog` share one allowance.
    pub generations: BTreeMap<&'static str, u32>,
    /// Reads in a minute; approximate.
    pub reads_per_minute: u32,
    /// Writes in a minute.
    pub writes_per_minute: u32,
    /// Grants to upload in a day (UTC).
    pub grants_per_day: u32,
    /// Jobs requested in a minute.
    pub jobs_per_minute: u32,
    /// Organisations that a person may have founded.
    pub organisations: u32,
    pub features: &'static [&'static str],
}

/// A pack of credits for sale.
#[derive(Debug, Serialize, JsonSchema)]
#[allow(missing_docs)] // The names say what most fields are.
pub struct PackView {
    pub name: &'static str,
    pub credits: u64,
    /// Price in hundredths of the currency.
    pub amount: u64,
    #[schemars(extend("const" = CURRENCY))]
    pub currency: &'static str,
}

/// A kind of file.
#[derive(Debug, Serialize, JsonSchema)]
#[allow(missing_docs)] // The names say what most fields are.
pub struct FileKindView {
    pub kind: &'static str,
    /// Media types that it accepts.
    pub content_types: Vec<&'static str>,
    /// File name extensions that agree with them, without a dot.
    pub extensions: Vec<&'static str>,
}

/// An upload profile.
#[derive(Debug, Serialize, JsonSchema)]
#[allow(missing_docs)] // The names say what most fields are.
pub struct ProfileView {
    pub name: String,
}

/// Migration from an older installation.
#[derive(Debug, Serialize, JsonSchema)]
pub struct MigrationView {
    /// Until when keys of the older installation work; null if there are none.
    #[schemars(extend("format" = "date-time"))]
    pub legacy_keys_until: Option<String>,
}

/// The function and its settings.
pub struct Function {
    legacy_keys_until: Option<Timestamp>,
}

impl<A: Adapters> Wire<A> for Function {
    fn wire(start: &Start<A>) -> Wiring<Self> {
        Ok(Pending::ready(Self { legacy_keys_until: start.legacy_keys_until()? }))
    }
}

impl Named for Function {
    const NAME: &'static str = env!("CARGO_PKG_NAME");
}

impl HttpFunction for Function {
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let catalogue = Catalogue {
            plans: Plan::ALL.into_iter().map(plan).collect(),
            packs: PACKS
                .map(|pack| PackView { name: pack.name, credits: pack.credits, amount: pack.cents, currency: CURRENCY })
                .into(),
            services: SERVICES.iter().map(ServiceView::of).collect(),
            file_kinds: Kind::ALL.into_iter().map(file_kind).collect(),
            profiles: Vec::new(),
            event_types: offered_names(),
            scopes: scopes(),
            migration: MigrationView { legacy_keys_until: self.legacy_keys_until.map(|until| until.to_string()) },
        };
        // API Gateway adds headers of CORS that depend on the origin, so a cache must not give one origin the answer to
        // another.
        let answer = Answer::envelope(200, "Catalogue", &catalogue, request.now);
        Ok(answer.header("cache-control", CACHED).header("vary", "origin"))
    }

    fn operations() -> Vec<Operation> {
        let summary = "Get the plans, packs, services, kinds of files, events and scopes";
        vec![Operation::new::<Catalogue>("GET /api/catalogue", summary).in_envelope().for_anyone()]
    }
}

fn plan(plan: Plan) -> PlanView {
    let allowances = plan.allowances();
    PlanView {
        name: allowances.name,
        storage_bytes: allowances.storage,
        file_bytes: Kind::ALL.into_iter().map(|kind| (kind.name(), plan.largest(kind))).collect(),
        generations: Kind::GENERATED.into_iter().map(|kind| (kind.name(), plan.generations(kind))).collect(),
        reads_per_minute: allowances.reads_per_minute,
        writes_per_minute: allowances.writes_per_minute,
        grants_per_day: allowances.grants_per_day,
        jobs_per_minute: allowances.jobs_per_minute,
        organisations: allowances.organisations,
        features: allowances.features,
    }
}

fn file_kind(kind: Kind) -> FileKindView {
    let accepted = || MediaType::all().iter().filter(move |media| media.kinds.contains(&kind));
    FileKindView {
        kind: kind.name(),
        content_types: accepted().map(|media| media.name).collect(),
        extensions: accepted().flat_map(|media| media.extensions).copied().collect(),
    }
}
