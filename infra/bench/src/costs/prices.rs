//! AWS's prices, as data with a date.

use consigne_testkit::payload;
use serde::Deserialize;

use super::units::Units;
use crate::Problem;

/// File with the prices, below the checkout.
const PRICES: &str = "infra/bench/prices.json";

/// AWS's prices, in US dollars.
#[derive(Debug, Deserialize)]
pub(crate) struct Prices {
    /// Month in which they were looked up.
    pub(crate) as_of: String,
    /// Region to which they apply.
    pub(crate) region: String,
    per_million: PerMillion,
    lambda_gb_second: f64,
    /// Memory of a function, in GB.
    lambda_gb: f64,
    /// Billed time of an invocation, in milliseconds.
    lambda_billed_ms: f64,
}

#[derive(Debug, Deserialize)]
struct PerMillion {
    api_request: f64,
    lambda_request: f64,
    dynamodb_read_unit: f64,
    dynamodb_write_unit: f64,
    s3_put: f64,
    s3_get: f64,
    event: f64,
    sqs_request: f64,
}

impl Prices {
    /// Reads the prices.
    ///
    /// # Errors
    /// If the file is missing or malformed.
    pub(crate) fn read() -> Result<Self, Problem> {
        let text =
            std::fs::read_to_string(payload::root().join(PRICES)).map_err(|error| format!("{PRICES}: {error}"))?;
        serde_json::from_str(&text).map_err(|error| format!("{PRICES}: {error}"))
    }

    /// Returns the price of a million times these units.
    pub(crate) fn of_a_million(&self, units: &Units) -> f64 {
        let each = &self.per_million;
        let seconds = self.lambda_billed_ms / 1_000.0;
        let lambda = each.lambda_request + self.lambda_gb_second * self.lambda_gb * seconds * 1_000_000.0;
        units.api * each.api_request
            + units.invocations * lambda
            + units.read * each.dynamodb_read_unit
            + units.write * each.dynamodb_write_unit
            + units.puts * each.s3_put
            + units.gets * each.s3_get
            + units.events * each.event
            + units.queue * each.sqs_request
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_costs_its_request_its_function_and_one_read_unit() {
        let prices = Prices::read().unwrap();
        let units = Units { api: 1.0, invocations: 1.0, read: 1.0, ..Units::default() };
        assert!((prices.of_a_million(&units) - 1.36).abs() < 0.01, "{}", prices.of_a_million(&units));
    }
}
