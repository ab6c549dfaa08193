//! The tokens of invitations, which appear in the invitation's mail and nowhere else.
//!
//! A token is derived from its invitation with a secret. So it need not be stored, and need not travel from the
//! function that invites to the one that sends the mail. It names organisation and invitation, so a forged token is
//! refused without a lookup.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use consigne_core::text::pasted;
use consigne_core::{InvitationId, OrgId};
use hmac::Mac as _;
use subtle::ConstantTimeEq;

use crate::Secret;

/// Derives tokens from invitations, and reads them.
#[derive(Clone, Debug)]
pub struct InvitationTokens {
    secret: Secret,
}

/// A token: `inv_<id>.org_<id>.<mac>`. All its characters may appear in a URL. `Debug` does not print it.
#[derive(Clone, PartialEq, Eq)]
pub struct InvitationToken(String);

impl InvitationToken {
    /// Returns the text, for the mail.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for InvitationToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("InvitationToken(..)")
    }
}

impl InvitationTokens {
    /// Creates the deriver from a secret.
    pub fn new(secret: Secret) -> Self {
        Self { secret }
    }

    /// Returns the token of an invitation. It is always the same.
    pub fn derive(&self, org: OrgId, id: InvitationId) -> InvitationToken {
        let named = format!("{id}.{org}");
        // The purpose is part of the text, in case the secret is ever used for anything else.
        let mac = self.secret.mac([b"invitation.".as_slice(), named.as_bytes()]);
        InvitationToken(format!("{named}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())))
    }

    /// Returns the invitation a token is for, or `None` if any character differs from the token we would derive. Spaces
    /// around the token are dropped, because tokens are pasted.
    pub fn read(&self, text: &str) -> Option<(OrgId, InvitationId)> {
        let text = pasted(text);
        let mut parts = text.split('.');
        let (id, org) = (InvitationId::parse(parts.next()?)?, OrgId::parse(parts.next()?)?);
        let own = self.derive(org, id);
        bool::from(own.0.as_bytes().ct_eq(text.as_bytes())).then_some((org, id))
    }
}

#[cfg(test)]
mod tests {
    use consigne_core::Timestamp;

    use super::*;

    fn tokens(secret: &str) -> InvitationTokens {
        InvitationTokens::new(Secret::new(secret).unwrap())
    }

    fn ours() -> InvitationTokens {
        tokens("0123456789abcdef0123456789abcdef")
    }

    fn invitation() -> (OrgId, InvitationId) {
        let now = Timestamp::from_secs(1_795_257_000);
        (OrgId::mint(now), InvitationId::mint(now))
    }

    #[test]
    fn a_token_is_derived_from_its_invitation_and_identifies_it() {
        let (org, id) = invitation();
        let token = ours().derive(org, id);
        assert_eq!(token, ours().derive(org, id));
        assert_eq!(ours().read(token.expose()), Some((org, id)));
        assert_eq!(ours().read(&format!(" {}\n", token.expose())), Some((org, id)), "as it was pasted");
        assert!(token.expose().starts_with("inv_") && token.expose().len() == 30 + 1 + 30 + 1 + 43);
        assert!(token.expose().bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)), "fit for a URL");
        assert_eq!(format!("{token:?} {:?}", ours()), "InvitationToken(..) InvitationTokens { secret: Secret(..) }");
    }

    #[test]
    fn the_token_of_an_invitation_never_changes() {
        let id = InvitationId::parse("inv_01M7YREWKH7VM7Z3Z2KWSH2FTR").unwrap();
        let org = OrgId::parse("org_01M7YREWKH7VM7Z3Z2KWSH2FTS").unwrap();
        let want =
            "inv_01M7YREWKH7VM7Z3Z2KWSH2FTR.org_01M7YREWKH7VM7Z3Z2KWSH2FTS.AsdU3GA0X4d7ILHBuF9_TKg7_qllvtEhmF7RFuIoli0";
        assert_eq!(ours().derive(org, id).expose(), want);
    }

    #[test]
    fn no_character_of_a_token_can_be_altered() {
        let (org, id) = invitation();
        let token = ours().derive(org, id);
        for at in 0..token.expose().len() {
            for other in ["A", "B", "0", "_", ".", "a", ""] {
                let altered = format!("{}{other}{}", &token.expose()[..at], &token.expose()[at + 1..]);
                let same = altered == token.expose();
                assert_eq!(ours().read(&altered).is_some(), same, "{at} {other}");
            }
        }
        for bad in ["", ".", "..", "inv_", &format!("{}=", token.expose()), &format!("x {}", token.expose()), "é.é.é"]
        {
            assert_eq!(ours().read(bad), None, "{bad}");
        }
    }

    #[test]
    fn each_invitation_organisation_and_secret_has_its_own_token() {
        let [first, second] = [invitation(), invitation()].map(|(org, id)| ours().derive(org, id));
        let (a, b): (Vec<&str>, Vec<&str>) =
            (first.expose().split('.').collect(), second.expose().split('.').collect());
        for mixed in [[b[0], a[1], a[2]], [a[0], b[1], a[2]], [a[0], a[1], b[2]], [b[0], b[1], a[2]]] {
            assert_eq!(ours().read(&mixed.join(".")), None);
        }
        assert_eq!(tokens("fedcba9876543210fedcba9876543210").read(first.expose()), None);
    }
}
