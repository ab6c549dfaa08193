//! Clerk's events, with the fields that are used here. Source: Clerk documentation, "Webhooks", and `User` of its
//! Backend API.

use consigne_core::profiles::{Closing, Contact, ContactUpdate, Language};
use consigne_core::{Fault, Timestamp, UserId, text};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

/// Most characters of a person's name that are stored.
const NAME_MAX: usize = 100;
/// Longest e-mail address, in bytes. Source: RFC 5321, section 4.5.3.1.3, without the brackets.
const ADDRESS_MAX: usize = 254;

/// An event of Clerk.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct ClerkEvent {
    /// Type of the event. `user.created`, `user.updated` and `user.deleted` are processed; all other types are ignored.
    #[serde(rename = "type")]
    kind: String,
    /// The object that the event is about: a user, of whom a deletion has only the id.
    data: Value,
}

/// A user at Clerk, with the fields that are used here.
#[derive(Debug, Deserialize)]
struct ClerkUser {
    updated_at: i64,
    primary_email_address_id: Option<String>,
    #[serde(default)]
    email_addresses: Vec<ClerkAddress>,
    first_name: Option<String>,
    last_name: Option<String>,
    username: Option<String>,
    locale: Option<String>,
    #[serde(default)]
    public_metadata: Value,
}

#[derive(Debug, Deserialize)]
struct ClerkAddress {
    id: String,
    email_address: String,
    verification: Option<Verification>,
}

#[derive(Debug, Deserialize)]
struct Verification {
    status: Option<String>,
}

/// What to do about an event.
#[derive(Debug)]
pub(crate) enum ClerkAction {
    /// Store a user's contact details.
    Reachable(ContactUpdate),
    /// Close a user's account.
    Closed(Closing),
    /// Nothing to do, for this reason.
    Ignored(&'static str),
}

impl ClerkEvent {
    /// Determines what to do about the event.
    ///
    /// # Errors
    /// `INVALID_REQUEST` when it is about a user but a field is missing or malformed.
    pub(crate) fn action(&self, now: Timestamp) -> Result<ClerkAction, Fault> {
        let is_profile = matches!(self.kind.as_str(), "user.created" | "user.updated");
        if !is_profile && self.kind != "user.deleted" {
            return Ok(ClerkAction::Ignored("another type of event"));
        }
        let id = self.data["id"].as_str().ok_or_else(|| Fault::field("data.id", "data.id must be a text"))?;
        // Users who were imported from another application may have ids of another form. They own nothing here.
        let Some(user) = UserId::parse(id) else { return Ok(ClerkAction::Ignored("not a user id of this form")) };
        if !is_profile {
            return Ok(ClerkAction::Closed(Closing::begin(user, now)));
        }
        let user_data =
            ClerkUser::deserialize(&self.data).map_err(|error| Fault::field("data", format!("data: {error}")))?;
        let at = Timestamp::from_millis(user_data.updated_at);
        Ok(ClerkAction::Reachable(ContactUpdate { contact: user_data.contact(at), user, at }))
    }
}

impl ClerkUser {
    /// Returns the user's contact details, with their primary address. `None` if they have none.
    fn contact(&self, at: Timestamp) -> Option<Contact> {
        let primary = self.primary_email_address_id.as_ref()?;
        let address = self.email_addresses.iter().find(|address| address.id == *primary)?;
        let verified = address.verification.as_ref().and_then(|verification| verification.status.as_deref());
        Some(Contact {
            email: deliverable_address(&address.email_address)?,
            verified: verified == Some("verified"),
            name: self.name(),
            language: self.language(),
            at,
        })
    }

    /// Returns the user's name: first and last name, or else the user name. `None` if it cannot be shown.
    fn name(&self) -> Option<String> {
        let names: Vec<&str> =
            [&self.first_name, &self.last_name].into_iter().flatten().map(|name| name.trim()).collect();
        let full = names.join(" ");
        let name = if full.trim().is_empty() { self.username.clone()? } else { full };
        let name: String = name.trim().chars().take(NAME_MAX).collect();
        text::label("name", &name, NAME_MAX).ok()
    }

    fn language(&self) -> Language {
        let metadata = |name: &str| self.public_metadata[name].as_str();
        let tag = self.locale.as_deref().or_else(|| metadata("locale")).or_else(|| metadata("language"));
        tag.map_or_else(Language::default, Language::for_tag)
    }
}

/// Returns the address if it has the form of one that mail can be sent to.
fn deliverable_address(address: &str) -> Option<String> {
    let odd = |c: char| c.is_whitespace() || text::is_unfit(c);
    let whole = address.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty());
    (whole && address.len() <= ADDRESS_MAX && !address.contains(odd)).then(|| address.to_owned())
}
