//! How long texts are, by kind: data.

use crate::files::Kind;

/// How a kind of text is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// What a model is told it writes.
    pub noun: &'static str,
    /// What its parts are called.
    pub part: &'static str,
    /// Parts that are asked for, and the most that are taken.
    pub parts: usize,
    /// Parts without which a plan is none.
    pub parts_min: usize,
    /// Words that are asked for in each part.
    pub words: u32,
}

/// A book: some 18,000 words, in thirteen calls.
const BOOK: Form = Form { noun: "a non-fiction book", part: "chapter", parts: 12, parts_min: 6, words: 1_500 };
/// An article: some 1,400 words, in five calls.
const ARTICLE: Form = Form { noun: "an article for a blog", part: "section", parts: 4, parts_min: 2, words: 350 };

impl Form {
    /// Gives the form of a kind; `None` for what is no text.
    pub const fn of(kind: Kind) -> Option<Self> {
        match kind {
            Kind::Book => Some(BOOK),
            Kind::Blog => Some(ARTICLE),
            Kind::Image | Kind::Video => None,
        }
    }
}
