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
#[derive(Debug, PartialEq)]
pub(crate) enum News {
    /// How to reach somebody.
    Told(Telling),
    /// Somebody is gone.
    Closed(Closing),
    /// Nothing, for this reason.
    Nothing(&'static str),
}

impl ClerkEvent {
    /// Reads what the event means.
    ///
    /// # Errors
    /// `INVALID_REQUEST` when it is about a person and not of the shape such events have.
    pub(crate) fn news(&self, now: Timestamp) -> Result<News, Fault> {
        let tells = matches!(self.kind.as_str(), "user.created" | "user.updated");
        if !tells && self.kind != "user.deleted" {
            return Ok(News::Nothing("another type of event"));
        }
        let id = self.data["id"].as_str().ok_or_else(|| Fault::field("data.id", "data.id must be a text"))?;
        // Such as those of another application's import; nothing here can belong to it.
        let Some(user) = UserId::parse(id) else { return Ok(News::Nothing("no user id of this form")) };
        if !tells {
            return Ok(News::Closed(Closing::begin(user, now)));
        }
        let told =
            ClerkUser::deserialize(&self.data).map_err(|error| Fault::field("data", format!("data: {error}")))?;
        let at = Timestamp::from_millis(told.updated_at);
        Ok(News::Told(Telling { contact: told.contact(at), user, at }))
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_795_257_000);

    fn news(kind: &str, data: &Value) -> Result<News, String> {
        let event = ClerkEvent::deserialize(json!({ "type": kind, "data": data })).unwrap();
        event.news(NOW).map_err(|fault| fault.message.to_string())
    }

    /// Reads the contact of a record with these changes.
    fn contact(changes: &Value) -> Option<Contact> {
        let mut data = json!({
            "id": "user_ann1", "object": "user", "updated_at": 1_795_257_000_123_i64,
            "primary_email_address_id": "idn_2",
            "email_addresses": [
                { "id": "idn_1", "email_address": "old@example.com", "verification": { "status": "verified" } },
                { "id": "idn_2", "email_address": "ann@example.com", "verification": { "status": "verified" } },
            ],
            "first_name": "Ann", "last_name": "Été", "username": "ann",
            "public_metadata": { "subscription": "pro" }, "unsafe_metadata": {},
        });
        for (name, value) in changes.as_object().unwrap() {
            data[name] = value.clone();
        }
        match news("user.updated", &data).unwrap() {
            News::Told(telling) => telling.contact,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_primary_address_counts_and_whether_it_is_verified() {
        let ann = contact(&json!({})).unwrap();
        assert_eq!((ann.email.as_str(), ann.verified, ann.name.as_deref()), ("ann@example.com", true, Some("Ann Été")));
        assert_eq!(ann.at, Timestamp::from_millis(1_795_257_000_123));
        for unverified in [json!(null), json!({ "status": "unverified" }), json!({ "status": null }), json!({})] {
            let address = json!([{ "id": "idn_2", "email_address": "ann@example.com", "verification": unverified }]);
            assert!(!contact(&json!({ "email_addresses": address })).unwrap().verified, "{address}");
        }
        for none in [
            json!({ "primary_email_address_id": null }),
            json!({ "primary_email_address_id": "idn_9" }),
            json!({ "email_addresses": [] }),
        ] {
            assert_eq!(contact(&none), None, "{none}");
        }
    }

    #[test]
    fn an_address_no_mail_can_be_sent_to_is_none() {
        let with =
            |address: &str| contact(&json!({ "email_addresses": [{ "id": "idn_2", "email_address": address }] }));
        for good in ["a@b", "ann+x@example.com", "été@exemple.fr"] {
            assert_eq!(with(good).unwrap().email, good);
        }
        let long = format!("{}@example.com", "a".repeat(243));
        for bad in ["", "ann", "@b", "a@", "a b@c", "a@b\r\nBcc: x@y", "a\u{202e}@b", &long] {
            assert_eq!(with(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_name_is_what_is_told_of_it_and_can_be_shown() {
        let name = |first: Value, last: Value, handle: Value| {
            contact(&json!({ "first_name": first, "last_name": last, "username": handle })).unwrap().name
        };
        assert_eq!(name(json!("Ann"), json!(null), json!("a")).as_deref(), Some("Ann"));
        assert_eq!(name(json!(null), json!(" B "), json!(null)).as_deref(), Some("B"));
        assert_eq!(name(json!(""), json!(" "), json!("handle")).as_deref(), Some("handle"));
        assert_eq!(name(json!(null), json!(null), json!(null)), None);
        assert_eq!(name(json!("a\nb"), json!(null), json!(null)), None);
        assert_eq!(name(json!("x".repeat(300)), json!("y"), json!(null)), Some("x".repeat(NAME_MAX)));
    }

    #[test]
    fn the_language_is_told_in_one_of_three_places() {
        let language = |changes: Value| contact(&changes).unwrap().language;
        assert_eq!(language(json!({})), Language::English);
        for french in [
            json!({ "locale": "fr-CA", "public_metadata": { "locale": "en" } }),
            json!({ "locale": null, "public_metadata": { "locale": "fr", "language": "en" } }),
            json!({ "public_metadata": { "language": "fr" } }),
        ] {
            assert_eq!(language(french.clone()), Language::French, "{french}");
        }
        assert_eq!(language(json!({ "public_metadata": null })), Language::English);
    }

    #[test]
    fn what_is_not_about_a_person_of_ours_means_nothing() {
        for kind in ["session.created", "organization.deleted", "user", ""] {
            assert_eq!(news(kind, &json!([])), Ok(News::Nothing("another type of event")), "{kind}");
        }
        for id in ["", "org_1", "user_", "user_a/../b"] {
            for kind in ["user.created", "user.deleted"] {
                assert_eq!(news(kind, &json!({ "id": id })), Ok(News::Nothing("no user id of this form")), "{id}");
            }
        }
    }

    #[test]
    fn a_deletion_needs_no_more_than_the_id() {
        let user = UserId::parse("user_ann1").unwrap();
        let deleted = news("user.deleted", &json!({ "id": "user_ann1", "object": "user", "deleted": true }));
        assert_eq!(deleted, Ok(News::Closed(Closing::begin(user, NOW))));
    }

    #[test]
    fn a_person_of_another_shape_is_refused() {
        for bad in [json!({}), json!({ "id": 1 }), json!(null), json!({ "id": "user_a", "updated_at": "now" })] {
            assert!(news("user.created", &bad).unwrap_err().starts_with("data"), "{bad}");
        }
    }
}
