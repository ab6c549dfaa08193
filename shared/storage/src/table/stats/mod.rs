//! Statistics: reading the receipts from which they are computed, and storing the figures of each day.

pub(crate) mod activity;
pub(crate) mod anomalies;
pub(crate) mod storage_days;

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::operation::put_item::{PutItemError, PutItemInput};
use aws_sdk_dynamodb::types::AttributeValue;
use consigne_aws::Backoff;
use consigne_core::events::Event;
use consigne_core::keys::KeyMode;
use consigne_core::periods::Day;
use consigne_core::ports::{KeepStats, ListStats, Listed, PageAsk, ReadCalls};
use consigne_core::stats::{CountedCall, DaySpan, DayStats, Figures, StatsKept};
use consigne_core::{Fault, KeyId, OrgId};

use crate::table::Table;
use crate::table::credits::receipts;
use crate::table::item::{Item, Reader, add, key, malformed, number, org_pk, sortable, text};
use crate::table::outbox;
use crate::table::transact::Outcome;

/// Prefix of the sort key of every day's figures.
const STATS: &str = "STATS#";

fn stats_key(org: OrgId, day: Day) -> Item {
    key(org_pk(org), format!("{STATS}{day}"))
}

fn write(stats: &DayStats) -> Item {
    let figures = &stats.figures;
    let mut item = stats_key(stats.org, stats.day);
    for (name, value) in [
        ("requests", figures.requests),
        ("credits", figures.credits),
        ("test_credits", figures.test_credits),
        ("outcomes", figures.outcomes),
        ("successes", figures.successes),
    ] {
        item.insert(name.to_owned(), number(value));
    }
    for (name, counts) in [("services", &figures.services), ("keys", &figures.keys), ("countries", &figures.countries)]
    {
        let counts = counts.iter().map(|(name, count)| (name.clone(), number(count)));
        item.insert(name.to_owned(), AttributeValue::M(counts.collect()));
    }
    add(&mut item, "p50_ms", figures.p50_ms.map(number));
    add(&mut item, "p95_ms", figures.p95_ms.map(number));
    item.insert("counted_at".to_owned(), number(stats.counted_at.as_millis()));
    item
}

fn read(item: &Item) -> Result<DayStats, Fault> {
    let reader = Reader(item);
    let counts = |name: &str| -> Result<BTreeMap<String, u64>, Fault> {
        let counts: &HashMap<_, _> =
            item.get(name).and_then(|value| value.as_m().ok()).ok_or_else(|| malformed(name))?;
        let count = |value: &AttributeValue| value.as_n().ok().and_then(|digits| digits.parse().ok());
        counts.iter().map(|(of, value)| Ok((of.clone(), count(value).ok_or_else(|| malformed(name))?))).collect()
    };
    Ok(DayStats {
        org: reader.parsed("pk", |pk| OrgId::parse(pk.strip_prefix("ORG#")?))?,
        day: reader.parsed("sk", |sk| Day::parse(sk.strip_prefix(STATS)?))?,
        figures: Figures {
            requests: reader.number("requests")?,
            credits: reader.number("credits")?,
            test_credits: reader.number("test_credits")?,
            outcomes: reader.number("outcomes")?,
            successes: reader.number("successes")?,
            services: counts("services")?,
            keys: counts("keys")?,
            countries: counts("countries")?,
            p50_ms: reader.optional_number("p50_ms"),
            p95_ms: reader.optional_number("p95_ms"),
        },
        counted_at: reader.time("counted_at")?,
    })
}

/// Reads the attributes of a receipt that statistics need.
fn call(item: &Item) -> Result<CountedCall, Fault> {
    let reader = Reader(item);
    let outcome = match reader.optional_number("status_code") {
        Some(status) => Some((status, reader.number("response_ms")?)),
        None => None,
    };
    Ok(CountedCall {
        at: reader.time("at")?,
        key: reader.parsed("key_id", KeyId::parse)?,
        environment: reader.parsed("environment", KeyMode::from_name)?,
        credits: reader.number("credits")?,
        service: reader.owned_text("service"),
        country: reader.owned_text("country"),
        outcome,
    })
}

impl ReadCalls for Table {
    async fn read_calls(&self, org: OrgId, span: DaySpan, page: &PageAsk) -> Result<Listed<CountedCall>, Fault> {
        let query = self
            .partition(Some("gsi1"), receipts::of_org(org))
            .key_condition_expression("#pk = :pk AND gsi1sk BETWEEN :from AND :to")
            .expression_attribute_values(":from", text(sortable(span.from.starts())))
            // A sort key continues after its time, so no key of the next day equals the bare end of the last day.
            .expression_attribute_values(":to", text(sortable(span.to.ends())))
            // Only a tenth of a receipt, whose details may have kilobytes. The key attributes are needed to continue
            // after a page.
            .projection_expression(
                "pk, sk, gsi1pk, gsi1sk, #at, key_id, #environment, credits, #service, country, status_code, response_ms",
            )
            .expression_attribute_names("#at", "at")
            .expression_attribute_names("#environment", "environment")
            .expression_attribute_names("#service", "service");
        self.page_without_total(Some("gsi1"), query, page, call).await
    }
}

impl KeepStats for Table {
    async fn keep_stats(&self, stats: &DayStats, ready: &Event) -> Result<StatsKept, Fault> {
        let first = vec![self.put_new(write(stats))?, self.put(outbox::write(ready))?];
        if matches!(self.transact(first).await?, Outcome::Committed) {
            return Ok(StatsKept::First);
        }
        let mut backoff = Backoff::of_conflicts();
        loop {
            let put = PutItemInput::builder()
                .table_name(&self.name)
                .set_item(Some(write(stats)))
                // The count that began later has read at least as many receipts, so it wins.
                .condition_expression("counted_at <= :counted_at")
                .expression_attribute_values(":counted_at", number(stats.counted_at.as_millis()));
            let Err(error) = self.client.send(put).await else { return Ok(StatsKept::Again) };
            match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(_)) => return Ok(StatsKept::Outdated),
                // Another count was writing the day's first figures.
                Some(PutItemError::TransactionConflictException(_)) if backoff.wait().await => {}
                _ => return Err(Fault::unavailable(error)),
            }
        }
    }
}

impl ListStats for Table {
    async fn list_stats(&self, org: OrgId, span: DaySpan) -> Result<Vec<DayStats>, Fault> {
        let query = self
            .partition(None, org_pk(org))
            .key_condition_expression("#pk = :pk AND sk BETWEEN :from AND :to")
            .expression_attribute_values(":from", text(format!("{STATS}{}", span.from)))
            .expression_attribute_values(":to", text(format!("{STATS}{}", span.to)));
        self.all(query).await?.iter().map(read).collect()
    }
}

#[cfg(test)]
mod tests {
    use consigne_core::Timestamp;

    use super::*;

    #[test]
    fn figures_read_back_from_their_item() {
        let counts = |name: &str| BTreeMap::from([(name.to_owned(), 3), ("other".to_owned(), 4)]);
        for p50_ms in [Some(7), None] {
            let figures = Figures {
                requests: 7,
                credits: 9,
                test_credits: 2,
                outcomes: 5,
                successes: 4,
                services: counts("pdf"),
                keys: counts("key_1"),
                countries: counts("FR"),
                p50_ms,
                p95_ms: p50_ms.map(|ms| ms * 2),
            };
            let (org, day) = (OrgId::mint(Timestamp::from_secs(1)), Day::parse("2028-02-29").unwrap());
            let stats = DayStats { org, day, figures, counted_at: Timestamp::from_millis(1_234) };
            assert_eq!(read(&write(&stats)).unwrap(), stats);
        }
    }
}
