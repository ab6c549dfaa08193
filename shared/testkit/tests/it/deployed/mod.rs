//! The deployed stack, over HTTP, with real signatures and real roles.

mod account_pages;
mod acting;
mod anomalies;
mod bus_listener;
mod charges;
mod derivatives;
mod doctor;
mod edge;
mod endpoints;
mod erasure;
mod events;
mod exports;
mod fairness;
mod file_changes;
mod files;
mod front_ends;
mod fullness;
mod further_stack;
mod gateway;
mod holds;
mod identity;
mod invitation_mail;
mod job_webhooks;
mod jobs;
mod key_endpoint;
mod keys_and_wallets;
mod legacy;
mod limits;
mod listing;
mod logs;
mod mail;
mod mail_outage;
mod maintenance;
mod members;
mod migrate_files;
mod object_events;
mod operator;
mod operator_views;
mod orders;
mod org_deletion;
mod outages;
mod parts;
mod payments;
mod people;
mod peppers;
mod reconcile;
mod redrive;
mod replica;
mod requests;
mod restore;
mod roles;
mod scans;
mod short_nights;
mod stats;
mod texts;
mod unfinished;
mod uploads;

use consigne_testkit::http::Response;
use serde_json::Value;

/// Asserts that a response is a refusal with this status and code, in the common shape.
pub fn assert_refused(response: &Response, status: u16, code: &str) {
    let body = response.json();
    assert_eq!((response.status, response.code().as_str()), (status, code), "{body}");
    assert_eq!(body["success"], false);
    assert!(body["error"]["message"].as_str().is_some_and(|message| !message.is_empty()), "{body}");
    assert_eq!(body["requestId"], response.header("x-request-id"));
    assert!(!response.header("x-request-id").is_empty());
    let timestamp = body["timestamp"].as_str().unwrap();
    assert!(timestamp.ends_with('Z') && timestamp.contains('T'), "{timestamp}");
}

/// Asserts that a response is such a refusal, and names a field.
pub fn assert_field_refused(response: &Response, status: u16, code: &str, field: &str) {
    assert_refused(response, status, code);
    assert_eq!(response.json()["error"]["details"]["field"], field);
}

/// Returns the text in a field.
pub fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("{value} lacks {name}")).to_owned()
}
