//! Requests that need a second factor, where the installation asks for one.

use std::time::Duration;

use consigne_core::keys::KeyMode;
use consigne_core::{Code, Fault, Timestamp};

use crate::User;

/// How long ago the second factor may have been verified, in minutes.
const WITHIN_MINUTES: u64 = 10;

/// Whether changes that hand out power over production need a second factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecondFactorRule {
    is_required: bool,
}

impl SecondFactorRule {
    /// Creates the rule of an installation.
    pub const fn new(is_required: bool) -> Self {
        Self { is_required }
    }

    /// Requires a second factor for a change of a production key. Test keys need none.
    ///
    /// # Errors
    /// `SECOND_FACTOR_REQUIRED` if the token does not show a second factor that was verified within ten minutes.
    pub fn require_for(self, environment: KeyMode, user: &User, now: Timestamp) -> Result<(), Fault> {
        let within = Duration::from_mins(WITHIN_MINUTES);
        let is_recent = user.second_factor_at.is_some_and(|at| now.since(at) < within);
        if !self.is_required || environment == KeyMode::Test || is_recent {
            return Ok(());
        }
        let message = format!("This needs a second factor that was verified within {WITHIN_MINUTES} minutes");
        Err(Fault::new(Code::SecondFactorRequired, message).detail("within_minutes", WITHIN_MINUTES))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::claims::Claims;

    const NOW: i64 = 1_800_000_000;

    /// Returns the outcome for a production key, with a token that was issued some seconds ago.
    fn outcome(fva: &Value, issued_ago: i64) -> Result<(), Fault> {
        let mut claims = json!({ "sub": "user_ann1", "iat": NOW - issued_ago });
        if !fva.is_null() {
            claims["fva"] = fva.clone();
        }
        let Value::Object(claims) = claims else { unreachable!("it is an object") };
        let user = Claims(claims).user().unwrap();
        SecondFactorRule::new(true).require_for(KeyMode::Production, &user, Timestamp::from_secs(NOW))
    }

    #[test]
    fn only_a_second_factor_of_the_last_ten_minutes_counts() {
        for (fva, issued_ago) in [
            (json!([0, 0]), 0),
            (json!([500, 9]), 0),
            (json!([0, 9]), 59),
            (json!([0, 0]), 599),
            // A clock that is behind the issuer's.
            (json!([0, 0]), -4),
        ] {
            assert!(outcome(&fva, issued_ago).is_ok(), "{fva} {issued_ago}");
        }
        for (fva, issued_ago) in [
            (Value::Null, 0),
            (json!([0, -1]), 0),
            (json!([-1, -1]), 0),
            (json!([0, 10]), 0),
            (json!([0, 9]), 60),
            (json!([0, 0]), 600),
            (json!([0, i64::MAX]), 0),
            (json!([0, i64::MIN]), 0),
            (json!([0, 1.5]), 0),
            (json!([0, "0"]), 0),
            (json!([0, null]), 0),
            (json!([0]), 0),
            (json!([]), 0),
            (json!("0,0"), 0),
            (json!({ "1": 0 }), 0),
            (json!(0), 0),
        ] {
            let refused = outcome(&fva, issued_ago).unwrap_err();
            assert_eq!((refused.code, refused.code.status()), (Code::SecondFactorRequired, 403), "{fva} {issued_ago}");
            assert_eq!(refused.details["within_minutes"], 10);
        }
    }

    #[test]
    fn test_keys_and_installations_without_the_rule_need_none() {
        let Value::Object(claims) = json!({ "sub": "user_ann1", "iat": NOW }) else { unreachable!("it is an object") };
        let (user, now) = (Claims(claims).user().unwrap(), Timestamp::from_secs(NOW));
        assert!(SecondFactorRule::new(true).require_for(KeyMode::Test, &user, now).is_ok());
        assert!(SecondFactorRule::new(false).require_for(KeyMode::Production, &user, now).is_ok());
    }
}
