//! Organisations and their members. Changes of memberships are in [`crate::members`].

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::anomalies::OnAnomaly;
use crate::{Code, Fault, KeyId, OrgId, Plan, Timestamp, UserId, text};

/// Longest name of an organisation, in characters.
pub const ORG_NAME_MAX: usize = 100;
/// Longest readable part of a slug, in bytes.
const SLUG_MAX: usize = 40;

/// An organisation, which owns keys and a wallet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organisation {
    /// Its id, `org_...`.
    pub id: OrgId,
    /// Its name, as a person wrote it.
    pub name: String,
    /// Its name in URLs: a readable part, and the last six characters of its id to make it unique.
    pub slug: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// Whether it is suspended, so that all its keys are refused.
    pub suspended: bool,
    /// Its response to anomalies of its keys.
    pub on_anomaly: OnAnomaly,
}

impl Organisation {
    /// Creates an organisation with a name that a person chose.
    ///
    /// # Errors
    /// `INVALID_REQUEST` naming `name`.
    pub fn create(name: &str, now: Timestamp) -> Result<Self, Fault> {
        Self::with_id(OrgId::mint(now), name, now)
    }

    /// Creates an organisation with a given id.
    ///
    /// # Errors
    /// `INVALID_REQUEST` naming `name`.
    pub fn with_id(id: OrgId, name: &str, now: Timestamp) -> Result<Self, Fault> {
        let name = name_of(name)?;
        let readable = text::slug(&name, SLUG_MAX).replace(['.', '_'], "-");
        let readable = readable.trim_matches('-');
        let own = id.to_string().to_ascii_lowercase();
        let own = &own[own.len() - 6..];
        let slug = if readable.is_empty() { own.to_owned() } else { format!("{readable}-{own}") };
        Ok(Self { id, name, slug, created_at: now, suspended: false, on_anomaly: OnAnomaly::default() })
    }

    /// Requires that the organisation is not suspended. A suspended one must not send mail, nor buy credits that it
    /// could not spend.
    ///
    /// # Errors
    /// `CONFLICT` if it is suspended.
    pub fn require_working(&self) -> Result<(), Fault> {
        if self.suspended {
            Err(Fault::new(Code::Conflict, "organisation is suspended; ask the operator to resume it"))
        } else {
            Ok(())
        }
    }
}

/// Parses the name of an organisation that a person chose.
///
/// # Errors
/// `INVALID_REQUEST` naming `name`.
pub fn name_of(text: &str) -> Result<String, Fault> {
    text::label("name", text, ORG_NAME_MAX)
}

/// The role of a member, which decides the routes they may call.
// `consigne_auth::permissions` has the table of roles and routes. This text is in the API document too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum OrgRole {
    Owner,
    Admin,
    Developer,
    Billing,
}

impl OrgRole {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Owner, Self::Admin, Self::Developer, Self::Billing];

    /// Returns the role's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Developer => "developer",
            Self::Billing => "billing",
        }
    }

    /// Parses a name that [`Self::name`] returned.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// A person's membership in an organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Id of the organisation.
    pub org: OrgId,
    /// Id of the person.
    pub user: UserId,
    /// Their role, which decides what they may do.
    pub role: OrgRole,
    /// When they became a member.
    pub joined_at: Timestamp,
}

/// An organisation, as one of its members sees it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct OrgView {
    /// Id of the organisation.
    pub id: String,
    /// Name, as a person wrote it.
    pub name: String,
    /// Name in URLs, unique.
    pub slug: String,
    /// The member's role: owner, admin, developer or billing.
    #[schemars(extend("enum" = OrgRole::ALL.map(OrgRole::name)))]
    pub role: &'static str,
    /// When it was created.
    #[schemars(extend("format" = "date-time"))]
    pub created_at: String,
}

impl OrgView {
    /// Builds the view of an organisation for a member.
    pub fn of(org: &Organisation, member: &Member) -> Self {
        Self {
            id: org.id.to_string(),
            name: org.name.clone(),
            slug: org.slug.clone(),
            role: member.role.name(),
            created_at: org.created_at.to_string(),
        }
    }
}

/// A member, as the other members see them.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct MemberView {
    /// Id of the person.
    pub user_id: String,
    /// Role: owner, admin, developer or billing.
    #[schemars(extend("enum" = OrgRole::ALL.map(OrgRole::name)))]
    pub role: &'static str,
    /// When they became a member.
    #[schemars(extend("format" = "date-time"))]
    pub joined_at: String,
    /// Their name, in lists; absent if it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Their verified e-mail address, in lists; absent if it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}

impl MemberView {
    /// Builds the view of a member, without name and address.
    pub fn of(member: &Member) -> Self {
        let joined_at = member.joined_at.to_string();
        Self { user_id: member.user.to_string(), role: member.role.name(), joined_at, name: None, email: None }
    }
}

/// Parses an organisation's id in a path.
///
/// # Errors
/// `NOT_FOUND` if the text is not an id, as for an organisation that does not exist.
pub fn org_in_path(text: &str) -> Result<OrgId, Fault> {
    OrgId::parse(text).ok_or_else(org_not_found)
}

/// Parses a key's id in a path.
///
/// # Errors
/// `NOT_FOUND` if the text is not an id, as for a key that does not exist.
pub fn key_in_path(text: &str) -> Result<KeyId, Fault> {
    KeyId::parse(text).ok_or_else(key_not_found)
}

/// Returns the 403 for a person who has founded as many organisations as their plan allows. It is not a 429, because
/// waiting does not help: only a deletion or a larger plan does.
pub fn too_many_organisations(plan: Plan) -> Fault {
    let limit = plan.allowances().organisations;
    let larger = Plan::ALL.into_iter().find(|other| other.allowances().organisations > limit);
    let remedy = larger.map_or("", |_| " or change to a larger plan");
    let message =
        format!("your plan {} allows {limit} organisations that you founded; delete one{remedy}", plan.name());
    Fault::new(Code::SubscriptionRequired, message)
        .detail("limit", limit)
        .detail("plan", plan.name())
        .detail("required", larger.map(Plan::name))
}

/// Returns the 404 for an organisation that does not exist, or of which the caller is not a member.
pub fn org_not_found() -> Fault {
    Fault::not_found("Organisation")
}

/// Returns the 404 for a key that is unknown, deleted or of another organisation.
pub fn key_not_found() -> Fault {
    Fault::not_found("Key")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_readable_and_unique() {
        let now = Timestamp::from_secs(1);
        for (name, start) in [("Acme", "acme-"), ("Société  d'Été!", "societe-d-ete-"), ("日本", "")] {
            let org = Organisation::create(name, now).unwrap();
            assert!(org.slug.starts_with(start), "{}", org.slug);
            assert_eq!(org.slug.len(), start.len() + 6);
            assert!(org.slug.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
        }
        assert_ne!(Organisation::create("Acme", now).unwrap().slug, Organisation::create("Acme", now).unwrap().slug);
        assert!(Organisation::create("a\u{202E}b", now).is_err());
    }

    #[test]
    fn a_refused_foundation_names_the_plan_the_number_and_a_larger_plan() {
        let fault = too_many_organisations(Plan::Free);
        assert_eq!(
            fault.message,
            "your plan free allows 3 organisations that you founded; delete one or change to a larger plan"
        );
        assert_eq!((&fault.details["limit"], &fault.details["required"]), (&3.into(), &"basic".into()));
        let fault = too_many_organisations(Plan::Enterprise);
        assert_eq!(fault.message, "your plan enterprise allows 200 organisations that you founded; delete one");
        assert!(fault.details["required"].is_null());
    }
}
