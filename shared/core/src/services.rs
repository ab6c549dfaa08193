//! The services that API keys pay for, as data. This file is the only place that knows.

/// One service of the catalogue.
#[derive(Debug, PartialEq, Eq)]
pub struct Service {
    /// Name in requests and receipts.
    pub name: &'static str,
    /// Name for people.
    pub display_name: &'static str,
    /// One sentence.
    pub description: &'static str,
    /// Credits a call costs when the caller names no cost.
    pub base_cost: u64,
    /// Most credits one hold for a call may set aside.
    pub hold_max: u64,
    /// Scopes that concern it.
    pub scopes: &'static [&'static str],
    /// Group in a catalogue.
    pub category: &'static str,
}

/// Every service.
pub static SERVICES: [Service; 3] = [
    Service {
        name: "pdf",
        display_name: "PDF",
        description: "Makes and reads PDF documents.",
        base_cost: 1,
        hold_max: 1_000,
        scopes: &["pdf:read", "pdf:write"],
        category: "documents",
    },
    Service {
        name: "ai",
        display_name: "AI",
        description: "Generates text and images.",
        base_cost: 3,
        hold_max: 10_000,
        scopes: &["ai:read", "ai:write"],
        category: "generation",
    },
    Service {
        name: "mileage",
        display_name: "Mileage",
        description: "Calculates mileage allowances.",
        base_cost: 1,
        hold_max: 1_000,
        scopes: &["mileage:calculate"],
        category: "calculation",
    },
];

/// Finds a service by name.
pub fn service(name: &str) -> Option<&'static Service> {
    SERVICES.iter().find(|service| service.name == name)
}

/// Gives the catalogue's own spelling of a scope, if there is such a scope.
pub fn scope(name: &str) -> Option<&'static str> {
    SERVICES.iter().flat_map(|service| service.scopes).find(|scope| **scope == name).copied()
}

/// Gives every scope.
pub fn scopes() -> Vec<&'static str> {
    SERVICES.iter().flat_map(|service| service.scopes).copied().collect()
}
