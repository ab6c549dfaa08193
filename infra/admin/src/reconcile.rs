//! `consigne reconcile`: compares the table with the bucket, and removes what nothing refers to if asked.

use std::io::{IsTerminal as _, Write as _, stderr};
use std::time::{Duration, Instant};

use clap::Args;
use consigne_core::Fault;
use consigne_core::audit::{Actor, Origin};
use consigne_core::files::in_words;
use consigne_core::reconcile::{FIRST, Finding, FindingKind, Run};
use consigne_runtime::clock;
use consigne_runtime::settings::BUCKET_NAME;
use consigne_storage::{Bucket, Table};
use consigne_usecases::reconcile::{Asked, Begin, Begun, Reconciler};
use serde_json::{Value, json};

use crate::grid::Grid;
use crate::operator::{Operator, causes, work};
use crate::report::{Outcome, Report};
use crate::stack_env::Which;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  consigne reconcile
  consigne reconcile --json
  consigne --stack consigne --region eu-west-3 reconcile --repair --yes

Run it again after it was killed: it goes on where it was. It exits with 1 if something was found and is not repaired.")]
pub(crate) struct Options {
    /// Remove objects, versions, delete markers and open uploads that nothing refers to. The audit log gets an entry for each.
    #[arg(long)]
    repair: bool,
    /// Begin at the start, in place of a run that was interrupted.
    #[arg(long)]
    restart: bool,
    /// Minutes that an object or a change must be old before it can be a finding. Less than a day only while nobody uploads.
    #[arg(long, value_name = "MINUTES", default_value_t = 1_440)]
    grace: u32,
}

pub(crate) fn run(which: &Which, options: &Options) -> Outcome {
    let names = ["TABLE_NAME", BUCKET_NAME.name];
    let operator = if options.repair {
        Operator::to_change(which, &names, "Remove from the bucket what nothing refers to")?
    } else {
        Operator::of_stack(which, &names)?
    };
    let (table, bucket, replica) = (operator.table()?, operator.bucket()?, operator.replica()?);
    // A run that only reports writes nothing into the audit log.
    let nobody = Origin { actor: Actor::Operator(String::new()), ip: None, user_agent: None, plan: None };
    let origin = if options.repair { operator.origin()?.clone() } else { nobody };
    let asked = Asked {
        begin: if options.restart { Begin::Anew } else { Begin::Now },
        repair: options.repair,
        grace: Duration::from_secs(u64::from(options.grace) * 60),
    };
    let run = work(compare(&table, (&bucket, replica.as_ref()), &origin, &asked))?;
    Ok(report(&run))
}

async fn compare(
    table: &Table,
    buckets: (&Bucket, Option<&Bucket>),
    origin: &Origin,
    asked: &Asked,
) -> Result<Run, String> {
    let reconciler = Reconciler::new(table, buckets, origin, &clock::now);
    let mut run = match reconciler.begin(asked).await.map_err(|fault| stopped(&fault))? {
        Begun::Ours(run) => run,
        Begun::Held(run) => return Err(held(&run)),
        Begun::NotDue => return Err("The table says that no run is due.".to_owned()),
    };
    let mut progress = Progress { shown: None, is_terminal: stderr().is_terminal() };
    let outcome = reconciler
        .advance(&mut run, |run| {
            progress.show(run);
            true
        })
        .await;
    progress.finish();
    outcome.map_err(|fault| stopped(&fault))?;
    Ok(run)
}

fn stopped(fault: &Fault) -> String {
    format!("The comparison stopped: {}\nRun the command again: it goes on where it was.", causes(fault))
}

fn held(run: &Run) -> String {
    format!(
        "Another run, which began at {}, is at work: {}.\nWait until it ends, or for five minutes after it was killed.",
        run.started_at,
        line(run)
    )
}

/// How far a run has come.
fn line(run: &Run) -> String {
    let phase = run.phase.map_or("done", consigne_core::reconcile::Phase::label);
    let (versions, records) = (run.checked.versions, run.checked.records);
    format!("{phase}: {versions} versions and {records} records compared, {} findings", run.findings())
}

/// Shows how far a run has come: at a terminal five times a second on one line, elsewhere a line every ten seconds.
struct Progress {
    shown: Option<Instant>,
    is_terminal: bool,
}

impl Progress {
    fn show(&mut self, run: &Run) {
        let wait = if self.is_terminal { Duration::from_millis(200) } else { Duration::from_secs(10) };
        let since = *self.shown.get_or_insert_with(Instant::now);
        if since.elapsed() >= wait {
            self.shown = Some(Instant::now());
            let (start, end) = if self.is_terminal { ("\r\u{1b}[K", "") } else { ("", "\n") };
            // Nobody needs the line.
            let _ = write!(stderr(), "{start}{}{end}", line(run)).and_then(|()| stderr().flush());
        }
    }

    fn finish(&self) {
        if self.is_terminal && self.shown.is_some() {
            let _ = writeln!(stderr());
        }
    }
}

fn report(run: &Run) -> Report {
    let report = Report::new(text(run), document(run));
    if run.all_left() > 0 { report.failed() } else { report }
}

fn text(run: &Run) -> String {
    let checked = &run.checked;
    let compared = format!(
        "Compared {} versions of objects, {} records of {} users, and {} open uploads.",
        checked.versions, checked.records, checked.users, checked.uploads
    );
    if run.findings() == 0 {
        return format!("{compared}\nNothing differs.");
    }
    let mut counts = Grid::new(&["kind", ">found", ">repaired", "what it is"]);
    for (kind, found) in &run.found {
        let repaired = run.repaired.get(kind).copied().unwrap_or(0);
        counts.row([kind.name().to_owned(), found.to_string(), repaired.to_string(), kind.description().to_owned()]);
    }
    let mut first = Grid::new(&["kind", "key", "version", ">size", "reason"]);
    for Finding { kind, key, version, size, reason, .. } in &run.first {
        let size = size.map(in_words).unwrap_or_default();
        first.row([kind.name().to_owned(), key.clone(), version.clone().unwrap_or_default(), size, reason.clone()]);
    }
    let cut = if run.found.values().any(|found| *found > FIRST as u64) {
        format!("\nOnly the first {FIRST} of each kind are shown.")
    } else {
        String::new()
    };
    format!("{compared}\n\n{}\n\n{}{cut}\n\n{}", counts.render(), first.render(), next_step(run))
}

/// Says what to do about what is left.
fn next_step(run: &Run) -> String {
    let can_be = FindingKind::ALL.into_iter().filter(|kind| kind.is_repaired()).map(|kind| run.left(kind)).sum::<u64>();
    let others = run.all_left() - can_be;
    let mut steps = Vec::new();
    match (run.repair, can_be) {
        (_, 0) => {}
        (false, _) => steps.push(format!("`consigne reconcile --repair` removes {can_be} of them.")),
        (true, _) => {
            steps.push(format!("{can_be} were needed again when they were to be removed: run the command again."));
        }
    }
    if others > 0 {
        steps.push(format!("{others} need a person: docs/operate/reconcile.md says what to do about each kind."));
    }
    if steps.is_empty() { "All of it is repaired.".to_owned() } else { steps.join("\n") }
}

fn document(run: &Run) -> Value {
    json!({
        "started_at": run.started_at,
        "ended_at": run.ended_at,
        "grace_seconds": run.grace_seconds,
        "repair": run.repair,
        "checked": run.checked,
        "found": run.found,
        "repaired": run.repaired,
        "left": run.all_left(),
        "first": run.first,
    })
}

#[cfg(test)]
mod tests {
    use consigne_core::Timestamp;

    use super::*;

    fn run_with(repair: bool, findings: &[FindingKind]) -> Run {
        let mut run = Run::start(None, repair, Duration::from_hours(24), Timestamp::from_secs(1_795_257_000));
        for kind in findings {
            let key = "user_ann1/images/a.png".to_owned();
            let (version, size) = (Some("v1".to_owned()), Some(2_048));
            run.note(&Finding {
                kind: *kind,
                key,
                version,
                size,
                at: None,
                reason: "the key has no record".to_owned(),
            });
        }
        (run.phase, run.ended_at) = (None, Some(run.started_at));
        run
    }

    #[test]
    fn a_run_without_findings_exits_with_0() {
        let report = report(&run_with(false, &[]));
        assert_eq!(report.exit(), 0);
        assert!(report.render(false).ends_with("Nothing differs."));
    }

    #[test]
    fn findings_that_are_left_exit_with_1_and_say_what_to_do() {
        let run = run_with(false, &[FindingKind::ObjectWithoutRecord, FindingKind::LedgerDiffers]);
        let report = report(&run);
        let text = report.render(false);
        assert_eq!(report.exit(), 1);
        assert!(text.contains("`consigne reconcile --repair` removes 1 of them.\n1 need a person"), "{text}");
        assert!(text.contains("object_without_record  user_ann1/images/a.png  v1"), "{text}");
        let json: Value = serde_json::from_str(&report.render(true)).unwrap();
        assert_eq!((&json["left"], &json["found"]["ledger_differs"]), (&json!(2), &json!(1)));
    }

    #[test]
    fn what_is_repaired_exits_with_0() {
        let mut run = run_with(true, &[FindingKind::DeleteMarker]);
        run.note_repair(FindingKind::DeleteMarker);
        let report = report(&run);
        assert_eq!(report.exit(), 0);
        assert!(report.render(false).ends_with("All of it is repaired."));
    }

    #[test]
    fn more_findings_than_are_shown_are_counted() {
        let run = run_with(false, &[FindingKind::UnknownObject; FIRST + 5]);
        assert_eq!((run.first.len(), run.findings()), (FIRST, FIRST as u64 + 5));
        assert!(text(&run).contains("Only the first 20 of each kind are shown."));
    }
}
