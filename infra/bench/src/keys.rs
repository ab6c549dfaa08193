//! Key checks: their calls, their latency compared with a bare read through the same stack, and the rate of debits.

use std::time::{Duration, Instant};

use consigne_testkit::org_fixture::{HeldKey, OrgFixture};
use futures_util::future::join_all;
use serde_json::json;

use crate::Problem;
use crate::calls::{push, quiet};
use crate::stack::BenchStack;
use crate::table::{Row, Table, quantile};

const LATENCY: &str = "A charged check beside a bare read (one GetItem: usage), both through the gateway";
const RATE: &str = "Debits a second, twenty callers at once";
/// Callers at the same time.
const CALLERS: usize = 20;

/// Measures `rounds` of each.
pub(crate) async fn measure(bench: &BenchStack, rounds: u32, table: &mut Table) -> Result<(), Problem> {
    let fixture = OrgFixture::open(bench.stack, 1_000_000).await;
    let key = fixture.issue("production", &json!({})).await;
    calls(bench, &fixture, &key, rounds, table).await;
    latency(&fixture, &key, rounds * 10, table).await;

    let one = [(&fixture, &key)];
    table.push(Row::new(RATE, "one wallet", rate(&one, rounds as usize * 20).await?, "per second").of_this_machine());
    let mut shops = Vec::new();
    for _ in 0..50 {
        let fixture = OrgFixture::open(bench.stack, 100_000).await;
        let key = fixture.issue("production", &json!({})).await;
        shops.push((fixture, key));
    }
    let many: Vec<(&OrgFixture<'_>, &HeldKey)> = shops.iter().map(|(fixture, key)| (fixture, key)).collect();
    table.push(
        Row::new(RATE, "fifty wallets", rate(&many, rounds as usize * 20).await?, "per second").of_this_machine(),
    );
    Ok(())
}

/// Counts the calls of a charge, and of a refusal by the checksum.
async fn calls(bench: &BenchStack, fixture: &OrgFixture<'_>, key: &HeldKey, rounds: u32, table: &mut Table) {
    let bad = format!("{}0", &key.text[..key.text.len() - 1]);
    let bad = if bad == key.text { format!("{}1", &key.text[..key.text.len() - 1]) } else { bad };
    for (name, text, most) in [("key-verify, charged", key.text.as_str(), 1.0), ("key-verify, bad checksum", &bad, 0.0)]
    {
        fixture.verify(text, &json!({ "cost": 1 }), None).await;
        quiet(bench).await;
        bench.proxy.reset();
        for _ in 0..rounds {
            fixture.verify(text, &json!({ "cost": 1 }), None).await;
        }
        push(bench, name, rounds, most, table);
    }
    quiet(bench).await;
}

/// Measures a charge and a bare read alternately, so that both see the same machine.
async fn latency(fixture: &OrgFixture<'_>, key: &HeldKey, rounds: u32, table: &mut Table) {
    let (mut charges, mut reads) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let began = Instant::now();
        fixture.charge(key, None).await;
        charges.push(began.elapsed().as_secs_f64() * 1_000.0);
        let began = Instant::now();
        fixture.owner.usage().await;
        reads.push(began.elapsed().as_secs_f64() * 1_000.0);
    }
    for (share, name) in [(0.5, "p50"), (0.95, "p95")] {
        let (charge, read) = (quantile(&mut charges, share), quantile(&mut reads, share));
        let note = format!("{charge:.1} ms and {read:.1} ms here");
        table.push(Row::new(LATENCY, name, charge / read, "x the read").with_note(note));
    }
}

/// Charges keys in turn from all callers. Returns how many charges succeeded per second.
///
/// # Errors
/// If a charge did not succeed.
// A few thousand calls are exact as a float.
#[allow(clippy::cast_precision_loss)]
async fn rate(keys: &[(&OrgFixture<'_>, &HeldKey)], calls: usize) -> Result<f64, Problem> {
    let began = Instant::now();
    let caller = async |caller: usize| {
        let mut charged = 0;
        for call in (caller..calls).step_by(CALLERS) {
            let (fixture, key) = keys[call % keys.len()];
            charged += usize::from(fixture.charge(key, None).await["valid"] == true);
        }
        charged
    };
    let charged: usize = join_all((0..CALLERS).map(caller)).await.into_iter().sum();
    if charged != calls {
        return Err(format!("of {calls} charges {charged} got through"));
    }
    Ok(charged as f64 / began.elapsed().max(Duration::from_millis(1)).as_secs_f64())
}
