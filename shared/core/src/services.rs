//! The catalogue of services that API keys pay for. All its data is in this file.

use schemars::JsonSchema;
use serde::Serialize;

use crate::text::cut;

/// How much of an unknown name an error message repeats, in characters.
const NAME_SHOWN: usize = 64;

/// Units of size, in bytes.
const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// A service of the catalogue.
#[derive(Debug, PartialEq, Eq)]
pub struct Service {
    /// Name in requests and receipts.
    pub name: &'static str,
    /// Name that people see.
    pub display_name: &'static str,
    /// What it does, in one sentence.
    pub description: &'static str,
    /// Credits for a call whose caller sends no cost.
    pub base_cost: u64,
    /// Most credits that one hold may reserve.
    pub hold_max: u64,
    /// All scopes of the service.
    pub scopes: &'static [&'static str],
    /// Scope that a GET or HEAD through the gateway needs. One of `scopes`.
    pub read_scope: &'static str,
    /// Scope that any other call through the gateway needs. One of `scopes`.
    pub write_scope: &'static str,
    /// How long the gateway waits for the whole answer, in milliseconds.
    pub timeout_ms: u64,
    /// Largest request body, in bytes.
    pub request_max: usize,
    /// Largest response body, in bytes.
    pub response_max: usize,
    /// Group in the catalogue.
    pub category: &'static str,
    /// Icon to show beside the name: a name of the icon set Lucide.
    pub icon: &'static str,
}

/// A service that API keys can pay for, as the API shows it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ServiceView {
    /// Name to use in requests.
    pub name: &'static str,
    /// Name to show to people.
    pub display_name: &'static str,
    /// What the service does, in one sentence.
    pub description: &'static str,
    /// Credits that a call costs when the request names no cost.
    pub base_cost_per_call: u64,
    /// Most credits that one hold may reserve.
    pub hold_max: u64,
    /// Scopes that a key can have for it.
    pub scopes: &'static [&'static str],
    /// Category to group services by.
    pub category: &'static str,
    /// Icon to show beside the name: a name of the icon set Lucide.
    pub icon: &'static str,
    /// Whether keys can pay for it at present.
    pub is_active: bool,
}

impl ServiceView {
    /// Builds the view of a service.
    pub const fn of(service: &'static Service) -> Self {
        Self {
            name: service.name,
            display_name: service.display_name,
            description: service.description,
            base_cost_per_call: service.base_cost,
            hold_max: service.hold_max,
            scopes: service.scopes,
            category: service.category,
            icon: service.icon,
            is_active: true,
        }
    }
}

/// Every service, in the order of the catalogue.
pub static SERVICES: [Service; 3] = [
    Service {
        name: "pdf",
        display_name: "PDF",
        description: "Makes and reads PDF documents.",
        base_cost: 1,
        hold_max: 1_000,
        scopes: &["pdf:read", "pdf:write"],
        read_scope: "pdf:read",
        write_scope: "pdf:write",
        timeout_ms: 20_000,
        request_max: 4 * MIB,
        response_max: 4 * MIB,
        category: "documents",
        icon: "file-text",
    },
    Service {
        name: "ai",
        display_name: "AI",
        description: "Generates text and images.",
        base_cost: 3,
        hold_max: 10_000,
        scopes: &["ai:read", "ai:write"],
        read_scope: "ai:read",
        write_scope: "ai:write",
        timeout_ms: 25_000,
        request_max: MIB,
        response_max: 4 * MIB,
        category: "generation",
        icon: "sparkles",
    },
    Service {
        name: "mileage",
        display_name: "Mileage",
        description: "Calculates mileage allowances.",
        base_cost: 1,
        hold_max: 1_000,
        scopes: &["mileage:calculate"],
        read_scope: "mileage:calculate",
        write_scope: "mileage:calculate",
        timeout_ms: 5_000,
        request_max: 64 * KIB,
        response_max: 256 * KIB,
        category: "calculation",
        icon: "car",
    },
];

/// Finds a service by its name.
pub fn service(name: &str) -> Option<&'static Service> {
    SERVICES.iter().find(|service| service.name == name)
}

/// Returns the error message about a service that is not in the catalogue.
pub(crate) fn unknown_service(name: &str) -> String {
    format!("unknown service `{}`; GET /api/services lists them", cut(name, NAME_SHOWN))
}

/// Returns the error message about a scope that is not in the catalogue.
pub(crate) fn unknown_scope(name: &str) -> String {
    format!("unknown scope `{}`; GET /api/services lists them", cut(name, NAME_SHOWN))
}

/// Returns a scope of the catalogue as static text, or `None` if it is unknown.
pub fn scope(name: &str) -> Option<&'static str> {
    SERVICES.iter().flat_map(|service| service.scopes).find(|scope| **scope == name).copied()
}

/// Returns every scope of every service.
pub fn scopes() -> Vec<&'static str> {
    SERVICES.iter().flat_map(|service| service.scopes).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_of_a_service_fit_into_an_invocation() {
        // API Gateway waits for 30 seconds, of which the gateway needs some to settle. Lambda accepts and returns 6 MB,
        // in which a body is in base64, a third longer, beside its headers.
        const INVOCATION: usize = 6_000_000;
        const HEADERS: usize = 256 * KIB;
        for service in &SERVICES {
            assert!((1..=25_000).contains(&service.timeout_ms), "{}", service.name);
            for most in [service.request_max, service.response_max] {
                assert!(most.div_ceil(3) * 4 + HEADERS <= INVOCATION, "{}: {most}", service.name);
            }
            for scope in [service.read_scope, service.write_scope] {
                assert!(service.scopes.contains(&scope), "{}: {scope}", service.name);
            }
            assert!((1..=service.hold_max).contains(&service.base_cost), "{}", service.name);
        }
    }
}
