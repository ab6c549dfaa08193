//! Reads the claims of a session token, in both versions that Clerk writes.
//!
//! Version 1 carries what the session's customisation adds (`public_metadata`, `email`, ...). Version 2 (`"v": 2`) adds
//! compact claims: `pla` and `fea` (plans and features, each with a scope), `o` (organisation), `sts`, `act`, and `fva`
//! (minutes since the first and the second factor were verified, -1 for never). Source:
//! Clerk documentation, "Session tokens".

use std::collections::BTreeSet;

use consigne_core::{Plan, Timestamp, UserId};
use serde_json::{Map, Value};

use crate::user::{Organisation, Role, User};

/// The claims of a token whose signature has been verified. A claim of an unexpected type counts as absent.
pub(crate) struct Claims(pub(crate) Map<String, Value>);

impl Claims {
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    /// Reads a date in seconds since the epoch. RFC 7519, section 2, allows fractions; they are rounded down.
    pub(crate) fn date(&self, name: &str) -> Option<i64> {
        let value = self.0.get(name)?;
        // A date beyond 2^63 makes no sense; it becomes the largest value.
        #[allow(clippy::cast_possible_truncation)]
        value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds.floor() as i64))
    }

    pub(crate) fn user(&self) -> Option<User> {
        let owned = |name| self.text(name).filter(|text| !text.is_empty()).map(str::to_owned);
        let flag = |name| self.0.get(name).and_then(Value::as_bool).unwrap_or(false);
        let metadata = self.0.get("public_metadata").and_then(Value::as_object);
        let listed = |name| metadata.and_then(|metadata| metadata.get(name)).and_then(Value::as_str);
        let subscription = || listed("subscription").map(Plan::from_name);
        let plan = self.text("pla").and_then(largest_plan).or_else(subscription);
        Some(User {
            id: UserId::parse(self.text("sub")?)?,
            issued_at: Timestamp::from_secs(self.date("iat")?),
            session: owned("sid"),
            email: owned("email"),
            email_verified: flag("email_verified"),
            first_name: owned("first_name"),
            last_name: owned("last_name"),
            full_name: owned("full_name"),
            username: owned("username"),
            image_url: owned("image_url"),
            phone_number: owned("phone_number"),
            phone_verified: flag("phone_verified"),
            locale: owned("locale"),
            plan: plan.unwrap_or(Plan::Free),
            role: listed("role").map_or(Role::User, Role::from_name),
            features: self.features(metadata),
            organisation: self.organisation(),
            second_factor_at: self.second_factor_at(),
            actor: self.0.get("act").and_then(|act| act.get("sub")).and_then(Value::as_str).map(str::to_owned),
            service: None,
        })
    }

    /// Returns the features of `fea`, in both scopes, and those of `public_metadata.features`.
    fn features(&self, metadata: Option<&Map<String, Value>>) -> BTreeSet<String> {
        let compact = self.text("fea").unwrap_or_default().split(',').filter_map(|item| item.trim().split_once(':'));
        let listed = metadata.and_then(|metadata| metadata.get("features")).and_then(Value::as_array);
        let listed = listed.into_iter().flatten().filter_map(Value::as_str);
        compact.map(|(_, feature)| feature).chain(listed).map(str::to_owned).collect()
    }

    /// Returns when the second factor was last verified, from the second number of `fva`.
    fn second_factor_at(&self) -> Option<Timestamp> {
        let minutes = self.0.get("fva")?.as_array()?.get(1)?.as_i64().filter(|minutes| *minutes >= 0)?;
        let seconds = minutes.checked_mul(60)?;
        self.date("iat")?.checked_sub(seconds).map(Timestamp::from_secs)
    }

    fn organisation(&self) -> Option<Organisation> {
        let o = self.0.get("o")?.as_object()?;
        let owned = |name| o.get(name).and_then(Value::as_str).map(str::to_owned);
        Some(Organisation { id: owned("id")?, slug: owned("slg"), role: owned("rol") })
    }
}

/// Returns the largest known plan in `u:pro` or `ou:pro,o:team`, or `None` if none is known. The scope is a set of
/// letters: `u` for the user's own plans, `o` for those of the active organisation.
fn largest_plan(pla: &str) -> Option<Plan> {
    let scoped = pla.split(',').filter_map(|item| item.trim().split_once(':'));
    scoped.filter(|(scope, _)| scope.contains(['u', 'o'])).filter_map(|(_, name)| Plan::find(name)).max()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn user(claims: Value) -> Option<User> {
        match claims {
            Value::Object(mut claims) => {
                claims.insert("iat".to_owned(), json!(1_800_000_000));
                Claims(claims).user()
            }
            _ => None,
        }
    }

    #[test]
    fn version_1_claims_come_from_public_metadata() {
        let user = user(json!({
            "sub": "user_ann1", "email": "ann@example.org", "email_verified": true, "first_name": "Ann", "locale": "fr",
            "public_metadata": {"subscription": "pro", "role": "expert", "features": ["beta"]},
        }))
        .unwrap();
        assert_eq!((user.plan, user.role, user.email_verified), (Plan::Pro, Role::Expert, true));
        assert!(user.require_feature("beta").is_ok() && user.require_feature("video-generation").is_ok());
    }

    #[test]
    fn the_largest_known_plan_of_version_2_claims_counts() {
        for (pla, plan) in [
            ("u:pro", Plan::Pro),
            ("o:premium", Plan::Premium),
            ("ou:pro", Plan::Pro),
            ("uo:pro", Plan::Pro),
            ("u:basic,u:pro", Plan::Pro),
            ("u:pro, u:basic", Plan::Pro),
            ("u:free,o:premium", Plan::Premium),
            ("u:basic,o:premium", Plan::Premium),
            ("u:premium,o:basic", Plan::Premium),
            ("o:premium,u:basic", Plan::Premium),
            ("o:team,ou:basic,u:pro-2020", Plan::Basic),
            ("pro", Plan::Free),
            (":pro", Plan::Free),
            ("x:pro", Plan::Free),
            ("u:PRO", Plan::Free),
            ("", Plan::Free),
        ] {
            let user = user(json!({"v": 2, "sub": "user_ann1", "pla": pla, "fea": "u:beta,o:team-view"})).unwrap();
            assert_eq!(user.plan, plan, "{pla}");
            assert!(user.features.contains("beta") && user.features.contains("team-view"));
        }
        let user = user(
            json!({"v": 2, "sub": "user_a", "o": {"id": "org_1", "slg": "acme", "rol": "admin"}, "act": {"sub": "user_s"}}),
        );
        let user = user.unwrap();
        assert_eq!(user.organisation.map(|o| o.id).as_deref(), Some("org_1"));
        assert_eq!((user.actor.as_deref(), user.role), (Some("user_s"), Role::User));
    }

    #[test]
    fn an_unknown_plan_does_not_hide_the_subscription_in_the_metadata() {
        for (pla, plan) in [
            (json!("o:team"), Plan::Pro),
            (json!("o:team,u:free_user"), Plan::Pro),
            (json!(""), Plan::Pro),
            (json!(7), Plan::Pro),
            (json!("o:team,u:basic"), Plan::Basic),
            (json!("u:premium"), Plan::Premium),
        ] {
            let claims = json!({"sub": "user_ann1", "pla": pla, "public_metadata": {"subscription": "pro"}});
            assert_eq!(user(claims).unwrap().plan, plan, "{pla}");
        }
    }

    #[test]
    fn a_bare_token_is_a_free_user_and_odd_claims_are_ignored() {
        let user = user(json!({"sub": "user_ann1", "email": 7, "public_metadata": "x", "pla": [], "fea": 1})).unwrap();
        assert_eq!((user.plan, user.role, user.email), (Plan::Free, Role::User, None));
        assert!(super::tests::user(json!({"sub": "../user_ann1"})).is_none());
        assert!(super::tests::user(json!({})).is_none());
    }
}
