//! Plans, services, packs, kinds of files, and limits that are the same for everybody.

use std::time::Duration;

use consigne_core::anomalies::{COUNTRIES_MAX, CREATED_MAX};
use consigne_core::credits::{
    ALERT_PERCENTAGES, CHECKOUTS_A_DAY, CHECKOUTS_AN_HOUR, CURRENCY, PACKS, RECEIPT_KEPT, REFUNDS_A_DAY, TEST_CREDITS,
    TEST_PERIOD,
};
use consigne_core::deliveries::{ATTEMPTS_KEPT, IN_FLIGHT_MAX, KEPT, LASTS, REDELIVERIES_AN_HOUR, WAITS};
use consigne_core::endpoints::{ENDPOINTS_MAX, FAILING_GRACE, FAILING_INTERVAL, FAILING_MAX, TESTS_AN_HOUR};
use consigne_core::files::{
    DISPLAY_ABOVE, Kind, METADATA_MAX, MediaType, NOTICE_PERCENT, ONE_PUT_MAX, PART_SIZE, PART_URL_VALID, PIXELS_MAX,
    SESSION_VALID, TICKET_MAX, TICKET_MIN, TICKETS_MAX, UPLOAD_GRANT_VALID, in_words,
};
use consigne_core::gateway::HEADERS_MAX;
use consigne_core::jobs::{ASPECT_RATIOS, COUNT_MAX, DURATION_MAX};
use consigne_core::keys::{KEYS_AN_HOUR, KEYS_MAX};
use consigne_core::mail::GATHERED_AN_HOUR;
use consigne_core::members::MEMBERS_MAX;
use consigne_core::pacing::{HOST_RATE, RATE_MAX};
use consigne_core::plans::Allowances;
use consigne_core::services::{SERVICES, Service};
use consigne_core::{Plan, idempotency, invitations, webhooks};

use super::table;

/// Returns the sections of the page.
pub fn part() -> String {
    let sections = [
        ("Plans", plans()),
        ("Services", services()),
        ("Packs of credits", packs()),
        ("Kinds of files", kinds()),
        ("Limits", limits()),
    ];
    sections.map(|(title, text)| format!("## {title}\n\n{text}")).join("\n")
}

fn plans() -> String {
    type Cell = fn(&Allowances) -> String;
    let rows: [(&str, Cell); 15] = [
        ("storage", |plan| in_words(plan.storage)),
        ("largest image", |plan| in_words(plan.image)),
        ("largest video", |plan| in_words(plan.video)),
        ("largest book, article, document or sound", |plan| in_words(plan.text)),
        ("books and articles a month", |plan| grouped(plan.text_generations.into())),
        ("image jobs a month", |plan| grouped(plan.image_generations.into())),
        ("video jobs a month", |plan| grouped(plan.video_generations.into())),
        ("reads a minute", |plan| grouped(plan.reads_per_minute.into())),
        ("writes a minute", |plan| grouped(plan.writes_per_minute.into())),
        ("grants to upload a day", |plan| grouped(plan.grants_per_day.into())),
        ("job requests a minute", |plan| grouped(plan.jobs_per_minute.into())),
        ("cancellations a day that give back", |plan| grouped(plan.refunded_cancellations_per_day.into())),
        ("organisations founded", |plan| grouped(plan.organisations.into())),
        ("`watermark`, where the installation has one", |plan| if plan.watermark { "yes" } else { "no" }.to_owned()),
        ("features", |plan| code(plan.features)),
    ];
    let header: Vec<&str> = std::iter::once("").chain(Plan::ALL.map(Plan::name)).collect();
    table(
        &header,
        rows.map(|(name, cell)| {
            std::iter::once(name.to_owned()).chain(Plan::ALL.map(|plan| cell(plan.allowances()))).collect()
        }),
    )
}

fn services() -> String {
    type Cell = fn(&Service) -> String;
    let columns: [(&str, Cell); 8] = [
        ("service", |service| code(&[service.name])),
        ("what it does", |service| service.description.to_owned()),
        ("credits a call", |service| grouped(service.base_cost)),
        ("most credits a hold", |service| grouped(service.hold_max)),
        ("scopes", |service| code(service.scopes)),
        ("timeout", |service| in_time(Duration::from_millis(service.timeout_ms))),
        ("largest request", |service| in_words(service.request_max as u64)),
        ("largest answer", |service| in_words(service.response_max as u64)),
    ];
    let header = columns.map(|(name, _)| name);
    table(&header, SERVICES.iter().map(|service| columns.iter().map(|(_, cell)| cell(service)).collect()))
}

fn packs() -> String {
    let rows = PACKS.map(|pack| {
        let price = format!("{}.{:02} {CURRENCY}", grouped(pack.cents / 100), pack.cents % 100);
        vec![code(&[pack.name]), grouped(pack.credits), price]
    });
    table(&["pack", "credits", "price"], rows)
}

fn kinds() -> String {
    let rows = MediaType::all().iter().map(|media| {
        let served = if media.script_capable { "as an attachment only" } else { "in the browser or as an attachment" };
        let kinds: Vec<&str> = media.kinds.iter().copied().map(Kind::name).collect();
        vec![code(&[media.name]), code(media.extensions), code(&kinds), served.to_owned()]
    });
    table(&["media type", "extensions", "kinds, the default first", "served"], rows)
}

fn limits() -> String {
    let waits = WAITS.map(in_time).join(", ");
    let percentages = ALERT_PERCENTAGES.map(|percent| percent.to_string()).join(", ");
    let rows = [
        ("validity of a grant to upload", in_time(UPLOAD_GRANT_VALID)),
        ("size above which a file is uploaded in parts", format!("{} bytes", grouped(ONE_PUT_MAX))),
        ("size of a part", in_words(PART_SIZE)),
        ("time in which an upload in parts must be completed", in_time(SESSION_VALID)),
        ("validity of the URL of a part", in_time(PART_URL_VALID)),
        ("validity of a ticket", format!("{} to {}", in_time(TICKET_MIN), in_time(TICKET_MAX))),
        ("tickets in one request", TICKETS_MAX.to_string()),
        ("metadata of a file, names and values together", format!("{} bytes", grouped(METADATA_MAX as u64))),
        ("pixels of a picture of which thumbnails are made", grouped(PIXELS_MAX)),
        ("size of a picture above which it gets a copy for display", format!("{} bytes", grouped(DISPLAY_ABOVE))),
        ("share of the storage at which its owner gets a mail", format!("{NOTICE_PERCENT} %")),
        ("time for which an `Idempotency-Key` counts", in_time(idempotency::REMEMBERED)),
        ("time for which receipts, and keys of charges, holds and gateway calls, are kept", in_time(RECEIPT_KEPT)),
        ("holds of a key refunded in a day because the service failed", REFUNDS_A_DAY.to_string()),
        ("shares of the last top-up at which an organisation is alerted", format!("{percentages} %")),
        ("keys of an organisation that are not deleted", KEYS_MAX.to_string()),
        ("keys issued or rotated by an organisation in an hour", KEYS_AN_HOUR.to_string()),
        ("mails about an organisation's new keys to one address in an hour", GATHERED_AN_HOUR.to_string()),
        ("checkouts of an organisation in an hour", CHECKOUTS_AN_HOUR.to_string()),
        ("checkouts of a person in a day", CHECKOUTS_A_DAY.to_string()),
        ("credits of a test wallet", format!("{TEST_CREDITS} for {}", in_time(TEST_PERIOD))),
        ("headers through the gateway, names and values together", in_words(HEADERS_MAX as u64)),
        ("pictures of one job", COUNT_MAX.to_string()),
        ("length of a video", format!("{DURATION_MAX} seconds")),
        ("aspect ratios of a video", code(&ASPECT_RATIOS)),
        ("members of an organisation", MEMBERS_MAX.to_string()),
        ("validity of an invitation", in_time(invitations::VALID)),
        ("open invitations of an organisation", invitations::OPEN_MAX.to_string()),
        ("invitations of an organisation in 24 hours", invitations::DAILY_MAX.to_string()),
        ("invitations of an organisation to one address in 24 hours", invitations::DAILY_MAX_EACH.to_string()),
        ("invitations by one person in a day", invitations::INVITER_DAILY_MAX.to_string()),
        ("endpoints of an organisation, each with a URL of its own", ENDPOINTS_MAX.to_string()),
        ("webhooks of an organisation in flight", IN_FLIGHT_MAX.to_string()),
        ("webhooks a second to one host, of all organisations together", HOST_RATE.per_second().to_string()),
        ("time after which an endpoint that only fails is called less often", in_time(FAILING_GRACE)),
        ("time between two calls of such an endpoint", in_time(FAILING_INTERVAL)),
        ("calls a second that an endpoint may ask for", RATE_MAX.to_string()),
        ("time after which an endpoint that only fails is disabled", in_time(FAILING_MAX)),
        ("time for which a delivery is attempted", in_time(LASTS)),
        ("waits between attempts", waits),
        ("time for which a delivery is kept", in_time(KEPT)),
        ("attempts that are kept", ATTEMPTS_KEPT.to_string()),
        ("redeliveries of an organisation in an hour", REDELIVERIES_AN_HOUR.to_string()),
        ("tests of an organisation's endpoints in an hour", TESTS_AN_HOUR.to_string()),
        ("time for which the id of an incoming webhook counts", in_time(webhooks::REMEMBERED)),
        ("countries of a key in an hour without an alarm", COUNTRIES_MAX.to_string()),
        ("keys created in ten minutes without an alarm", CREATED_MAX.to_string()),
    ];
    table(&["what", "limit"], rows.map(|(what, limit)| vec![what.to_owned(), limit]))
}

/// Writes a duration in the largest unit that divides it.
fn in_time(span: Duration) -> String {
    let seconds = span.as_secs();
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
    let whole = units.into_iter().find(|(unit, _)| seconds >= *unit && seconds.is_multiple_of(*unit));
    let (unit, name) = whole.expect("limits are whole seconds");
    let number = seconds / unit;
    format!("{} {name}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// Writes a number with commas between thousands.
fn grouped(number: u64) -> String {
    let (above, below) = (number / 1_000, number % 1_000);
    if above == 0 { below.to_string() } else { format!("{},{below:03}", grouped(above)) }
}

/// Writes words as code, separated by commas.
fn code(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_read_like_speech() {
        assert_eq!([grouped(0), grouped(1_000), grouped(1_234_567)], ["0", "1,000", "1,234,567"]);
        assert_eq!(in_time(Duration::from_hours(72)), "3 days");
        assert_eq!(in_time(Duration::from_mins(90)), "90 minutes");
        assert_eq!(in_time(Duration::from_secs(1)), "1 second");
    }
}
