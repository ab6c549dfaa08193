//! A signed-in person, and what may be required of one.

use std::collections::BTreeSet;

use consigne_core::profiles::{Contact, Language, Sighting};
use consigne_core::{Code, Fault, Plan, Timestamp, UserId};

/// A person's role, least powerful first; the order is what "at least expert" means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Role {
    User,
    Expert,
    Admin,
}

impl Role {
    /// Gives the role's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Expert => "expert",
            Self::Admin => "admin",
        }
    }

    /// Reads a name; unknown ones are plain users.
    pub fn from_name(name: &str) -> Self {
        [Self::Expert, Self::Admin].into_iter().find(|role| role.name() == name).unwrap_or(Self::User)
    }
}

/// The Clerk organisation a session is active in.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Organisation {
    pub id: String,
    pub slug: Option<String>,
    pub role: Option<String>,
}

/// A signed-in person, as their session token describes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Clerk's id.
    pub id: UserId,
    /// Their session.
    pub session: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// Whether Clerk has verified the address.
    pub email_verified: bool,
    /// Given name.
    pub first_name: Option<String>,
    /// Family name.
    pub last_name: Option<String>,
    /// Both names, as they write it.
    pub full_name: Option<String>,
    /// Handle.
    pub username: Option<String>,
    /// Picture.
    pub image_url: Option<String>,
    /// Telephone number.
    pub phone_number: Option<String>,
    /// Whether Clerk has verified the number.
    pub phone_verified: bool,
    /// Language, as a BCP 47 tag.
    pub locale: Option<String>,
    /// Subscription.
    pub plan: Plan,
    /// Role.
    pub role: Role,
    /// Features named by the token, beyond those of the plan.
    pub features: BTreeSet<String>,
    /// Active Clerk organisation.
    pub organisation: Option<Organisation>,
    /// Who acts in this person's name, when support impersonates them.
    pub actor: Option<String>,
}

impl User {
    /// Gives what the token says of how to reach this person; `None` when it names no address.
    pub fn sighting(&self, now: Timestamp) -> Option<Sighting> {
        let email = self.email.clone()?;
        let given = self.full_name.clone().or_else(|| self.first_name.clone()).or_else(|| self.username.clone());
        let language = self.locale.as_deref().map_or_else(Language::default, Language::for_tag);
        let contact = Contact { email, verified: self.email_verified, name: given, language, at: now };
        Some(Sighting { user: self.id.clone(), contact })
    }

    /// Requires at least a plan.
    ///
    /// # Errors
    /// `SUBSCRIPTION_REQUIRED`, naming the plan needed and the plan held.
    pub fn require_subscription(&self, least: Plan) -> Result<(), Fault> {
        if self.plan >= least {
            return Ok(());
        }
        Err(Fault::new(Code::SubscriptionRequired, format!("This needs the plan {} or a larger one", least.name()))
            .detail("required", least.name())
            .detail("plan", self.plan.name()))
    }

    /// Requires at least a role.
    ///
    /// # Errors
    /// `ROLE_REQUIRED`.
    pub fn require_role(&self, least: Role) -> Result<(), Fault> {
        if self.role >= least {
            return Ok(());
        }
        Err(Fault::new(Code::RoleRequired, format!("This needs the role {}", least.name()))
            .detail("required", least.name()))
    }

    /// Requires a feature, of the plan or of the token.
    ///
    /// # Errors
    /// `FEATURE_REQUIRED`.
    pub fn require_feature(&self, feature: &str) -> Result<(), Fault> {
        if self.plan.allowances().features.contains(&feature) || self.features.contains(feature) {
            return Ok(());
        }
        Err(Fault::new(Code::FeatureRequired, format!("Your plan does not include {feature}"))
            .detail("required", feature)
            .detail("plan", self.plan.name()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::claims::Claims;

    const ROLES: [Role; 3] = [Role::User, Role::Expert, Role::Admin];

    fn user(plan: Plan, role: Role) -> User {
        let claims = json!({
            "sub": "user_ann1", "public_metadata": { "subscription": plan.name(), "role": role.name() },
        });
        let Value::Object(claims) = claims else { panic!("claims are an object") };
        Claims(claims).user().unwrap()
    }

    #[test]
    fn a_plan_is_enough_for_itself_and_every_smaller_one_whatever_the_role() {
        for (held, plan) in Plan::ALL.into_iter().enumerate() {
            for role in ROLES {
                for (needed, least) in Plan::ALL.into_iter().enumerate() {
                    let outcome = user(plan, role).require_subscription(least);
                    if held >= needed {
                        assert!(outcome.is_ok(), "{plan:?} {role:?} for {least:?}");
                        continue;
                    }
                    let fault = outcome.unwrap_err();
                    assert_eq!((fault.code, fault.code.status()), (Code::SubscriptionRequired, 403));
                    assert_eq!(
                        Value::Object(fault.details.clone()),
                        json!({ "required": least.name(), "plan": plan.name() })
                    );
                }
            }
        }
    }

    #[test]
    fn a_role_is_enough_for_itself_and_every_smaller_one_whatever_the_plan() {
        for (held, role) in ROLES.into_iter().enumerate() {
            for plan in Plan::ALL {
                for (needed, least) in ROLES.into_iter().enumerate() {
                    let outcome = user(plan, role).require_role(least);
                    if held >= needed {
                        assert!(outcome.is_ok(), "{role:?} on {plan:?} for {least:?}");
                        continue;
                    }
                    let fault = outcome.unwrap_err();
                    assert_eq!((fault.code, fault.code.status()), (Code::RoleRequired, 403));
                    assert_eq!(Value::Object(fault.details.clone()), json!({ "required": least.name() }));
                }
            }
        }
    }
}
