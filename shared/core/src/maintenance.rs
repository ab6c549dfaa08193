//! Nightly maintenance of keys and wallets. It is never required.
//!
//! Counters are named by their period, and every charge first expires the wallet's lots. So every answer is the same if
//! a nightly run happens twice, late or never. A run only keeps items small and displayed balances up to date.

use serde::{Deserialize, Serialize};

use crate::keys::ApiKey;
use crate::periods::{Day, Month};
use crate::{Fault, OrgId, Timestamp};

/// Past days whose counts a key keeps.
const DAYS_KEPT: u16 = 40;
/// Past months whose counts a key keeps.
const MONTHS_KEPT: u8 = 13;

/// Returns the periods whose counts a key no longer needs.
pub fn past_periods(key: &ApiKey, now: Timestamp) -> Vec<String> {
    let day = Day::of(now).minus(DAYS_KEPT).starts();
    let month = Month::of(now).back(MONTHS_KEPT).ends();
    let is_past = |period: &String| match (Day::parse(period), Month::parse(period)) {
        (Some(its), _) => its.starts() < day,
        (None, Some(its)) => its.ends() < month,
        // Leave a counter with an unknown name alone.
        (None, None) => false,
    };
    key.used.keys().filter(|period| is_past(period)).cloned().collect()
}

/// A queue message: an organisation to maintain, and where to continue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Maintenance {
    /// The organisation whose keys and wallet are maintained.
    pub org: OrgId,
    /// When the nightly run began.
    pub at: Timestamp,
    /// The key after which to continue.
    pub after: Option<String>,
}

#[derive(Deserialize, Serialize)]
struct Wire {
    org: String,
    at_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<String>,
}

impl Maintenance {
    /// Encodes the message as JSON.
    ///
    /// # Errors
    /// `INTERNAL` if the JSON encoding fails, which it does not for this type.
    pub fn message(&self) -> Result<String, Fault> {
        let wire = Wire { org: self.org.to_string(), at_ms: self.at.as_millis(), after: self.after.clone() };
        serde_json::to_string(&wire).map_err(Fault::internal)
    }

    /// Parses a message.
    ///
    /// # Errors
    /// `INTERNAL` if it is malformed. It then goes to the dead-letter queue.
    pub fn parse(message: &str) -> Result<Self, Fault> {
        let wire: Wire = serde_json::from_str(message).map_err(Fault::internal)?;
        let org = OrgId::parse(&wire.org).ok_or_else(|| Fault::internal("the message names no organisation"))?;
        Ok(Self { org, at: Timestamp::from_millis(wire.at_ms), after: wire.after })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;
    use crate::keys::{KeyMode, KeyStatus};
    use crate::{KeyId, UserId};

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn key(used: BTreeMap<String, u64>) -> ApiKey {
        let now = at("2026-11-21T00:00:00Z");
        ApiKey {
            org: OrgId::mint(now),
            id: KeyId::mint(now),
            name: "Key".to_owned(),
            environment: KeyMode::Production,
            scopes: BTreeSet::new(),
            minute_quota: None,
            daily_quota: None,
            monthly_quota: None,
            expires_at: None,
            status: KeyStatus::Active,
            generation: 1,
            previous_until: None,
            prefix: "sk_live".to_owned(),
            hint: "x7Qa".to_owned(),
            spender: None,
            created_by: UserId::parse("user_ann1").unwrap(),
            created_at: now,
            revoked: None,
            last_used: None,
            migrated_at: None,
            used,
            minute: None,
            revision: 1,
        }
    }

    fn past(periods: &[&str], now: &str) -> Vec<String> {
        past_periods(&key(periods.iter().map(|period| ((*period).to_owned(), 7)).collect()), at(now))
    }

    #[test]
    fn forty_days_and_thirteen_months_are_kept() {
        let periods = ["2027-12-31", "2028-01-01", "2028-02-10", "2026-12", "2027-01", "2028-02", "whatever"];
        assert_eq!(past(&periods, "2028-02-10T00:05:00Z"), ["2026-12", "2027-12-31"]);
        assert_eq!(past(&periods, "2028-02-09T23:59:59Z"), ["2026-12"]);
        assert_eq!(past(&periods, "2028-01-31T23:59:59Z"), [""; 0]);
    }

    proptest! {
        #[test]
        fn the_counters_a_call_may_meet_are_never_past(secs in 0_i64..4_000_000_000, late_hours in 0_i64..900) {
            let now = Timestamp::from_secs(secs);
            let call = Timestamp::from_secs(secs - late_hours * 3_600);
            let mut key = key(BTreeMap::new());
            key.count_call(None, call);
            prop_assert!(past_periods(&key, now).is_empty());
        }
    }

    #[test]
    fn a_message_reads_back() {
        for after in [None, Some("{}".to_owned())] {
            let maintenance =
                Maintenance { org: OrgId::mint(Timestamp::from_secs(1)), at: Timestamp::from_millis(1_234), after };
            assert_eq!(Maintenance::parse(&maintenance.message().unwrap()).unwrap(), maintenance);
        }
        for bad in ["", "{}", r#"{"org":"org_x","at_ms":1}"#] {
            assert!(Maintenance::parse(bad).is_err(), "{bad}");
        }
    }
}
