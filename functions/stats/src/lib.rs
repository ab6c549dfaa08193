//! Shows statistics of the calls of an organisation's keys, day by day.
//!
//! Days that the nightly count has finished are read from the table. Other days, such as today and, before 03:00 UTC,
//! yesterday, are counted from their receipts now. An outcome that is reported late is included by the next nightly
//! count, up to three nights after the day.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use consigne_auth::{Route, SessionVerifier};
use consigne_core::periods::Day;
use consigne_core::ports::{GetMember, ListStats, ReadCalls};
use consigne_core::stats::{CountedCall, DaySpan, DayStats, Figures, Tally};
use consigne_core::{Fault, OrgId, Timestamp};
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Request, function, remaining};
use consigne_usecases::calls::read_calls;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

/// Time reserved for the answer. Calls that are not counted by then are not shown.
const RESERVE: Duration = Duration::from_secs(3);

/// Statistics of one day.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DayView {
    /// The day (UTC), such as 2026-11-21.
    #[schemars(extend("format" = "date"))]
    pub date: String,
    /// Calls that were charged, and calls through the gateway that failed at their service.
    pub requests: u64,
    /// Credits charged for these calls, from test wallets too.
    pub credits: u64,
    /// Part of `credits` that test wallets paid.
    pub test_credits: u64,
    /// Calls whose outcome was reported.
    pub outcomes: u64,
    /// Share of the outcomes with a status from 200 to 399, in whole per cent; null without outcomes.
    #[schemars(range(max = 100))]
    pub success_rate: Option<u8>,
    /// Calls by service; `unknown` when none was named, `other` beyond 500 names.
    pub services: BTreeMap<String, u64>,
    /// Calls by key (its id).
    pub keys: BTreeMap<String, u64>,
    /// Calls by country, as two letters.
    pub countries: BTreeMap<String, u64>,
    /// Median response time in milliseconds, within 0.8 %.
    pub p50_ms: Option<u64>,
    /// 95th percentile of the response time in milliseconds.
    pub p95_ms: Option<u64>,
    /// Whether only late outcomes can still change the count.
    pub complete: bool,
    /// Calls up to this time are counted.
    #[schemars(extend("format" = "date-time"))]
    pub counted_until: String,
}

function! {
    users: SessionVerifier = session_verifier(),
    /// Members, receipts and statistics.
    stats: A::Table = table(),
}

impl<A: Adapters<Table: GetMember + ListStats + ReadCalls>> HttpFunction for Function<A> {
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let (_, org) = request.member(&self.users, &self.stats, Route::Stats).await?;
        let today = Day::of(request.now);
        let span = DaySpan::parse(request.query("from")?.as_deref(), request.query("to")?.as_deref(), today)?;
        let mut stored = self.stats.list_stats(org, span).await?;
        stored.retain(DayStats::is_complete);
        let known: BTreeSet<Day> = stored.iter().map(|stats| stats.day).collect();
        let mut days: BTreeMap<Day, DayStats> = stored.into_iter().map(|stats| (stats.day, stats)).collect();
        for gap in span.gaps(&known, today) {
            days.extend(count(&self.stats, org, gap, request.now).await?);
        }
        request.log.field("stats.days_kept", known.len());
        let nothing = |day| DayStats { org, day, figures: Figures::default(), counted_at: request.now };
        let shown = span.days().map(|day| show(days.remove(&day).unwrap_or_else(|| nothing(day))));
        let shown: Vec<DayView> = shown.collect();
        let metadata = json!({ "next_cursor": null, "total": shown.len() });
        Ok(Answer::envelope(200, "Statistics", &shown, request.now).with_metadata(&metadata))
    }

    fn operations() -> Vec<Operation> {
        let operation = Operation::new::<Vec<DayView>>(
            "GET /api/orgs/{org}/stats",
            "Get statistics of the keys' calls, day by day",
        );
        let operation = operation.in_org().listed().parameter(
            "from",
            "First day (UTC); thirty days before `to` when absent",
            false,
        );
        let day = json!({ "type": "string", "format": "date" });
        let operation = operation.accepting(day.clone());
        let operation =
            operation.parameter("to", "Last day (UTC); today when absent. At most 92 days are shown", false);
        vec![operation.accepting(day)]
    }
}

/// Counts days from their receipts, the earliest first, until time runs short.
async fn count<F: ReadCalls>(
    calls: &F,
    org: OrgId,
    span: DaySpan,
    now: Timestamp,
) -> Result<BTreeMap<Day, DayStats>, Fault> {
    let (mut tallies, mut last) = (BTreeMap::<Day, Tally>::new(), now);
    let add = |call: &CountedCall| {
        tallies.entry(Day::of(call.at)).or_default().count(call);
        last = call.at;
    };
    let left = read_calls(calls, org, span, None, add, || remaining() > RESERVE).await?;
    let counted_at = if left.is_some() { last } else { now };
    let stats = |day| {
        let figures = tallies.remove(&day).unwrap_or_default().figures();
        (day, DayStats { org, day, figures, counted_at })
    };
    Ok(span.days().map(stats).collect())
}

fn show(stats: DayStats) -> DayView {
    let (date, complete) = (stats.day.to_string(), stats.is_complete());
    let (figures, counted_until) = (stats.figures, stats.counted_at.to_string());
    DayView {
        date,
        requests: figures.requests,
        credits: figures.credits,
        test_credits: figures.test_credits,
        outcomes: figures.outcomes,
        success_rate: figures.success_rate(),
        services: figures.services,
        keys: figures.keys,
        countries: figures.countries,
        p50_ms: figures.p50_ms,
        p95_ms: figures.p95_ms,
        complete,
        counted_until,
    }
}
