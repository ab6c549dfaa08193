//! Tests of endpoints: the event, and the count of tests in an hour.

use std::time::Duration;

use consigne_core::Fault;
use consigne_core::endpoints::{EndpointTest, TESTS_AN_HOUR, test_hour, too_many_tests};
use consigne_core::idempotency::WriteOutcome;
use consigne_core::ports::TestEndpoint;

use crate::table::idempotency::TransactionOutcome;
use crate::table::item::{count_one, key, org_pk};
use crate::table::transact::failed_at;
use crate::table::{Table, outbox};

/// Index of the hour's count in the transaction that requests a test.
const COUNTED: usize = 0;

impl TestEndpoint for Table {
    async fn test_endpoint(&self, test: &EndpointTest) -> Result<WriteOutcome, Fault> {
        let hour = test_hour(test.now);
        let counter = key(org_pk(test.org), format!("TESTS#{hour}"));
        let count = count_one(counter, "asked", TESTS_AN_HOUR, hour.plus(Duration::from_hours(25)));
        let writes = vec![self.update(count)?, self.require_open(&test.by)?, self.put(outbox::write(&test.event))?];
        match self.transact_once(writes, test.idempotent.as_ref(), test.now).await? {
            TransactionOutcome::Written(written) => Ok(written),
            TransactionOutcome::Refused(failed) if failed_at(&failed, COUNTED).is_some() => {
                Err(too_many_tests(test.now))
            }
            TransactionOutcome::Refused(_) => Err(Fault::internal("a new event cannot conflict")),
        }
    }
}
