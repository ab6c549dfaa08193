//! Enforces the deadline for keys that were migrated from an older installation: it notifies their owners, reminds
//! them, and finally revokes the keys that they have not rotated.
//!
//! It runs once a day and processes only the migrations that are due. A run that is late or repeated sends nothing twice.

use std::time::Duration;

use consigne_core::Fault;
use consigne_core::ports::{ChangeKey, GetKey, ListKeys, ListMigrations, MigrationFilter, PageAsk, StepMigration};
use consigne_runtime::schedule::Tick;
use consigne_runtime::{Adapters, ScheduleFunction, function, remaining};
use consigne_usecases::migrations::{Advance, advance};
use serde_json::{Value, json};

/// Migrations read in one query.
const PAGE: u32 = 100;
/// Time reserved for the answer.
const RESERVE: Duration = Duration::from_secs(5);

/// What a run has done: numbers of migrations, and of revoked keys.
#[derive(Debug, Default)]
struct Tally {
    announced: u32,
    reminded: u32,
    ended: u32,
    revoked: u64,
    failed: u32,
}

function! {
    table: A::Table = table(),
}

impl<A: Adapters<Table: ListMigrations + ListKeys + GetKey + ChangeKey + StepMigration>> ScheduleFunction
    for Function<A>
{
    /// Moves every migration that is due to its next stage, page by page.
    ///
    /// # Errors
    /// `UNAVAILABLE` when one of them failed, after all others were tried, or when time ran short. Lambda then runs the
    /// function again.
    async fn handle(&self, tick: &Tick) -> Result<Value, Fault> {
        let mut tally = Tally::default();
        let mut page = PageAsk { limit: PAGE, after: None };
        loop {
            let due = self.table.list_migrations(MigrationFilter::Due(tick.now), &page).await?;
            for migration in &due.items {
                if remaining() < RESERVE {
                    return Err(Fault::unavailable("time ran short before all migrations were processed"));
                }
                // A failure of one migration does not stop the others.
                match advance(&self.table, migration, tick.now).await {
                    Ok(advance) => tally.note(advance),
                    Err(fault) => {
                        tally.failed += 1;
                        tick.log.field("migration.last_failure", fault.chain());
                    }
                }
            }
            page.after = due.next;
            if page.after.is_none() {
                break;
            }
        }
        tally.report(tick)
    }
}

impl Tally {
    fn note(&mut self, advance: Advance) {
        match advance {
            Advance::Announced => self.announced += 1,
            Advance::Reminded => self.reminded += 1,
            Advance::Ended(revoked) => {
                self.ended += 1;
                self.revoked += revoked;
            }
            Advance::Left => {}
        }
    }

    fn report(self, tick: &Tick) -> Result<Value, Fault> {
        let Self { announced, reminded, ended, revoked, failed } = self;
        let done = json!({ "announced": announced, "reminded": reminded, "ended": ended, "revoked": revoked });
        tick.log.field("migration.done", &done);
        if failed > 0 {
            return Err(Fault::unavailable(format!("{failed} migrations failed")));
        }
        Ok(done)
    }
}
