//! `wallet-low`: the credits of an organisation run out.

use consigne_core::{Application, OrgId};
use consigne_core::mail::Topic;
use consigne_core::profiles::Language;

use super::{credits, sample};
use crate::mail::template::{MailContent, Quoted, MailTemplate};

/// Values of the mail about low credits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalletLow {
    /// The organisation. The button leads to its credits.
    pub org: OrgId,
    /// Name of the organisation.
    pub org_name: Quoted,
    /// The alert threshold that was crossed, in percent of the last top-up.
    pub percent: u8,
    /// Credits left in the wallet.
    pub balance: u64,
}

impl WalletLow {
    pub(super) fn sample() -> Self {
        Self { org: sample::org(), org_name: Quoted::name("Acme"), percent: 10, balance: 1_000 }
    }
}

impl MailTemplate for WalletLow {
    fn name(&self) -> &'static str {
        "wallet-low"
    }

    fn topic(&self) -> Option<Topic> {
        Some(Topic::Limits)
    }

    fn content(&self, language: Language, application: &Application) -> MailContent {
        let (org, balance) = (self.org_name.quoted(language), credits(language, self.balance));
        let (org_name, percent) = (&self.org_name, self.percent);
        match language {
            Language::English => MailContent::with_subject(org_name.subject_before(language, &format!("{percent}% of the credits are left")))
                .paragraph(format!("The organisation {org} has {balance} left, which is {percent}%."))
                .paragraph("Once they are spent, its keys are refused until it has new credits.")
                .button("Buy credits", application.wallet(self.org)),
            Language::French => MailContent::with_subject(org_name.subject_before(language, &format!("il reste {percent} % des crédits")))
                .paragraph(format!("Il reste {balance} à l’organisation {org}, soit {percent}\u{a0}%."))
                .paragraph("Une fois dépensés, ses clés seront refusées jusqu’au prochain achat.")
                .button("Acheter des crédits", application.wallet(self.org)),
        }
    }
}
