//! Contract of the ports for exports of people's data.

use std::collections::BTreeMap;
use std::time::Duration;

use consigne_core::audit::{Actor, AuditAction, AuditEntry, Origin};
use consigne_core::events::Event;
use consigne_core::exports::{Export, ExportState, Part, PersonRecord, Walk};
use consigne_core::files::Grant;
use consigne_core::mail::Topic;
use consigne_core::ports::{
    AdvanceExport, EraseAccount, ForgetExport, GetExport, GrantUpload, RequestExport, Unsubscribe, WalkPerson,
};
use consigne_core::profiles::{ClosedBecause, Closing};
use consigne_core::{Code, Plan, Timestamp, UserId};
use futures_util::future::join_all;
use serde_json::json;

use super::{file_of, now, on_both, owner};

mod records {
    use super::*;

    on_both!(
        consigne_testkit::stack::Stack::table,
        of_ten_who_ask_at_once_all_get_the_same_export,
        an_old_or_failed_export_is_replaced_and_three_are_allowed_a_day,
        an_export_advances_once_from_each_revision,
        a_closed_account_has_no_export,
        a_persons_records_are_walked_page_by_page,
    );

    trait Exports:
        RequestExport + GetExport + AdvanceExport + ForgetExport + WalkPerson + EraseAccount + Unsubscribe + GrantUpload
    {
    }
    impl<T> Exports for T where
        T: RequestExport
            + GetExport
            + AdvanceExport
            + ForgetExport
            + WalkPerson
            + EraseAccount
            + Unsubscribe
            + GrantUpload
    {
    }

    fn part() -> Part {
        Part { version: "v1".to_owned(), size: 10, records: 1, files: 0 }
    }

    fn ready(export: &Export, at: Timestamp) -> (Export, Event) {
        export.completed(part(), at)
    }

    async fn of_ten_who_ask_at_once_all_get_the_same_export(exports: &impl Exports) {
        let (user, now) = (owner(), now());
        assert_eq!(exports.get_export(&user).await.unwrap(), None);
        let asked: Vec<Export> = (0..10).map(|_| Export::begin(user.clone(), now)).collect();
        let got = join_all(asked.iter().map(|export| exports.request_export(export, None))).await;
        let got: Vec<Export> = got.into_iter().map(Result::unwrap).collect();
        assert!(got.iter().all(|export| *export == got[0]));
        assert_eq!(exports.get_export(&user).await.unwrap().as_ref(), Some(&got[0]));
    }

    async fn an_old_or_failed_export_is_replaced_and_three_are_allowed_a_day(exports: &impl Exports) {
        let (user, morning) = (owner(), Timestamp::from_secs(now().as_secs() / 86_400 * 86_400));
        let at = |hours| morning.plus(Duration::from_hours(hours));
        let ask = async |hours, audit: Option<&AuditEntry>| {
            exports.request_export(&Export::begin(user.clone(), at(hours)), audit).await
        };
        let first = ask(0, None).await.unwrap();
        let (complete, event) = ready(&first, at(0));
        assert!(exports.advance_export(&complete, Some(&event)).await.unwrap().is_committed());
        let minutes = Export::begin(user.clone(), morning.plus(Duration::from_mins(59)));
        assert_eq!(exports.request_export(&minutes, None).await.unwrap(), complete);
        let second = ask(1, None).await.unwrap();
        assert!(second.id != first.id);
        // It fails after a day; only then another one may begin.
        assert_eq!(ask(20, None).await.unwrap(), second);
        for hours in [25, 49] {
            assert!(ask(hours, None).await.unwrap().requested_at == at(hours));
        }
        for hours in [50, 52] {
            let last = exports.get_export(&user).await.unwrap().unwrap();
            let (complete, _) = ready(&last, at(hours));
            assert!(exports.advance_export(&complete, None).await.unwrap().is_committed());
            assert_eq!(ask(hours + 1, None).await.unwrap().requested_at, at(hours + 1));
        }
        let last = exports.get_export(&user).await.unwrap().unwrap();
        assert!(exports.advance_export(&ready(&last, at(54)).0, None).await.unwrap().is_committed());
        assert_eq!(ask(55, None).await.unwrap_err().code, Code::RateLimited);
        let origin = Origin { actor: Actor::Operator("zoë".to_owned()), ip: None, user_agent: None, plan: None };
        let entry = AuditEntry::new(None, AuditAction::AccountExported, user.to_string(), &origin, now(), json!({}));
        assert_eq!(ask(55, Some(&entry)).await.unwrap().requested_at, at(55));
    }

    async fn an_export_advances_once_from_each_revision(exports: &impl Exports) {
        let begun = exports.request_export(&Export::begin(owner(), now()), None).await.unwrap();
        let next = begun.with_part(Some(part()), &BTreeMap::new(), Walk::Records(Some("FILE#1".to_owned()))).unwrap();
        let won = join_all((0..10).map(|_| exports.advance_export(&next, None))).await;
        assert_eq!(won.into_iter().filter(|outcome| outcome.as_ref().unwrap().is_committed()).count(), 1);
        assert_eq!(exports.get_export(&begun.user).await.unwrap(), Some(next.clone()));
        let (complete, event) = ready(&next, now());
        assert!(exports.advance_export(&complete, Some(&event)).await.unwrap().is_committed());
        let read = exports.get_export(&begun.user).await.unwrap().unwrap();
        assert_eq!((read.state(now()), read), (ExportState::Ready, complete.clone()));
        exports.forget_export(&begun.user).await.unwrap();
        exports.forget_export(&begun.user).await.unwrap();
        assert_eq!(exports.get_export(&begun.user).await.unwrap(), None);
        assert!(!exports.advance_export(&ready(&complete, now()).0, None).await.unwrap().is_committed());
    }

    async fn a_closed_account_has_no_export(exports: &impl Exports) {
        let (user, now) = (owner(), now());
        let begun = exports.request_export(&Export::begin(user.clone(), now), None).await.unwrap();
        // Far in the future, because the deployed `account-close` ends everything that is due now.
        let closing = Closing::begin(user.clone(), now.plus(Duration::from_hours(10_000)));
        exports.erase_account(&closing, &closing.event(ClosedBecause::Asked), None).await.unwrap();
        let (complete, event) = ready(&begun, now);
        assert_eq!(exports.advance_export(&complete, Some(&event)).await.unwrap_err().code, Code::Unauthenticated);
        let again = Export::begin(user, now.plus(Duration::from_hours(48)));
        assert_eq!(exports.request_export(&again, None).await.unwrap_err().code, Code::Unauthenticated);
    }

    async fn walked(exports: &impl Exports, user: &UserId, limit: u32) -> Vec<PersonRecord> {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let (records, next) = exports.walk_person(user, after.as_deref(), limit).await.unwrap();
            assert!(records.len() <= limit as usize);
            found.extend(records);
            after = next;
            if after.is_none() {
                return found;
            }
        }
    }

    async fn a_persons_records_are_walked_page_by_page(exports: &impl Exports) {
        let (user, longer) = (owner(), UserId::parse(&format!("{}2", owner())).unwrap());
        let mut files = Vec::new();
        for (whose, name) in [(&user, "1.png"), (&user, "2.png"), (&longer, "3.png")] {
            let file = file_of(whose, name, 10, now());
            let grant =
                Grant { file: file.clone(), plan: Plan::Pro, job: None, seen: None, idempotency: None, now: now() };
            exports.grant_upload(&grant).await.unwrap();
            files.push(file);
        }
        exports.unsubscribe(&user, Topic::Limits, now()).await.unwrap();
        exports.request_export(&Export::begin(user.clone(), now()), None).await.unwrap();
        let all = walked(exports, &user, 100).await;
        let names: Vec<String> = all.iter().map(|record| record.show()["type"].as_str().unwrap().to_owned()).collect();
        assert_eq!(names, ["file", "file", "mail_preference", "storage"]);
        let of_files: Vec<_> = files[..2].iter().map(|file| PersonRecord::File(Box::new(file.clone()))).collect();
        let mut sorted = of_files.clone();
        sorted.sort_by_key(|record| record.show()["id"].to_string());
        assert_eq!(all[..2], sorted[..]);
        for limit in [1, 2, 3] {
            assert_eq!(walked(exports, &user, limit).await, all, "{limit}");
        }
        assert_eq!(walked(exports, &owner(), 10).await, []);
    }
}

mod objects {
    use consigne_core::ExportId;
    use consigne_core::exports::ExportKey;
    use consigne_core::ports::{ListVersionPage, PutExport, ReadHead, RemoveVersion};
    use consigne_usecases::exports::remove_exports;

    use super::*;

    on_both!(consigne_testkit::stack::Stack::bucket, every_version_of_a_part_is_kept_until_it_is_removed,);

    trait Objects: PutExport + ReadHead + ListVersionPage + RemoveVersion {}
    impl<T: PutExport + ReadHead + ListVersionPage + RemoveVersion> Objects for T {}

    async fn every_version_of_a_part_is_kept_until_it_is_removed(objects: &impl Objects) {
        let (user, id) = (owner(), ExportId::mint(now()));
        let longer = UserId::parse(&format!("{user}2")).unwrap();
        let (key, theirs) = (ExportKey::part(&user, id, 1), ExportKey::part(&longer, id, 1));
        let first = objects.put_export(&key, "[1]".to_owned()).await.unwrap();
        let second = objects.put_export(&key, "[2]".to_owned()).await.unwrap();
        let other = objects.put_export(&theirs, "[3]".to_owned()).await.unwrap();
        for (version, text) in [(&first, "[1]"), (&second, "[2]")] {
            let head = objects.read_head(key.as_str(), Some(version), 9).await.unwrap().unwrap();
            assert_eq!(head.bytes, text.as_bytes());
        }
        let next = ExportKey::part(&user, ExportId::mint(now().plus(Duration::from_hours(1))), 1);
        objects.put_export(&next, "[4]".to_owned()).await.unwrap();
        let part = Part { version: first.clone(), size: 3, records: 1, files: 0 };
        let export = Export { id, ..Export::begin(user.clone(), now()) };
        let export = export.with_part(Some(part), &BTreeMap::new(), Walk::Manifest).unwrap();
        assert!(!remove_exports(objects, &user, Some(&export), || false).await.unwrap());
        assert!(remove_exports(objects, &user, Some(&export), || true).await.unwrap());
        assert!(objects.read_head(key.as_str(), Some(&first), 9).await.unwrap().is_some());
        assert!(objects.read_head(key.as_str(), Some(&second), 9).await.unwrap().is_none());
        assert!(objects.read_head(next.as_str(), None, 9).await.unwrap().is_some(), "the next export is untouched");
        assert!(remove_exports(objects, &user, None, || true).await.unwrap());
        assert!(objects.read_head(next.as_str(), None, 9).await.unwrap().is_none());
        assert!(objects.read_head(key.as_str(), Some(&first), 9).await.unwrap().is_none());
        assert!(objects.read_head(theirs.as_str(), None, 9).await.unwrap().is_some());
        objects.remove_version(theirs.as_str(), &other).await.unwrap();
    }
}
