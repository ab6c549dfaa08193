//! Contract of the ports that write for a person: they refuse a closed account, and learn addresses from tokens.

use consigne_core::audit::AuditAction;
use consigne_core::files::{File, Grant, GrantOutcome, Kind, Metadata};
use consigne_core::jobs::StepOutcome;
use consigne_core::members::RoleStep;
use consigne_core::orgs::OrgRole;
use consigne_core::ports::{
    ApplyJobStep, ChangeFile, ChangeRole, CloseAccount, CreateOrg, FileChange, GetJob, GetMember, GetProfile,
    GetProfiles, GetUsage, GrantUpload, IssueKey, RequestJob, UpdateContact,
};
use consigne_core::profiles::{Closing, Contact, ContactUpdate, Language, Sighting};
use consigne_core::webhooks::{Received, Source, WebhookId};
use consigne_core::{Code, Plan, Timestamp, UserId};
use consigne_testkit::accounts;
use consigne_testkit::stack::fresh_user;

use super::{file_of, now, on_both};

/// The ports under test.
pub trait Writes:
    ApplyJobStep
    + ChangeFile
    + ChangeRole
    + CloseAccount
    + CreateOrg
    + GetJob
    + GetMember
    + GetProfile
    + GetProfiles
    + GetUsage
    + GrantUpload
    + IssueKey
    + RequestJob
    + UpdateContact
    + Sync
{
}
impl<T> Writes for T where
    T: ApplyJobStep
        + ChangeFile
        + ChangeRole
        + CloseAccount
        + CreateOrg
        + GetJob
        + GetMember
        + GetProfile
        + GetProfiles
        + GetUsage
        + GrantUpload
        + IssueKey
        + RequestJob
        + UpdateContact
        + Sync
{
}

on_both!(
    consigne_testkit::stack::Stack::table,
    a_closed_account_writes_nothing_whatever_its_token_names,
    a_service_still_ends_what_a_closed_account_owned,
    a_grant_learns_the_address_in_the_token,
    a_token_older_than_a_report_does_not_hide_it,
);

fn received(now: Timestamp) -> Received {
    Received {
        source: Source::Clerk,
        id: WebhookId::parse(&format!("msg_{}", fresh_user())).unwrap(),
        fingerprint: "f1".to_owned(),
        result: "r1".to_owned(),
        now,
    }
}

async fn close(table: &impl Writes, user: &UserId) {
    table.close_account(&Closing::begin(user.clone(), now()), &received(now())).await.unwrap();
}

fn contact(email: &str, at: Timestamp) -> Contact {
    let (name, language) = (Some("Ann".to_owned()), Language::French);
    Contact { email: email.to_owned(), verified: true, name, language, at }
}

fn grant(user: &UserId, email: Option<&str>, at: Timestamp) -> Grant {
    let seen = email.map(|email| Sighting { user: user.clone(), contact: contact(email, at) });
    let file = file_of(user, "a.png", 10, now());
    Grant { file, plan: Plan::Free, job: None, seen, idempotency: None, now: now() }
}

async fn a_closed_account_writes_nothing_whatever_its_token_names(table: &impl Writes) {
    let (org, owner) = accounts::found(table, now()).await;
    let pending = super::jobs::accepted(table, &owner, now()).await;
    let first = grant(&owner, None, now());
    table.grant_upload(&first).await.unwrap();
    let usage = table.get_usage(&owner).await.unwrap();
    let member = table.get_member(org, &owner).await.unwrap().unwrap();
    close(table, &owner).await;

    let refused = |code: Code| assert_eq!(code, Code::Unauthenticated);
    for email in [None, Some("ann@example.com")] {
        refused(table.grant_upload(&grant(&owner, email, now())).await.unwrap_err().code);
    }
    let named = File { metadata: Metadata::titled("a"), revision: first.file.revision + 1, ..first.file.clone() };
    let change = FileChange { file: named, plan: Plan::Free, now: now() };
    refused(table.change_file(&change).await.unwrap_err().code);
    refused(table.create_org(&accounts::org(&owner, now())).await.unwrap_err().code);
    let request = super::jobs::request(&owner, Plan::Pro, Kind::Blog, now());
    refused(table.request_job(&request).await.unwrap_err().code);
    let cancelled = pending.cancelled(true, now()).unwrap().unwrap();
    refused(table.apply_job_step(&cancelled, None).await.unwrap_err().code);
    let audit = accounts::entry(org, AuditAction::RoleChanged, &owner, now());
    let step = RoleStep { seen: member.clone(), role: OrgRole::Admin, audit };
    refused(table.change_role(&step).await.unwrap_err().code);
    let key = accounts::new_key(&accounts::key(org, &owner, false, now()));
    refused(table.issue_key(&key).await.unwrap_err().code);

    assert_eq!(table.get_usage(&owner).await.unwrap(), usage);
    assert_eq!(table.get_job(&pending.id).await.unwrap().as_ref(), Some(&pending));
    assert_eq!(table.get_job(&request.job.id).await.unwrap(), None);
    assert_eq!(table.get_member(org, &owner).await.unwrap(), Some(member));
    // Somebody who has never written has no ledger before the closing.
    let newcomer = accounts::person();
    close(table, &newcomer).await;
    refused(table.grant_upload(&grant(&newcomer, None, now())).await.unwrap_err().code);
}

async fn a_service_still_ends_what_a_closed_account_owned(table: &impl Writes) {
    let owner = accounts::person();
    let pending = super::jobs::accepted(table, &owner, now()).await;
    close(table, &owner).await;
    let step = pending.failed("CANCELLED", "The account was closed", now()).unwrap();
    assert_eq!(table.apply_job_step(&step, None).await.unwrap(), StepOutcome::Applied);
}

async fn a_grant_learns_the_address_in_the_token(table: &impl Writes) {
    let (ann, stranger) = (accounts::person(), accounts::person());
    for email in ["ann@example.com", "ann@example.com", "new@example.com"] {
        let granted = table.grant_upload(&grant(&ann, Some(email), now())).await.unwrap();
        assert_eq!(granted, GrantOutcome::Granted);
        let profile = table.get_profile(&ann).await.unwrap();
        assert_eq!(profile.verified().map(|contact| contact.email.as_str()), Some(email));
        let known = table.get_profiles(&[ann.clone(), stranger.clone()].into()).await.unwrap();
        assert_eq!(known.into_iter().collect::<Vec<_>>(), [(ann.clone(), profile)]);
    }
    assert!(table.get_profiles(&[].into()).await.unwrap().is_empty());
}

async fn a_token_older_than_a_report_does_not_hide_it(table: &impl Writes) {
    let (ann, changed) = (accounts::person(), now());
    let contact = Some(contact("new@example.com", changed));
    let update = ContactUpdate { user: ann.clone(), contact, at: changed };
    table.update_contact(&update, &received(now())).await.unwrap();
    let issued = changed.minus(std::time::Duration::from_secs(30));
    table.grant_upload(&grant(&ann, Some("old@example.com"), issued)).await.unwrap();
    let profile = table.get_profile(&ann).await.unwrap();
    assert_eq!(profile.contact().map(|contact| contact.email.as_str()), Some("new@example.com"));
}
