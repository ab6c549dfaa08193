//! Reads the few elements that a command needs from an answer in XML.

use std::collections::HashMap;

use aws_smithy_xml::decode::{Document, ScopedDecoder, XmlDecodeError, try_data};

/// The values of an element's leaves, by the leaf's name. A leaf that is repeated has several.
pub(crate) type Row = HashMap<String, Vec<String>>;

/// Returns a row for each element named `group`, wherever it is, with the leaves below it that are not in a further
/// `group`. Returns what was read until then if the document is malformed.
pub(crate) fn rows(text: &str, group: &str, leaves: &[&str]) -> Vec<Row> {
    let mut found = Vec::new();
    let mut document = Document::new(text);
    if let Ok(mut root) = document.root_element() {
        // A document that breaks off ends the reading. What is missing then is reported as missing.
        let _ = descend(&mut root, group, leaves, None, &mut found);
    }
    found
}

/// Returns the first value of a leaf, wherever it is.
pub(crate) fn first(text: &str, leaf: &str) -> Option<String> {
    let mut document = Document::new(text);
    let mut root = document.root_element().ok()?;
    let mut found = vec![Row::new()];
    let _ = descend(&mut root, "", &[leaf], Some(0), &mut found);
    found.first()?.get(leaf)?.first().cloned()
}

/// Returns the first value of a leaf in a row; empty if it has none.
pub(crate) fn value<'a>(row: &'a Row, leaf: &str) -> &'a str {
    row.get(leaf).and_then(|values| values.first()).map_or("", String::as_str)
}

fn descend(
    element: &mut ScopedDecoder<'_, '_>,
    group: &str,
    leaves: &[&str],
    row: Option<usize>,
    found: &mut Vec<Row>,
) -> Result<(), XmlDecodeError> {
    while let Some(mut child) = element.next_tag() {
        let name = child.start_el().local().to_owned();
        if name == group {
            found.push(Row::new());
            let own = Some(found.len() - 1);
            descend(&mut child, group, leaves, own, found)?;
        } else if leaves.contains(&name.as_str()) {
            let value = try_data(&mut child)?.into_owned();
            if let Some(row) = row.and_then(|at| found.get_mut(at)) {
                row.entry(name).or_default().push(value);
            }
        } else {
            descend(&mut child, group, leaves, row, found)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_hold_their_own_leaves_with_escapes_and_repetitions() {
        let text = r#"<?xml version="1.0"?><R xmlns="http://x/"><L><member><Name>a&amp;b</Name><In><To>1</To><To>2</To></In>
            <Below><member><Name>c</Name></member></Below><State>on</State></member></L><Name>outside</Name></R>"#;
        let found = rows(text, "member", &["Name", "To", "State"]);
        assert_eq!(found.len(), 2);
        assert_eq!((value(&found[0], "Name"), value(&found[0], "State"), value(&found[1], "Name")), ("a&b", "on", "c"));
        assert_eq!(found[0]["To"], ["1", "2"]);
        assert_eq!(value(&found[1], "State"), "");
        assert_eq!(first(text, "To").as_deref(), Some("1"));
        assert_eq!(first("no XML", "To"), None);
    }
}
