//! Points in time, as Consigne stores and prints them.

use std::fmt;
use std::time::Duration;

use schemars::json_schema;
use serde::{Serialize, Serializer};
use time::OffsetDateTime;
use time::format_description::well_known::{Rfc2822, Rfc3339};

/// A point in time: whole milliseconds since 1970-01-01T00:00:00Z.
///
/// It prints as RFC 3339 in UTC with whole seconds (`2026-11-21T10:30:00Z`), the form every answer uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Creates a timestamp from milliseconds since the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Creates a timestamp from whole seconds since the epoch.
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1000))
    }

    /// Parses RFC 3339 with any offset, as EventBridge writes it in `time`.
    pub fn parse(text: &str) -> Option<Self> {
        let parsed = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        i64::try_from(parsed.unix_timestamp_nanos() / 1_000_000).ok().map(Self)
    }

    /// Parses a date of an HTTP header: `Sun, 06 Nov 1994 08:49:37 GMT`.
    pub fn parse_http(text: &str) -> Option<Self> {
        let parsed = text.ends_with(" GMT").then(|| OffsetDateTime::parse(text, &Rfc2822).ok())??;
        Some(Self::from_secs(parsed.unix_timestamp()))
    }

    /// Returns the wait that a `Retry-After` header asks for, counted from this time. The header has seconds or a date;
    /// for anything else the result is `None`.
    ///
    /// Source: RFC 9110, section 10.2.3.
    pub fn wait_asked(self, retry_after: &str) -> Option<Duration> {
        let text = retry_after.trim();
        let seconds = text.parse().ok().map(Duration::from_secs);
        seconds.or_else(|| Self::parse_http(text).map(|until| until.since(self)))
    }

    /// Returns the milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Returns the whole seconds since the epoch, rounded down.
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Returns the time `later` after this one.
    #[must_use]
    pub fn plus(self, later: Duration) -> Self {
        Self(self.0.saturating_add(millis(later)))
    }

    /// Returns the time `earlier` before this one.
    #[must_use]
    pub fn minus(self, earlier: Duration) -> Self {
        Self(self.0.saturating_sub(millis(earlier)))
    }

    /// Rounds down to a multiple of `span`, counted from the epoch.
    #[must_use]
    pub fn floor(self, span: Duration) -> Self {
        Self(self.0 - self.0.rem_euclid(millis(span).max(1)))
    }

    /// Returns how long it is from `earlier` to this time; zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = OffsetDateTime::from_unix_timestamp(self.as_secs()).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let (date, clock) = (moment.date(), moment.time());
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
            date.year(),
            u8::from(date.month()),
            date.day(),
            clock.hour(),
            clock.minute(),
            clock.second()
        )
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

read_from_json_string!(
    Timestamp,
    json_schema!({
        "type": "string",
        "format": "date-time",
        "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$",
    })
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_whole_seconds_in_utc() {
        assert_eq!(Timestamp::from_millis(1_795_257_000_999).to_string(), "2026-11-21T10:30:00Z");
        assert_eq!(Timestamp::from_millis(-1).to_string(), "1969-12-31T23:59:59Z");
    }

    #[test]
    fn parses_what_eventbridge_writes() {
        assert_eq!(Timestamp::parse("2026-11-21T10:30:00Z"), Some(Timestamp::from_secs(1_795_257_000)));
        assert_eq!(Timestamp::parse("2026-11-21T11:30:00.5+01:00"), Some(Timestamp::from_millis(1_795_257_000_500)));
        assert_eq!(Timestamp::parse("yesterday"), None);
    }

    #[test]
    fn arithmetic_saturates_instead_of_wrapping() {
        let end = Timestamp::from_millis(i64::MAX);
        assert_eq!(end.plus(Duration::from_secs(1)), end);
        assert_eq!(Timestamp::from_secs(1).since(Timestamp::from_secs(5)), Duration::ZERO);
    }
}
