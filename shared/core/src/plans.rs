//! Subscription plans and what each allows. All figures are in this file.

use crate::files::Kind;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;

/// A subscription plan. The order, cheapest first, decides what "at least pro" means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)] // The table below documents each.
pub enum Plan {
    Free,
    Basic,
    Pro,
    Premium,
    Enterprise,
}

/// What a plan allows.
#[derive(Debug)]
pub struct Allowances {
    /// Name in session tokens and answers.
    pub name: &'static str,
    /// Storage of a user, in bytes, including reserved bytes.
    pub storage: u64,
    /// Largest image, in bytes.
    pub image: u64,
    /// Largest video, in bytes.
    pub video: u64,
    /// Largest text file (book or blog), document or sound file, in bytes.
    pub text: u64,
    /// Text jobs in a calendar month (UTC).
    pub text_generations: u32,
    /// Image jobs in a calendar month (UTC).
    pub image_generations: u32,
    /// Video jobs in a calendar month (UTC).
    pub video_generations: u32,
    /// Reads in a minute. Counted by each environment of a function for itself, so approximate.
    pub reads_per_minute: u32,
    /// Writes in a window of one minute.
    pub writes_per_minute: u32,
    /// Grants to upload in a day (UTC).
    pub grants_per_day: u32,
    /// Jobs requested in a window of one minute.
    pub jobs_per_minute: u32,
    /// Cancelled jobs that give their allowance back in a day (UTC). A later one only ends the job.
    pub refunded_cancellations_per_day: u32,
    /// Organisations founded, in all, that still exist.
    pub organisations: u32,
    /// Whether the installation's watermark, if it has one, is laid on thumbnails and copies for display.
    pub watermark: bool,
    /// Features that the plan includes.
    pub features: &'static [&'static str],
}

/// Name of the feature for blog jobs.
pub const BLOG: &str = "blog-generation";
/// Name of the feature for image jobs.
pub const IMAGE: &str = "image-generation";
/// Name of the feature for book jobs.
pub const BOOK: &str = "book-generation";
/// Name of the feature for video jobs.
pub const VIDEO: &str = "video-generation";
const PRIORITY: &str = "priority";

static FREE: Allowances = Allowances {
    name: "free",
    storage: GIB,
    image: 10 * MIB,
    video: 100 * MIB,
    text: 20 * MIB,
    text_generations: 5,
    image_generations: 10,
    video_generations: 0,
    reads_per_minute: 120,
    writes_per_minute: 60,
    grants_per_day: 2_000,
    jobs_per_minute: 10,
    refunded_cancellations_per_day: 20,
    organisations: 3,
    watermark: true,
    features: &[BLOG],
};

static BASIC: Allowances = Allowances {
    name: "basic",
    storage: 10 * GIB,
    image: 20 * MIB,
    video: 500 * MIB,
    text: 50 * MIB,
    text_generations: 30,
    image_generations: 100,
    video_generations: 5,
    reads_per_minute: 300,
    writes_per_minute: 120,
    grants_per_day: 5_000,
    jobs_per_minute: 20,
    refunded_cancellations_per_day: 20,
    organisations: 5,
    watermark: false,
    features: &[BLOG, IMAGE],
};

static PRO: Allowances = Allowances {
    name: "pro",
    storage: 100 * GIB,
    image: 50 * MIB,
    video: 2 * GIB,
    text: 100 * MIB,
    text_generations: 200,
    image_generations: 1_000,
    video_generations: 50,
    reads_per_minute: 1_200,
    writes_per_minute: 600,
    grants_per_day: 50_000,
    jobs_per_minute: 60,
    refunded_cancellations_per_day: 200,
    organisations: 20,
    watermark: false,
    features: &[BLOG, IMAGE, BOOK, VIDEO],
};

static PREMIUM: Allowances = Allowances {
    name: "premium",
    storage: TIB,
    image: 100 * MIB,
    video: 5 * GIB,
    text: 200 * MIB,
    text_generations: 1_000,
    image_generations: 5_000,
    video_generations: 250,
    reads_per_minute: 2_400,
    writes_per_minute: 1_200,
    grants_per_day: 100_000,
    jobs_per_minute: 120,
    refunded_cancellations_per_day: 200,
    organisations: 50,
    watermark: false,
    features: &[BLOG, IMAGE, BOOK, VIDEO, PRIORITY],
};

static ENTERPRISE: Allowances = Allowances {
    name: "enterprise",
    storage: 10 * TIB,
    image: 200 * MIB,
    video: 5 * GIB,
    text: 500 * MIB,
    text_generations: 10_000,
    image_generations: 50_000,
    video_generations: 2_500,
    reads_per_minute: 60_000,
    writes_per_minute: 60_000,
    grants_per_day: 1_000_000,
    jobs_per_minute: 600,
    refunded_cancellations_per_day: 2_000,
    organisations: 200,
    watermark: false,
    features: &[BLOG, IMAGE, BOOK, VIDEO, PRIORITY],
};

impl Plan {
    /// Every plan, cheapest first.
    pub const ALL: [Self; 5] = [Self::Free, Self::Basic, Self::Pro, Self::Premium, Self::Enterprise];

    /// Finds a plan by its name. An unknown name is the free plan, so that a typo in a dashboard never allows more.
    pub fn from_name(name: &str) -> Self {
        Self::find(name).unwrap_or(Self::Free)
    }

    /// Finds a plan by its name, or returns `None` if there is no such plan.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|plan| plan.allowances().name == name)
    }

    /// Returns the plan's name.
    pub fn name(self) -> &'static str {
        self.allowances().name
    }

    /// Returns what the plan allows.
    pub fn allowances(self) -> &'static Allowances {
        match self {
            Self::Free => &FREE,
            Self::Basic => &BASIC,
            Self::Pro => &PRO,
            Self::Premium => &PREMIUM,
            Self::Enterprise => &ENTERPRISE,
        }
    }

    /// Returns how many jobs of a kind are accepted in a calendar month (UTC). Books and articles share one allowance.
    pub fn generations(self, kind: Kind) -> u32 {
        let allowances = self.allowances();
        match kind {
            Kind::Image => allowances.image_generations,
            Kind::Video => allowances.video_generations,
            Kind::Book | Kind::Blog => allowances.text_generations,
            // Nobody generates these.
            Kind::Document | Kind::Audio => 0,
        }
    }

    /// Returns the largest file of a kind, in bytes.
    pub fn largest(self, kind: Kind) -> u64 {
        let allowances = self.allowances();
        match kind {
            Kind::Image => allowances.image,
            Kind::Video => allowances.video,
            Kind::Book | Kind::Blog | Kind::Document | Kind::Audio => allowances.text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_plan_gives_at_least_what_the_cheaper_one_gives() {
        for pair in Plan::ALL.windows(2) {
            let (less, more) = (pair[0].allowances(), pair[1].allowances());
            assert!(pair[0] < pair[1]);
            assert!(less.storage < more.storage && less.writes_per_minute < more.writes_per_minute);
            assert!(less.reads_per_minute < more.reads_per_minute && less.grants_per_day < more.grants_per_day);
            assert!(less.jobs_per_minute < more.jobs_per_minute && less.organisations < more.organisations);
            assert!(less.refunded_cancellations_per_day <= more.refunded_cancellations_per_day);
            assert!(less.image < more.image && less.video <= more.video && less.text < more.text);
            assert!(less.features.iter().all(|feature| more.features.contains(feature)));
        }
    }

    #[test]
    fn names_read_back_and_unknown_means_free() {
        for plan in Plan::ALL {
            assert_eq!(Plan::from_name(plan.name()), plan);
        }
        for unknown in ["", "PRO", "gold", "pro "] {
            assert_eq!(Plan::from_name(unknown), Plan::Free);
        }
    }
}
