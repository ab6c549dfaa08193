//! The form of each kind of text: its parts and their length.

use crate::files::Kind;

/// The form of a kind of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// The prompt's words for the text.
    pub noun: &'static str,
    /// The prompt's word for its parts.
    pub part: &'static str,
    /// Number of parts that the prompt asks for. Further parts in an answer are cut off.
    pub parts: usize,
    /// Fewest parts that an outline must have.
    pub parts_min: usize,
    /// Number of words that the prompt asks for in each part.
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
            Kind::Image | Kind::Video | Kind::Document | Kind::Audio => None,
        }
    }
}
