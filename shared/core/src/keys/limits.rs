//! How many keys an organisation may have and issue.

use std::time::Duration;

use serde_json::json;

use crate::{Code, Fault, Timestamp};

/// Most keys of an organisation that are not deleted. Revoked and expired ones count.
pub const KEYS_MAX: u32 = 500;
/// Most keys that an organisation issues in an hour. Rotations count, because each makes a new text.
pub const KEYS_AN_HOUR: u32 = 60;
/// The span in which issued keys are counted.
const HOUR: Duration = Duration::from_hours(1);

/// Returns the start of the hour (UTC) in which a time lies.
pub fn issuing_hour(at: Timestamp) -> Timestamp {
    at.floor(HOUR)
}

/// Returns the 409 for an organisation that has [`KEYS_MAX`] keys.
pub fn too_many_keys() -> Fault {
    let message = format!("organisation already has {KEYS_MAX} keys; delete one that is no longer used");
    Fault::new(Code::Conflict, message).detail("limit", json!(KEYS_MAX))
}

/// Returns the 429 for an organisation that has issued [`KEYS_AN_HOUR`] keys in this hour.
pub fn too_many_issued(now: Timestamp) -> Fault {
    let resets_at = issuing_hour(now).plus(HOUR);
    let message =
        format!("organisation can issue or rotate at most {KEYS_AN_HOUR} keys an hour; try again at {resets_at}");
    Fault::new(Code::RateLimited, message).limited(KEYS_AN_HOUR.into(), resets_at, now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_name_their_limit() {
        assert_eq!(too_many_keys().details["limit"], KEYS_MAX);
        let refusal = too_many_issued(Timestamp::from_secs(3_700));
        assert_eq!((refusal.code, &refusal.details["limit"]), (Code::RateLimited, &json!(KEYS_AN_HOUR)));
        assert_eq!(refusal.details["resets_at"], json!(Timestamp::from_secs(7_200)));
    }
}
