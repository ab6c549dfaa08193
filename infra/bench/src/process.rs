//! A running bootstrap with a Runtime API of its own: its answers, its times, and what it uses.

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::process::{Child, ChildStdin, Command};

use crate::Problem;
use crate::runtime_api::{Answered, REPLY_TIMEOUT, RuntimeApi};

/// A program that can be started and sent events.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    /// Name in the table of results.
    pub(crate) name: String,
    /// Program and arguments to start it with.
    pub(crate) command: Vec<String>,
    /// Its environment, in addition to that of every function.
    pub(crate) settings: Vec<(String, String)>,
    /// The event it is sent.
    pub(crate) event: String,
}

impl Subject {
    /// Puts another command in front, which runs it in some other way.
    pub(crate) fn under(&self, wrapper: &[&str]) -> Self {
        let wrapper = wrapper.iter().map(|word| (*word).to_owned());
        Self { command: wrapper.chain(self.command.iter().cloned()).collect(), ..self.clone() }
    }

    /// Builds the command with the environment of a function.
    pub(crate) fn prepare(&self, api: &RuntimeApi) -> Command {
        let mut command = Command::new(self.command.first().map_or("", String::as_str));
        command
            .args(self.command.iter().skip(1))
            .env_clear()
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .env("AWS_LAMBDA_RUNTIME_API", api.address())
            .env("AWS_LAMBDA_FUNCTION_NAME", &self.name)
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "bench")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// Adds the name to a problem.
    pub(crate) fn blame(&self, problem: impl std::fmt::Display) -> Problem {
        format!("{}: {problem}", self.name)
    }

    /// Checks that an answer is a success. A refusal would be an answer without the work.
    pub(crate) fn accept(&self, answered: &Answered) -> Result<(), Problem> {
        let body: Value = serde_json::from_str(&answered.body).unwrap_or(Value::Null);
        let refused = body["statusCode"].as_u64().is_some_and(|status| status >= 400);
        if answered.failed || refused && self.name != "fallback" {
            return Err(self.blame(format!("answered {}", answered.body)));
        }
        Ok(())
    }
}

/// A running bootstrap and its Runtime API.
pub(crate) struct Running {
    subject: Subject,
    child: Child,
    pub(crate) api: RuntimeApi,
}

impl Running {
    /// Starts a bootstrap and lets it answer its event. Returns the time from exec to that answer.
    pub(crate) async fn start(subject: &Subject) -> Result<(Self, Duration), Problem> {
        let api = RuntimeApi::start(REPLY_TIMEOUT).await?;
        api.offer(&subject.event).await;
        let (mut running, began) = Self::spawn(subject, api)?;
        let answered = running.answer().await?;
        Ok((running, answered.at.duration_since(began)))
    }

    /// Starts a bootstrap with a Runtime API. Returns the time of its start.
    pub(crate) fn spawn(subject: &Subject, api: RuntimeApi) -> Result<(Self, Instant), Problem> {
        let mut command = subject.prepare(&api);
        let began = Instant::now();
        let child = command.spawn().map_err(|error| subject.blame(error))?;
        Ok((Self { subject: subject.clone(), child, api }, began))
    }

    /// The same for a command that waits for a line on standard input before it becomes the bootstrap. Returns that
    /// input.
    pub(crate) fn gated(subject: &Subject, api: RuntimeApi) -> Result<(Self, ChildStdin), Problem> {
        let child = subject.prepare(&api).stdin(Stdio::piped()).spawn();
        let mut child = child.map_err(|error| subject.blame(error))?;
        let gate = child.stdin.take().ok_or_else(|| subject.blame("its standard input is closed"))?;
        Ok((Self { subject: subject.clone(), child, api }, gate))
    }

    /// Sends its event once more. Returns the time from the event to its answer.
    pub(crate) async fn ask(&mut self) -> Result<Duration, Problem> {
        self.api.offer(&self.subject.event).await;
        Ok(self.answer().await?.took())
    }

    /// Sends another event. Returns its answer, which must be a success.
    pub(crate) async fn ask_with(&mut self, event: &str) -> Result<Answered, Problem> {
        self.api.offer(event).await;
        self.answer().await
    }

    /// Waits for an answer, which must be a success.
    pub(crate) async fn answer(&mut self) -> Result<Answered, Problem> {
        // A function that cannot start logs why and ends. The log is on no terminal here.
        let answered = tokio::select! {
            biased;
            answered = self.api.answer() => answered,
            ended = self.child.wait() => {
                let ended = ended.map_or_else(|error| error.to_string(), |status| status.to_string());
                Err(format!("it ended without an answer ({ended}). Run it alone to read its log"))
            }
        };
        let answered = answered.map_err(|problem| self.subject.blame(problem))?;
        self.subject.accept(&answered)?;
        Ok(answered)
    }

    /// Returns its process id.
    pub(crate) fn pid(&self) -> Result<u32, Problem> {
        self.child.id().ok_or_else(|| self.subject.blame("it has ended"))
    }

    /// Returns the processor time of its threads.
    ///
    /// Source: Linux, Documentation/scheduler/sched-stats.rst: the first number is that time in nanoseconds. The ticks
    /// of `/proc/<pid>/stat` are too coarse for a few hundred requests. Elsewhere `ps` gives hundredths of a second, so
    /// the figure is good for thousands of requests only.
    pub(crate) fn cpu(&self) -> Result<Duration, Problem> {
        if !has_proc() {
            let shown = self.ps("time=")?;
            return cpu_time(&shown).ok_or_else(|| self.subject.blame(format!("ps gave the time {shown}")));
        }
        let tasks = format!("/proc/{}/task", self.pid()?);
        let tasks = std::fs::read_dir(&tasks).map_err(|error| self.subject.blame(error))?;
        let spent = tasks.flatten().filter_map(|task| {
            let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
            text.split_whitespace().next()?.parse::<u64>().ok()
        });
        Ok(Duration::from_nanos(spent.sum()))
    }

    /// Returns its resident memory, in megabytes.
    pub(crate) fn resident(&self) -> Result<f64, Problem> {
        let kibibytes = if has_proc() {
            let path = format!("/proc/{}/status", self.pid()?);
            let status = std::fs::read_to_string(&path).map_err(|error| self.subject.blame(error))?;
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
            line.map(|line| line.trim().trim_end_matches("kB").trim().to_owned())
        } else {
            Some(self.ps("rss=")?)
        };
        let kibibytes = kibibytes.and_then(|kibibytes| kibibytes.parse::<f64>().ok());
        kibibytes.map(|kibibytes| kibibytes * 1_024.0 / 1e6).ok_or_else(|| self.subject.blame("no resident memory"))
    }

    /// Returns what `ps` shows of it in a column.
    fn ps(&self, column: &str) -> Result<String, Problem> {
        let id = self.pid()?.to_string();
        let output = std::process::Command::new("ps").args(["-o", column, "-p", &id]).output();
        let output = output.map_err(|error| self.subject.blame(error))?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Kills it and waits for its end.
    pub(crate) async fn stop(mut self) -> Result<(), Problem> {
        self.child.kill().await.map_err(|error| self.subject.blame(error))
    }
}

/// Returns whether this system shows its processes below `/proc`, as Linux does and macOS does not.
fn has_proc() -> bool {
    std::path::Path::new("/proc/self/task").exists()
}

/// Reads a processor time of `ps`, such as `1:02.50` or `2-01:02:03`. Returns `None` for anything else.
fn cpu_time(shown: &str) -> Option<Duration> {
    let (days, clock) = shown.trim().split_once('-').unwrap_or(("0", shown.trim()));
    let days = days.parse::<f64>().ok()?;
    let seconds = clock.split(':').try_fold(0.0, |sum, part| Some(sum * 60.0 + part.parse::<f64>().ok()?))?;
    Duration::try_from_secs_f64(days * 86_400.0 + seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_ps_is_read_as_linux_and_macos_write_it() {
        for (shown, millis) in
            [("0:00.05", 50), (" 1:02.50\n", 62_500), ("01:02:03", 3_723_000), ("2-01:02:03", 176_523_000)]
        {
            assert_eq!(cpu_time(shown), Some(Duration::from_millis(millis)), "{shown}");
        }
        for shown in ["", "x", "1:y", "-1:00"] {
            assert_eq!(cpu_time(shown), None, "{shown}");
        }
    }
}
