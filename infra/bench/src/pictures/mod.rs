//! Pictures of the committed figures, as SVG. The same table gives the same bytes.

mod lists;
mod peers;
mod svg;

use crate::table::Row;

/// A picture: its path below the checkout, what it shows in words, and how it is drawn.
pub(crate) struct Picture {
    /// Path below the checkout.
    pub(crate) path: &'static str,
    /// What it shows, for those who do not see it.
    pub(crate) alt: &'static str,
    draw: fn(&[Row]) -> Option<String>,
}

/// Start and memory beside other languages.
pub(crate) const PEERS: Picture =
    Picture { path: "docs/pictures/bench-peers.svg", alt: peers::ALT, draw: peers::drawn };
/// The time of a page by the length of its list.
pub(crate) const LISTS: Picture =
    Picture { path: "docs/pictures/bench-lists.svg", alt: lists::ALT, draw: lists::drawn };
/// All pictures.
pub(crate) const ALL: [Picture; 2] = [PEERS, LISTS];

impl Picture {
    /// Draws the picture. Returns `None` if the table does not have its figures.
    pub(crate) fn drawn(&self, rows: &[Row]) -> Option<String> {
        (self.draw)(rows)
    }
}
