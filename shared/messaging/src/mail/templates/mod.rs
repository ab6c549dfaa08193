//! All mail templates. A new template needs a file here and a line in the list below.

use consigne_core::profiles::Language;

use super::template::{MailTemplate, Quoted, counted};

macro_rules! templates {
    ($($file:ident: $template:ident,)*) => {
        $(mod $file;)*
        $(pub use $file::$template;)*

        /// Returns every template with sample values, for previews and tests.
        pub fn samples() -> Vec<Box<dyn MailTemplate>> {
            vec![$(Box::new($template::sample()),)*]
        }
    };
}

templates! {
    anomaly: Anomaly,
    endpoint_disabled: EndpointDisabled,
    export_ready: ExportReady,
    file_infected: FileInfected,
    invitation: Invitation,
    job_completed: JobCompleted,
    job_failed: JobFailed,
    key_created: KeyCreated,
    key_migration_reminder: KeyMigrationReminder,
    key_migration_start: KeyMigrationStart,
    key_revoked: KeyRevoked,
    order_new: OrderNew,
    order_received: OrderReceived,
    organisation_deleted: OrganisationDeleted,
    payment_disputed: PaymentDisputed,
    payment_refunded: PaymentRefunded,
    quota_80: Quota80,
    wallet_low: WalletLow,
}

pub use anomaly::AnomalyFacts;
pub use quota_80::Quota;

/// The person who did what a mail is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// The recipient of the mail.
    Reader,
    /// A person with this name.
    Person(Quoted),
    /// A member whose name is not known.
    Member,
    /// The operator of the installation.
    Operator,
}

impl By {
    /// Returns it as part of a sentence.
    fn phrase(&self, language: Language) -> String {
        match (self, language) {
            (Self::Reader, Language::English) => "by you".to_owned(),
            (Self::Reader, Language::French) => "par vous".to_owned(),
            (Self::Person(name), Language::English) => format!("by {name}"),
            (Self::Person(name), Language::French) => format!("par {name}"),
            (Self::Member, Language::English) => "by a member of the organisation".to_owned(),
            (Self::Member, Language::French) => "par un membre de l’organisation".to_owned(),
            (Self::Operator, Language::English) => "by the operator of the service".to_owned(),
            (Self::Operator, Language::French) => "par l’opérateur du service".to_owned(),
        }
    }
}

/// Formats a number of credits.
fn credits(language: Language, number: u64) -> String {
    match language {
        Language::English => counted(language, number, ["credit", "credits"]),
        Language::French => counted(language, number, ["crédit", "crédits"]),
    }
}

/// Returns the sentence about credits that were taken back.
fn taken_back(language: Language, number: u64) -> String {
    let credits = credits(language, number);
    match (language, number) {
        (Language::English, 1) => format!("{credits} was taken back because of it."),
        (Language::English, _) => format!("{credits} were taken back because of it."),
        (Language::French, 0 | 1) => format!("{credits} a été repris en conséquence."),
        (Language::French, _) => format!("{credits} ont été repris en conséquence."),
    }
}

/// Sample values of the templates.
mod sample {
    use consigne_core::{OrgId, Timestamp};

    const ULID: &str = "01M7YREWKH7VM7Z3Z2KWSH2FTR";

    pub(super) fn org() -> OrgId {
        OrgId::parse(&format!("org_{ULID}")).unwrap_or_else(|| OrgId::mint(at()))
    }

    pub(super) fn job() -> String {
        format!("job_{ULID}")
    }

    pub(super) fn order() -> String {
        format!("order_{ULID}")
    }

    pub(super) fn at() -> Timestamp {
        Timestamp::from_secs(1_795_257_000)
    }
}
