//! People: what is known of them, by source.

use aws_sdk_dynamodb::types::{TransactWriteItem, Update};
use consigne_core::ports::GetProfile;
use consigne_core::profiles::{Contact, Language, Profile, Sighting};
use consigne_core::{Fault, UserId};

use super::Table;
use super::item::{Item, Reader, key, number, text, user_pk};

/// Prefixes of what each source has told.
const SEEN: &str = "seen_";
const TOLD: &str = "told_";

pub(super) fn profile_key(user: &UserId) -> Item {
    key(user_pk(user), "PROFILE")
}

impl GetProfile for Table {
    async fn get_profile(&self, user: &UserId) -> Result<Profile, Fault> {
        let Some(item) = self.get(profile_key(user)).await? else { return Ok(Profile::unknown(user.clone())) };
        Ok(Profile {
            user: user.clone(),
            seen: contact(&item, SEEN)?,
            told: contact(&item, TOLD)?,
            closed_at: Reader(&item).optional_time("closed_at"),
        })
    }
}

fn contact(item: &Item, source: &str) -> Result<Option<Contact>, Fault> {
    let reader = Reader(item);
    let Some(email) = reader.owned_text(&format!("{source}email")) else { return Ok(None) };
    Ok(Some(Contact {
        email,
        verified: reader.optional_text(&format!("{source}verified")).is_some(),
        name: reader.owned_text(&format!("{source}name")),
        language: reader.parsed(&format!("{source}language"), Language::from_name)?,
        at: reader.time(&format!("{source}at"))?,
    }))
}

impl Table {
    /// Makes the write that remembers a person's token, on condition that their account is not closed.
    pub(super) fn sighting(&self, sighting: &Sighting) -> Result<TransactWriteItem, Fault> {
        let Contact { email, verified, name, language, at } = &sighting.contact;
        let (mut set, mut remove) = (vec!["email", "language", "at"], Vec::new());
        let mut update = Update::builder()
            .set_key(Some(profile_key(&sighting.user)))
            .condition_expression("attribute_not_exists(closed_at)")
            .expression_attribute_values(":email", text(email))
            .expression_attribute_values(":language", text(language.name()))
            .expression_attribute_values(":at", number(at.as_millis()));
        let optional = [("verified", verified.then(|| text("yes"))), ("name", name.as_ref().map(text))];
        for (field, value) in optional {
            match value {
                Some(value) => {
                    set.push(field);
                    update = update.expression_attribute_values(format!(":{field}"), value);
                }
                None => remove.push(format!("{SEEN}{field}")),
            }
        }
        let set: Vec<String> = set.iter().map(|field| format!("{SEEN}{field} = :{field}")).collect();
        let mut expression = format!("SET {}", set.join(", "));
        if !remove.is_empty() {
            expression = format!("{expression} REMOVE {}", remove.join(", "));
        }
        self.update(update.update_expression(expression))
    }
}
