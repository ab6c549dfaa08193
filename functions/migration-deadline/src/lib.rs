//! Sees owners through the replacement of keys that were carried over from an older installation: told, reminded, and what
//! they have not replaced revoked.
//!
//! It runs once a day and looks only at what is due. Whatever is done in two runs, or late, is done once.

use std::time::Duration;

use consigne_core::Fault;
use consigne_core::ports::{ChangeKey, GetKey, ListKeys, ListMigrations, MigrationFilter, PageAsk, StepMigration};
use consigne_runtime::schedule::Tick;
use consigne_runtime::{Adapters, ScheduleFunction, function, remaining};
use consigne_usecases::migrations::{Advance, advance};
use serde_json::{Value, json};

/// Migrations looked at between two questions to the table.
const PAGE: u32 = 100;
/// Time kept for the answer.
const RESERVE: Duration = Duration::from_secs(5);

/// What a run has done.
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
    /// Takes every migration that is due one stage on, page by page.
    ///
    /// # Errors
    /// `UNAVAILABLE` when one of them could not be, after all others were tried, or when there was no time for all: Lambda runs
    /// it again.
    async fn handle(&self, tick: &Tick) -> Result<Value, Fault> {
        let mut tally = Tally::default();
        let mut page = PageAsk { limit: PAGE, after: None };
        loop {
            let due = self.table.list_migrations(MigrationFilter::Due(tick.now), &page).await?;
            for migration in &due.items {
                if remaining() < RESERVE {
                    return Err(Fault::unavailable("there was no time for all that is due"));
                }
                // One that fails keeps none of the others waiting.
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
        tally.told(tick)
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

    fn told(self, tick: &Tick) -> Result<Value, Fault> {
        let Self { announced, reminded, ended, revoked, failed } = self;
        let done = json!({ "announced": announced, "reminded": reminded, "ended": ended, "revoked": revoked });
        tick.log.field("migration.done", &done);
        if failed > 0 {
            return Err(Fault::unavailable(format!("{failed} migrations were left as they are")));
        }
        Ok(done)
    }
}
