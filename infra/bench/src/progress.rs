//! What the bench is at, and how long each part took.

use std::time::{Duration, Instant};

use clap::ValueEnum as _;

use crate::{Part, say};

/// The parts of a run so far.
#[derive(Debug)]
pub(crate) struct Progress {
    began: Instant,
    /// Number of parts of the run.
    all: usize,
    parts: Vec<(String, Instant)>,
}

impl Progress {
    /// Begins a run of this many parts.
    pub(crate) fn over(all: usize) -> Self {
        Self { began: Instant::now(), all, parts: Vec::new() }
    }

    /// Prints that a part begins. Always returns true, so that it can stand in the condition of the part.
    pub(crate) fn begin(&mut self, part: Part) -> bool {
        let name = part.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        let so_far = shown(self.began.elapsed());
        say(&format!("\nPart {} of {}, after {so_far}: {name}", self.parts.len() + 1, self.all));
        self.parts.push((name, Instant::now()));
        true
    }

    /// Returns a line with the time of each part.
    pub(crate) fn end(&self) -> String {
        let now = Instant::now();
        let ends = self.parts.iter().skip(1).map(|(_, began)| *began).chain([now]);
        let parts: Vec<String> = self
            .parts
            .iter()
            .zip(ends)
            .map(|((name, began), ended)| format!("{name} {}", shown(ended.duration_since(*began))))
            .collect();
        format!("\nThe run took {}: {}.", shown(now.duration_since(self.began)), parts.join(", "))
    }
}

/// Writes a time such as `3 min 5 s`.
fn shown(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds / 60 {
        0 => format!("{seconds} s"),
        minutes => format!("{minutes} min {} s", seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_names_every_part_with_its_time() {
        let began = Instant::now().checked_sub(Duration::from_secs(200)).unwrap();
        let at = |seconds| began + Duration::from_secs(seconds);
        let parts = vec![("starts".to_owned(), at(10)), ("warm".to_owned(), at(135))];
        let end = Progress { began, all: 2, parts }.end();
        assert!(end.starts_with("\nThe run took 3 min 20 s: starts 2 min 5 s, warm 1 min 5 s."), "{end}");
        assert_eq!(shown(Duration::from_millis(59_900)), "59 s");
    }
}
