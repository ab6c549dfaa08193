//! Steps with people: invitations, and accounts that are erased.

use serde_json::json;

use super::events::{keyed, request, token};
use super::sim::Sim;
use super::steps::PEOPLE;

impl Sim {
    /// Invites somebody.
    pub(super) fn invite(&mut self) {
        let number = self.books.number();
        let email = format!("guest{number}@example.com");
        let org = self.books.org();
        let body = json!({ "email": email, "role": "developer" });
        let event = request("POST /api/orgs/{org}/invitations", &[&org], &token(PEOPLE[0], self.now()), &body);
        let invited = self.call(
            &format!("Ann invites guest {number}"),
            "member-invite",
            &keyed(event, &format!("invite-{number}")),
        );
        if invited.is_some_and(|(status, _)| status == 201) {
            self.books.invited.push(email);
        }
    }

    /// Erases the account of somebody who is not the owner, once in some drills.
    pub(super) fn erase(&mut self) {
        let person = PEOPLE[2];
        if self.books.erased.contains(person) || self.rng.percent(50) {
            return;
        }
        let event = self.asked(person, "POST /api/me/erase", &json!({ "confirm": person }));
        let erased = self.call(&format!("{person} erases their account"), "user-erase", &event);
        if erased.is_some_and(|(status, _)| status == 202) {
            self.books.erased.insert(person);
        }
    }

    /// Works on closed accounts.
    pub(super) fn close_accounts(&mut self) {
        self.tick("account-close");
    }

    /// Reports a write of a person whose account was closed before they asked.
    pub(super) fn is_open_to(&mut self, was_erased: bool, what: &str) {
        if was_erased {
            self.breaks(format!("an account that was erased {what}"));
        }
    }
}
