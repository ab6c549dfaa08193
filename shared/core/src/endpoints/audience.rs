//! The audience of each kind of event: which endpoints can subscribe to it.

use crate::deliveries::Subject;
use crate::events::{EventData, EventKind};

/// Which endpoints get an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// All subscribed endpoints of the event's organisation.
    Organisation,
    /// Subscribed endpoints that the event's person has registered, in organisations of which they are still a member.
    /// So private data does not reach other people's servers.
    Person,
    /// The one endpoint that the event names, whether it subscribes to it or not.
    Endpoint,
    /// No endpoints, for this reason.
    Nobody(&'static str),
}

impl EventKind {
    /// Returns which endpoints can get events of this kind.
    pub const fn audience(self) -> Audience {
        match self {
            Self::EndpointDisabled
            | Self::KeyIssued
            | Self::KeyRotated
            | Self::KeyRevoked
            | Self::KeyDeleted
            | Self::KeyAnomaly
            | Self::PaymentDisputeWon
            | Self::PaymentDisputed
            | Self::PaymentRefunded
            | Self::StatsReady
            | Self::WalletLow
            | Self::WalletToppedUp => Audience::Organisation,
            Self::EndpointTest => Audience::Endpoint,
            Self::FileReady
            | Self::FileRejected
            | Self::FileInfected
            | Self::FileDeleted
            | Self::FileUnpublished
            | Self::JobCompleted
            | Self::JobFailed
            | Self::QuotaExceeded => Audience::Person,
            Self::JobRequested => Audience::Nobody("a request to generators, with signed URLs that only they can use"),
            Self::AccountClosed => Audience::Nobody("about a person and no organisation of theirs, which may go on"),
            Self::AccountExportRequested | Self::AccountExportReady => {
                Audience::Nobody("private to the person, who gets a mail when it is ready")
            }
            Self::InvitationCreated => {
                Audience::Nobody("private to the inviter and the invited person, who gets it by mail")
            }
            Self::OrganisationDeleted => {
                Audience::Nobody("the endpoints end with the organisation; each member gets it by mail")
            }
            Self::OrderSubmitted => {
                Audience::Nobody("no organisation has orders; experts and the customer get it by mail")
            }
            Self::StorageReconciled => Audience::Nobody("about the whole installation, for its operators"),
            Self::KeyMigrationStarted | Self::KeyMigrationReminder => {
                Audience::Nobody("private to the person whose old keys they are, who gets it by mail")
            }
        }
    }
}

impl EventData {
    /// Returns the organisation, person or endpoint that gets this event; `None` if no endpoint does.
    pub fn subject(&self) -> Option<Subject> {
        match self {
            Self::EndpointDisabled(event) => Some(Subject::Org(event.org_id)),
            Self::EndpointTest(event) => Some(Subject::Endpoint(event.org_id, event.endpoint_id)),
            Self::KeyIssued(event) | Self::KeyRotated(event) | Self::KeyRevoked(event) | Self::KeyDeleted(event) => {
                Some(Subject::Org(event.org_id))
            }
            Self::KeyAnomaly(event) => Some(Subject::Org(event.org_id)),
            Self::PaymentDisputeWon(event) | Self::PaymentDisputed(event) | Self::PaymentRefunded(event) => {
                Some(Subject::Org(event.org_id))
            }
            Self::StatsReady(event) => Some(Subject::Org(event.org_id)),
            Self::WalletLow(event) => Some(Subject::Org(event.org_id)),
            Self::WalletToppedUp(event) => Some(Subject::Org(event.org_id)),
            Self::FileReady(event) => Some(Subject::Person(event.file.user_id.clone())),
            Self::FileRejected(event) => Some(Subject::Person(event.file.user_id.clone())),
            Self::FileInfected(event) => Some(Subject::Person(event.file.user_id.clone())),
            Self::FileDeleted(event) => Some(Subject::Person(event.file.user_id.clone())),
            Self::FileUnpublished(event) => Some(Subject::Person(event.file.user_id.clone())),
            Self::JobCompleted(event) => Some(Subject::Person(event.user_id.clone())),
            Self::JobFailed(event) => Some(Subject::Person(event.user_id.clone())),
            Self::QuotaExceeded(event) => Some(Subject::Person(event.user_id.clone())),
            Self::AccountClosed(_)
            | Self::AccountExportRequested(_)
            | Self::AccountExportReady(_)
            | Self::JobRequested(_)
            | Self::InvitationCreated(_)
            | Self::OrderSubmitted(_)
            | Self::OrganisationDeleted(_)
            | Self::KeyMigrationStarted(_)
            | Self::KeyMigrationReminder(_)
            | Self::StorageReconciled(_) => None,
        }
    }
}

/// Returns every kind that endpoints can subscribe to, sorted by name.
pub fn offered() -> Vec<EventKind> {
    sorted(|audience| matches!(audience, Audience::Organisation | Audience::Person))
}

/// Returns every kind that endpoints can get, sorted by name: those of [`offered`], and those that need no subscription.
pub fn delivered() -> Vec<EventKind> {
    sorted(|audience| !matches!(audience, Audience::Nobody(_)))
}

/// Returns the kinds with a suitable audience, sorted by name.
fn sorted(suits: impl Fn(Audience) -> bool) -> Vec<EventKind> {
    let mut kinds: Vec<EventKind> = EventKind::ALL.into_iter().filter(|kind| suits(kind.audience())).collect();
    kinds.sort_by_key(|kind| kind.name());
    kinds
}

/// Returns the name of every kind that endpoints can subscribe to, sorted.
pub fn offered_names() -> Vec<&'static str> {
    offered().into_iter().map(EventKind::name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_without_audience_have_a_reason_and_all_others_but_tests_are_offered() {
        let left_out: Vec<&str> = EventKind::ALL
            .into_iter()
            .filter(|kind| matches!(kind.audience(), Audience::Nobody(why) if !why.is_empty()))
            .map(EventKind::name)
            .collect();
        assert_eq!(
            left_out,
            [
                "account.closed",
                "account.export-requested",
                "account.export-ready",
                "job.requested",
                "invitation.created",
                "key.migration-started",
                "key.migration-reminder",
                "order.submitted",
                "organisation.deleted",
                "storage.reconciled"
            ]
        );
        assert_eq!(delivered().len(), EventKind::ALL.len() - left_out.len());
        let unasked: Vec<EventKind> = delivered().into_iter().filter(|kind| !offered().contains(kind)).collect();
        assert_eq!(unasked, [EventKind::EndpointTest]);
    }
}
