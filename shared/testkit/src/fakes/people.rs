//! People in memory.

use consigne_core::ports::GetProfile;
use consigne_core::profiles::{Profile, Sighting};
use consigne_core::{Fault, UserId};

use super::{State, World};

impl State {
    /// Remembers what a token said, unless the account is closed.
    pub(super) fn see(&mut self, seen: Option<&Sighting>) -> Result<(), Fault> {
        let Some(Sighting { user, contact }) = seen else { return Ok(()) };
        let profile = self.profiles.entry(user.clone()).or_insert_with(|| Profile::unknown(user.clone()));
        if profile.closed_at.is_some() {
            return Err(Sighting::closed());
        }
        profile.seen = Some(contact.clone());
        Ok(())
    }
}

impl GetProfile for World {
    async fn get_profile(&self, user: &UserId) -> Result<Profile, Fault> {
        self.effect(|state| state.profiles.get(user).cloned().unwrap_or_else(|| Profile::unknown(user.clone())))
    }
}
