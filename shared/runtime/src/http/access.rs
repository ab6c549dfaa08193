//! The audit of access to files and orders: who asked for which, from where, and what came of it.
//!
//! Every request on a route of files, or on one that reads orders, has an `audit` in its log line, refusals included. A
//! request about several files has a line for each of them. Only these entries contain the caller's address, and only
//! functions behind such a route write it, because their log group has a retention of its own.

use std::sync::{Mutex, PoisonError};

use consigne_auth::User;
use consigne_core::files::ObjectKey;
use consigne_core::{Code, Fault, FileId, OrderId};
use serde_json::{Map, Value, json};

use super::Request;

/// Beginnings of the paths of the routes of files.
const PREFIXES: [&str; 2] = ["/api/files/", "/api/secure/files/"];
/// Outcome of a request that succeeded. Others have their error code.
const SUCCEEDED: &str = "OK";

/// Returns whether a route, such as `GET /api/files/list`, is one of files. These routes are audited, and a service may
/// act for a user on them.
pub fn is_file_route(route: &str) -> bool {
    route.split_once(' ').is_some_and(|(_, path)| PREFIXES.iter().any(|prefix| path.starts_with(prefix)))
}

/// Returns whether requests on a route are audited: on routes of files, and on those that read orders or an export.
pub fn is_audited_route(route: &str) -> bool {
    is_file_route(route) || route.starts_with("GET /api/orders") || route == "GET /api/me/export"
}

/// What a request has told so far about its access to files.
#[derive(Debug, Default)]
pub(super) struct Access(Mutex<Noted>);

#[derive(Debug, Default)]
struct Noted {
    /// The fields that say who is calling.
    caller: Map<String, Value>,
    /// The files, each with the code of its own refusal. A refused text that is no key has no file.
    files: Vec<(Option<FileId>, Option<Code>)>,
}

impl Access {
    /// Notes who is calling.
    pub(super) fn by(&self, user: &User) {
        let mut caller = Map::from_iter([("user".to_owned(), json!(user.id))]);
        for (name, value) in [("impersonator", &user.actor), ("service", &user.service)] {
            caller.extend(value.as_ref().map(|value| (name.to_owned(), json!(value))));
        }
        self.0.lock().unwrap_or_else(PoisonError::into_inner).caller = caller;
    }

    /// Notes the order that the request is about.
    pub(super) fn to_order(&self, order: OrderId) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        noted.caller.insert("order".to_owned(), json!(order));
    }

    /// Notes a file by its key. Text that is no key names no file, but its own refusal is noted.
    pub(super) fn to(&self, key: &str, refusal: Option<Code>) -> Option<FileId> {
        let file = ObjectKey::parse(key).map(|key| key.file());
        if file.is_some() || refusal.is_some() {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).files.push((file, refusal));
        }
        file
    }

    /// Takes the entries for the log: one for each file, or one if a request on a route of files named none.
    pub(super) fn take(&self, request: &Request, fault: Option<&Fault>) -> Vec<Value> {
        let Noted { mut caller, files } = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let audited = is_audited_route(request.route());
        let address = request.source_ip().filter(|_| audited);
        caller.insert("route".to_owned(), request.route().into());
        for (name, value) in [("country", request.country()), ("ip", address)] {
            caller.extend(value.map(|value| (name.to_owned(), value.into())));
        }
        let entry = |file: Option<FileId>, refusal: Option<Code>| {
            let code = refusal.or(fault.map(|fault| fault.code));
            let mut entry = caller.clone();
            entry.insert("outcome".to_owned(), code.map_or(SUCCEEDED, Code::as_str).into());
            entry.extend(file.map(|file| ("file".to_owned(), json!(file))));
            Value::Object(entry)
        };
        if files.is_empty() && audited {
            return vec![entry(None, None)];
        }
        files.into_iter().map(|(file, refusal)| entry(file, refusal)).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::clock;
    use crate::http::{Answer, Cdn, HttpFunction, Operation, answered_behind};
    use crate::wire::Named;

    const KEYS: [&str; 3] = [
        "user_ann1/images/01M7YREWKH7VM7Z3Z2KWSH2FTR-a.png",
        "user_eve1/images/01M7YREWKH7VM7Z3Z2KWSH2FTS-b.png",
        "holiday.png",
    ];

    /// Is about some of three keys. All but the first are refused, and the last is no key.
    struct Several(std::ops::Range<usize>);

    impl Named for Several {
        const NAME: &'static str = "several";
    }

    impl HttpFunction for Several {
        async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
            for index in self.0.clone() {
                let refusal = (index > 0).then(|| Fault::not_found("File"));
                request.names_one_file(KEYS[index], refusal.as_ref());
            }
            Ok(Answer::plain(200, &json!({})))
        }

        fn operations() -> Vec<Operation> {
            Vec::new()
        }
    }

    async fn lines(keys: std::ops::Range<usize>, route: &str) -> Vec<Value> {
        let event = json!({
            "version": "2.0", "routeKey": route, "rawPath": "/", "rawQueryString": "", "headers": {},
            "requestContext": {"http": {"method": "POST", "path": "/", "sourceIp": "203.0.113.9"}, "requestId": "r1"},
            "isBase64Encoded": false,
        });
        let now = u64::try_from(clock::now().as_millis()).unwrap();
        let until = UNIX_EPOCH + Duration::from_millis(now) + Duration::from_secs(5);
        let event = serde_json::from_value(event).unwrap();
        let answered = answered_behind(&Cdn::default(), &Several(keys), event, until).await;
        answered.lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[tokio::test]
    async fn each_of_several_files_has_a_line_with_its_own_outcome() {
        let route = "POST /api/files/presigned-url";
        let lines = lines(0..3, route).await;
        let [request, one, other, none] = &lines[..] else { panic!("a line for the request and each key: {lines:?}") };
        assert_eq!((&request["http.status"], &request["audit"]), (&json!(200), &Value::Null));
        let entry = |file: &str, outcome: &str| json!({ "route": route, "ip": "203.0.113.9", "outcome": outcome, "file": file });
        assert_eq!(one["audit"], entry("01M7YREWKH7VM7Z3Z2KWSH2FTR", "OK"));
        assert_eq!(other["audit"], entry("01M7YREWKH7VM7Z3Z2KWSH2FTS", "NOT_FOUND"));
        assert_eq!(none["audit"], json!({ "route": route, "ip": "203.0.113.9", "outcome": "NOT_FOUND" }));
        assert!([one, other, none].iter().all(|line| line["request.id"] == "r1" && line["function"] == "several"));
    }

    #[tokio::test]
    async fn one_file_is_in_the_line_of_the_request_and_elsewhere_without_the_address() {
        let [request] = &lines(0..1, "POST /api/files/presigned-url").await[..] else { panic!("one line") };
        assert_eq!(request["audit"]["file"], "01M7YREWKH7VM7Z3Z2KWSH2FTR");
        let [request] = &lines(0..1, "GET /api/secure/jobs/{id}/status").await[..] else { panic!("one line") };
        assert!(request["audit"]["file"].is_string() && request["audit"]["ip"].is_null(), "{request}");
        let [request] = &lines(0..0, "GET /api/secure/jobs/{id}/status").await[..] else { panic!("one line") };
        assert!(request["audit"].is_null(), "{request}");
    }

    #[test]
    fn the_routes_of_files_are_known_by_their_paths() {
        assert!(is_file_route("GET /api/files/list") && is_file_route("DELETE /api/secure/files/delete/{key+}"));
        for other in ["$default", "GET /api/filesystem", "GET /api/secure/jobs/{id}/status", "/api/files/list"] {
            assert!(!is_file_route(other), "{other}");
        }
    }
}
