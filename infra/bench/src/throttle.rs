//! A simulated function of 128 MB, which has 7 % of a core: how long its start and its first request take.
//!
//! Source: AWS Lambda developer guide, "Configure Lambda function memory": 1,769 MB are one vCPU.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use consigne_testkit::payload;
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};

use crate::process::{Running, Subject};
use crate::runtime_api::{REPLY_TIMEOUT, RuntimeApi};
use crate::scene::Scene;
use crate::table::{Row, Table, quantile};
use crate::{Problem, say};

/// Functions that are measured, beside a hello-world and the peers.
pub(crate) const FUNCTIONS: [&str; 3] = ["presign", "usage", "key-verify"];
/// Begins the group of the rows.
pub(crate) const GROUP: &str = "A simulated function of 128 MB";
/// What is measured of each function.
pub(crate) const WHAT: [&str; 3] = ["exec to ready", "exec to answer", "answer, its start at full speed"];
/// Share of a core, in percent.
const SHARE: u32 = 7;
/// Period of the share, in microseconds. It is short, so that waiting for the next one does not outweigh the work.
const PERIOD: u32 = 20_000;
/// How many times longer than usual an answer may take, because an interpreter needs long.
const SLOW_FACTOR: u32 = 18;
/// Waits for a line, so that the process can be throttled first, and then becomes the program.
const GATE: [&str; 4] = ["/bin/sh", "-c", "read -r go; exec \"$@\"", "sh"];

/// What limits a process to its share.
enum Brake {
    /// A control group of version 1 or 2, by its name and its folder.
    Group(&'static str, PathBuf),
    /// Stopping and continuing the process alternately, if control groups cannot be created.
    Duty,
}

/// The helper process that throttles one process while it is kept.
type Hold = Option<Child>;

/// Measures `rounds` starts of each function, and `peer_rounds` of each peer, whose starts take seconds.
pub(crate) async fn measure(
    scene: &Scene,
    peers: &[Subject],
    rounds: u32,
    peer_rounds: u32,
    table: &mut Table,
) -> Result<(), Problem> {
    let brake = Brake::find();
    let group = format!("{GROUP}, {SHARE} % of a core by {}", brake.name());
    say(&format!("Starting functions at {SHARE} % of a core..."));
    let functions = FUNCTIONS.iter().map(|name| scene.function(name));
    let ours: Vec<Subject> = std::iter::once(Ok(scene.hello())).chain(functions).collect::<Result<_, _>>()?;
    let all = ours.iter().map(|subject| (subject, rounds)).chain(peers.iter().map(|peer| (peer, peer_rounds)));
    for (subject, rounds) in all.filter(|(_, rounds)| *rounds > 0) {
        let (mut ready, mut whole, mut first) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..rounds {
            let (init, answered) = brake.start(subject).await?;
            ready.push(init);
            whole.push(answered);
            first.push(brake.first_request(subject).await?);
        }
        for (what, times) in WHAT.into_iter().zip([&mut ready, &mut whole, &mut first]) {
            let name = format!("{}: {what}", subject.name);
            table.push(Row::new(&group, &name, quantile(times, 0.5), "ms").of_this_machine());
        }
    }
    Ok(())
}

impl Brake {
    /// Finds the best way to throttle on this machine.
    fn find() -> Self {
        let own = format!("consigne-bench-{}", std::process::id());
        let make = |name, root: &str, settings: &[(&str, String)]| {
            let group = Path::new(root).join(&own);
            std::fs::create_dir(&group).ok()?;
            // A folder without these files is not a control group.
            let set = |(file, text): &(&str, String)| {
                let file = group.join(file);
                file.exists() && std::fs::write(file, text).is_ok()
            };
            let set = settings.iter().all(set);
            if !set {
                drop(std::fs::remove_dir(&group));
            }
            set.then_some(Self::Group(name, group))
        };
        let quota = (PERIOD * SHARE / 100).to_string();
        let first = [("cpu.cfs_period_us", PERIOD.to_string()), ("cpu.cfs_quota_us", quota.clone())];
        make("a control group", "/sys/fs/cgroup/cpu", &first)
            .or_else(|| make("a control group (v2)", "/sys/fs/cgroup", &[("cpu.max", format!("{quota} {PERIOD}"))]))
            .unwrap_or(Self::Duty)
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Group(name, _) => name,
            Self::Duty => "stopping it and letting it go on",
        }
    }

    /// Limits a process with all its threads from now on.
    fn keep(&self, pid: u32) -> Result<Hold, Problem> {
        match self {
            Self::Group(_, group) => {
                let file = group.join("cgroup.procs");
                std::fs::write(&file, pid.to_string()).map_err(|error| format!("{}: {error}", file.display()))?;
                Ok(None)
            }
            Self::Duty => Command::new("python3")
                .arg(payload::root().join("infra/bench/duty.py"))
                .args([pid.to_string(), SHARE.to_string()])
                .stdin(Stdio::null())
                .kill_on_drop(true)
                .spawn()
                .map(Some)
                .map_err(|error| format!("python3: {error}")),
        }
    }

    /// Starts a throttled bootstrap. Returns the milliseconds until it is ready, and until it has answered.
    async fn start(&self, subject: &Subject) -> Result<(f64, f64), Problem> {
        let api = RuntimeApi::start(REPLY_TIMEOUT * SLOW_FACTOR).await?;
        api.offer(&subject.event).await;
        let (mut running, mut gate) = Running::gated(&subject.under(&GATE), api)?;
        let hold = self.keep(running.pid()?)?;
        let began = Instant::now();
        gate.write_all(b"go\n").await.map_err(|error| subject.blame(error))?;
        let ready = running.api.ready(1).await.map_err(|problem| subject.blame(problem))?;
        let answered = running.answer().await?.at;
        running.stop().await?;
        drop(hold);
        Ok((milliseconds(began, ready), milliseconds(began, answered)))
    }

    /// Starts a bootstrap at full speed, as Lambda does, and throttles it for its first event. Returns the milliseconds
    /// it takes to answer.
    async fn first_request(&self, subject: &Subject) -> Result<f64, Problem> {
        let (mut running, _) = Running::spawn(subject, RuntimeApi::start(REPLY_TIMEOUT * SLOW_FACTOR).await?)?;
        running.api.ready(1).await.map_err(|problem| subject.blame(problem))?;
        let hold = self.keep(running.pid()?)?;
        let took = running.ask().await?;
        running.stop().await?;
        drop(hold);
        Ok(took.as_secs_f64() * 1_000.0)
    }
}

impl Drop for Brake {
    fn drop(&mut self) {
        if let Self::Group(_, group) = self {
            drop(std::fs::remove_dir(group));
        }
    }
}

fn milliseconds(from: Instant, to: Instant) -> f64 {
    to.saturating_duration_since(from).as_secs_f64() * 1_000.0
}
