//! How far a migration has come: a bar at a terminal, and elsewhere a line every ten seconds.

use std::io::{IsTerminal as _, Write as _, stderr};
use std::time::{Duration, Instant};

use consigne_core::files::in_words;

/// Characters of the bar.
const WIDTH: u64 = 30;
/// Time between two drawings of the bar.
const AT_A_TERMINAL: Duration = Duration::from_millis(200);
/// Time between two lines where nobody watches.
const ELSEWHERE: Duration = Duration::from_secs(10);

/// Counts files and bytes, and shows them.
#[derive(Debug)]
pub(super) struct Progress {
    files: u64,
    bytes: u64,
    done: (u64, u64),
    began: Instant,
    shown: Option<Instant>,
    is_terminal: bool,
}

impl Progress {
    /// Begins with the number of files to do, and their bytes.
    pub(super) fn of(files: u64, bytes: u64) -> Self {
        let is_terminal = stderr().is_terminal();
        Self { files, bytes, done: (0, 0), began: Instant::now(), shown: None, is_terminal }
    }

    /// Counts a file.
    pub(super) fn add(&mut self, bytes: u64) {
        self.done = (self.done.0 + 1, self.done.1 + bytes);
        let wait = if self.is_terminal { AT_A_TERMINAL } else { ELSEWHERE };
        let last = self.shown.unwrap_or(self.began);
        if last.elapsed() >= wait || (self.is_terminal && self.done.0 == self.files) {
            self.shown = Some(Instant::now());
            let (start, end) = if self.is_terminal { ("\r", "") } else { ("", "\n") };
            // Nobody needs the bar.
            let _ = write!(stderr(), "{start}{}{end}", self.line()).and_then(|()| stderr().flush());
        }
    }

    /// Leaves the bar's line, so that what follows stands on its own.
    pub(super) fn finish(&self) {
        if self.is_terminal && self.shown.is_some() {
            let _ = writeln!(stderr());
        }
    }

    fn line(&self) -> String {
        let filled = self.done.1.saturating_mul(WIDTH).checked_div(self.bytes).unwrap_or(WIDTH).min(WIDTH);
        let bar: String = (0..WIDTH).map(|at| if at < filled { '#' } else { '.' }).collect();
        let seconds = self.began.elapsed().as_secs().max(1);
        let (done, bytes, speed) = (self.done.0, in_words(self.done.1), in_words(self.done.1 / seconds));
        format!("[{bar}] {done} of {} files, {bytes} of {}, {speed}/s ", self.files, in_words(self.bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_full_as_the_bytes_are_there() {
        let mut progress = Progress::of(4, 4_000);
        progress.done = (1, 2_000);
        assert!(progress.line().starts_with("[###############...............] 1 of 4 files"), "{}", progress.line());
        assert!(Progress::of(0, 0).line().starts_with("[##############################] 0 of 0 files"));
    }
}
