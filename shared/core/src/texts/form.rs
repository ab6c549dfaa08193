//! The form of each kind of text: its parts and their length.

use crate::files::Kind;

/// The form of a kind of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// What the prompt calls it.
    pub noun: &'static str,
    /// What the prompt calls its parts.
    pub part: &'static str,
    /// Number of parts to ask for, and the most that are accepted.
    pub parts: usize,
    /// Fewest parts of an acceptable outline.
    pub parts_min: usize,
    /// Words to ask for in each part.
    pub words: u32,
}

/// A book: about 18,000 words, in thirteen calls.
const BOOK: Form = Form { noun: "a non-fiction book", part: "chapter", parts: 12, parts_min: 6, words: 1_500 };
/// An article: about 1,400 words, in five calls.
const ARTICLE: Form = Form { noun: "an article for a blog", part: "section", parts: 4, parts_min: 2, words: 350 };

impl Form {
    /// Returns the form of a kind of file, or `None` if it is not a text.
    pub const fn of(kind: Kind) -> Option<Self> {
        match kind {
            Kind::Book => Some(BOOK),
            Kind::Blog => Some(ARTICLE),
            Kind::Image | Kind::Video => None,
        }
    }
}
