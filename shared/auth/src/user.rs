//! A signed-in person, and the plan, role or feature a handler may require of them.

use std::collections::BTreeSet;

use consigne_core::profiles::{Contact, Language, Sighting};
use consigne_core::{Code, Fault, Plan, Timestamp, UserId};

/// A person's role, least powerful first. The order decides what "at least expert" means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Role {
    User,
    Expert,
    Admin,
}

impl Role {
    /// Returns the role's name in tokens and answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Expert => "expert",
            Self::Admin => "admin",
        }
    }

    /// Returns the role with this name. Unknown names are plain users.
    pub fn from_name(name: &str) -> Self {
        [Self::Expert, Self::Admin].into_iter().find(|role| role.name() == name).unwrap_or(Self::User)
    }
}

/// The Clerk organisation that is active in a session.
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
    /// Clerk's id of the person.
    pub id: UserId,
    /// When their token was issued. Its claims are as old.
    pub issued_at: Timestamp,
    /// The id of their session.
    pub session: Option<String>,
    /// Their e-mail address.
    pub email: Option<String>,
    /// Whether Clerk has verified the address.
    pub email_verified: bool,
    /// Their given name.
    pub first_name: Option<String>,
    /// Their family name.
    pub last_name: Option<String>,
    /// Their full name, in the form they chose.
    pub full_name: Option<String>,
    /// Their handle.
    pub username: Option<String>,
    /// The address of their picture.
    pub image_url: Option<String>,
    /// Their telephone number.
    pub phone_number: Option<String>,
    /// Whether Clerk has verified the number.
    pub phone_verified: bool,
    /// Their language, as a BCP 47 tag.
    pub locale: Option<String>,
    /// Their subscription. `Free` if the token names none.
    pub plan: Plan,
    /// Their role in the whole installation, not in an organisation.
    pub role: Role,
    /// The features named by the token, beyond those of the plan.
    pub features: BTreeSet<String>,
    /// The Clerk organisation that is active in the session.
    pub organisation: Option<Organisation>,
    /// When they last verified a second factor, in whole minutes before the token was issued. `None` if the token shows
    /// none.
    pub second_factor_at: Option<Timestamp>,
    /// Who acts in this person's name, when support impersonates them.
    pub actor: Option<String>,
    /// The service that acts for this person. Then there is no token of theirs.
    pub service: Option<String>,
}

impl User {
    /// Returns a person for whom a service acts. Only their id and plan are known.
    pub fn served(id: UserId, plan: Plan, service: String, now: Timestamp) -> Self {
        Self {
            id,
            issued_at: now,
            session: None,
            email: None,
            email_verified: false,
            first_name: None,
            last_name: None,
            full_name: None,
            username: None,
            image_url: None,
            phone_number: None,
            phone_verified: false,
            locale: None,
            plan,
            role: Role::User,
            features: BTreeSet::new(),
            organisation: None,
            second_factor_at: None,
            actor: None,
            service: Some(service),
        }
    }

    /// Returns how to reach this person according to the token, or `None` if it names no address.
    pub fn sighting(&self) -> Option<Sighting> {
        let email = self.email.clone()?;
        let given = self.full_name.clone().or_else(|| self.first_name.clone()).or_else(|| self.username.clone());
        let language = self.locale.as_deref().map_or_else(Language::default, Language::for_tag);
        let contact = Contact { email, verified: self.email_verified, name: given, language, at: self.issued_at };
        Some(Sighting { user: self.id.clone(), contact })
    }

    /// Requires at least a plan.
    ///
    /// # Errors
    /// `SUBSCRIPTION_REQUIRED`, with the required plan and the user's own.
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
    /// `ROLE_REQUIRED`, with the required role.
    pub fn require_role(&self, least: Role) -> Result<(), Fault> {
        if self.role >= least {
            return Ok(());
        }
        Err(Fault::new(Code::RoleRequired, format!("This needs the role {}", least.name()))
            .detail("required", least.name()))
    }

    /// Requires a feature, from the plan or the token.
    ///
    /// # Errors
    /// `FEATURE_REQUIRED`, with the required feature and the user's plan.
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
            "sub": "user_ann1", "iat": 1_800_000_000, "public_metadata": { "subscription": plan.name(), "role": role.name() },
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
