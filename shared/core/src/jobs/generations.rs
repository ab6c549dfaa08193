//! Counts of the jobs that a person has requested in a month.

use crate::files::Kind;

/// Jobs of a month by allowance, without those whose unit was given back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Generations {
    /// Image jobs.
    pub image: u32,
    /// Video jobs.
    pub video: u32,
    /// Books and articles, which share one allowance.
    pub text: u32,
}

impl Generations {
    /// Returns how many units of the allowance of a kind are used.
    pub const fn of(&self, kind: Kind) -> u32 {
        match kind {
            Kind::Image => self.image,
            Kind::Video => self.video,
            Kind::Book | Kind::Blog => self.text,
            // Nobody generates these.
            Kind::Document | Kind::Audio => 0,
        }
    }
}
