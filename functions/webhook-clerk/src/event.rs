//! Clerk's events, as far as they are of use here. Source: Clerk documentation, "Webhooks", and its Backend API's `User`.

use consigne_core::profiles::{Closing, Contact, Language, Telling};
use consigne_core::{Fault, Timestamp, UserId, text};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

/// Most characters kept of what a person is called.
const NAME_MAX: usize = 100;
/// Longest e-mail address, in bytes. Source: RFC 5321, section 4.5.3.1.3, less the brackets.
const ADDRESS_MAX: usize = 254;

/// One event.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct ClerkEvent {
    /// What happened: `user.created`, `user.updated` and `user.deleted` are carried out, all others ignored.
    #[serde(rename = "type")]
    kind: String,
    /// Whom or what it happened to; a person's record, of which a deletion has the id only.
    data: Value,
}

/// A person, as Clerk writes them; there is more, of no use here.
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

/// What an event means here.
#[derive(Debug)]
pub(crate) enum ClerkAction {
    /// How to reach somebody.
    Reachable(Telling),
    /// Somebody is gone.
    Closed(Closing),
    /// Nothing, for this reason.
    Ignored(&'static str),
}

impl ClerkEvent {
    /// Reads what the event means.
    ///
    /// # Errors
    /// `INVALID_REQUEST` when it is about a person and not of the shape such events have.
    pub(crate) fn action(&self, now: Timestamp) -> Result<ClerkAction, Fault> {
        let tells = matches!(self.kind.as_str(), "user.created" | "user.updated");
        if !tells && self.kind != "user.deleted" {
            return Ok(ClerkAction::Ignored("another type of event"));
        }
        let id = self.data["id"].as_str().ok_or_else(|| Fault::field("data.id", "data.id must be a text"))?;
        // Such as those of another application's import; nothing here can belong to it.
        let Some(user) = UserId::parse(id) else { return Ok(ClerkAction::Ignored("no user id of this form")) };
        if !tells {
            return Ok(ClerkAction::Closed(Closing::begin(user, now)));
        }
        let told =
            ClerkUser::deserialize(&self.data).map_err(|error| Fault::field("data", format!("data: {error}")))?;
        let at = Timestamp::from_millis(told.updated_at);
        Ok(ClerkAction::Reachable(Telling { contact: told.contact(at), user, at }))
    }
}

impl ClerkUser {
    /// Gives how to reach the person: at their primary address, if they have one.
    fn contact(&self, at: Timestamp) -> Option<Contact> {
        let primary = self.primary_email_address_id.as_ref()?;
        let address = self.email_addresses.iter().find(|address| address.id == *primary)?;
        let verified = address.verification.as_ref().and_then(|verification| verification.status.as_deref());
        Some(Contact {
            email: fit_address(&address.email_address)?,
            verified: verified == Some("verified"),
            name: self.name(),
            language: self.language(),
            at,
        })
    }

    /// Gives what the person is called, if that can be shown.
    fn name(&self) -> Option<String> {
        let names: Vec<&str> =
            [&self.first_name, &self.last_name].into_iter().flatten().map(|name| name.trim()).collect();
        let full = names.join(" ");
        let name = if full.trim().is_empty() { self.username.clone()? } else { full };
        let name: String = name.trim().chars().take(NAME_MAX).collect();
        text::label("name", &name, NAME_MAX).ok()
    }

    fn language(&self) -> Language {
        let told = |name: &str| self.public_metadata[name].as_str();
        let tag = self.locale.as_deref().or_else(|| told("locale")).or_else(|| told("language"));
        tag.map_or_else(Language::default, Language::for_tag)
    }
}

/// Takes an address that a mail can be sent to, as far as its characters tell.
fn fit_address(address: &str) -> Option<String> {
    let odd = |c: char| c.is_whitespace() || text::is_unfit(c);
    let whole = address.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty());
    (whole && address.len() <= ADDRESS_MAX && !address.contains(odd)).then(|| address.to_owned())
}
