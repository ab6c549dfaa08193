//! `invitation`: somebody is invited to an organisation.

use std::fmt;

use consigne_core::{Application, Timestamp};
use consigne_core::mail::Topic;
use consigne_core::orgs::OrgRole;
use consigne_core::profiles::Language;

use super::sample;
use crate::mail::template::{MailContent, Quoted, MailTemplate, day};

/// Values of an invitation's mail. `Debug` does not show them, because whoever has the token can accept.
#[derive(Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Name of the organisation.
    pub org_name: Quoted,
    /// Name of the person who invites, if known.
    pub inviter: Option<Quoted>,
    /// The role that the invited person will have.
    pub role: OrgRole,
    /// The token with which the invitation is accepted.
    pub token: String,
    /// When the invitation expires.
    pub until: Timestamp,
}

impl fmt::Debug for Invitation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Invitation(..)")
    }
}

impl Invitation {
    pub(super) fn sample() -> Self {
        Self {
            org_name: Quoted::name("Acme"),
            inviter: Some(Quoted::name("Marie Curie")),
            role: OrgRole::Developer,
            token: "sample-token".to_owned(),
            until: sample::at(),
        }
    }
}

impl MailTemplate for Invitation {
    fn name(&self) -> &'static str {
        "invitation"
    }

    fn topic(&self) -> Option<Topic> {
        None
    }

    fn content(&self, language: Language, application: &Application) -> MailContent {
        let (org, until) = (self.org_name.quoted(language), day(language, self.until));
        let link = application.invitation(&self.token);
        match language {
            Language::English => {
                let role = match self.role {
                    OrgRole::Owner => "an owner",
                    OrgRole::Admin => "an administrator",
                    OrgRole::Developer => "a developer",
                    OrgRole::Billing => "a billing contact",
                };
                let invited = match &self.inviter {
                    Some(inviter) => format!("{inviter} invites you"),
                    None => "You are invited".to_owned(),
                };
                // Anybody can have this mail sent to any address. So nobody but us writes its subject.
                MailContent::with_subject("Invitation to join an organisation")
                    .paragraph(format!("{invited} to join the organisation {org} as {role}."))
                    .paragraph(format!("The invitation is for you alone and can be accepted until {until}."))
                    .paragraph("If you do not know who this is from, you need not do anything.")
                    .button("Accept the invitation", link)
            }
            Language::French => {
                let role = match self.role {
                    OrgRole::Owner => "que propriétaire",
                    OrgRole::Admin => "qu’administrateur",
                    OrgRole::Developer => "que développeur",
                    OrgRole::Billing => "que responsable de la facturation",
                };
                let inviter = self.inviter.as_ref().map_or_else(|| "On".to_owned(), Quoted::to_string);
                MailContent::with_subject("Invitation à rejoindre une organisation")
                    .paragraph(format!("{inviter} vous invite à rejoindre l’organisation {org} en tant {role}."))
                    .paragraph(format!("Cette invitation est personnelle et peut être acceptée jusqu’au {until}."))
                    .paragraph("Si vous ne savez pas de qui elle vient, vous n’avez rien à faire.")
                    .button("Accepter l’invitation", link)
            }
        }
    }
}
