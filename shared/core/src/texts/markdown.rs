//! Markdown, as models write it and as it is stored.
//!
//! A text has one heading of the first level, its title, and one of the second level for each chapter. The model's own
//! headings get the third level or a lower one. Outside code, `<` is escaped where it would open an HTML element. This
//! avoids accidental HTML. It is not a sanitizer: code that renders the Markdown must still sanitize it, as with a file
//! that a person uploads.

use super::Outline;

/// Longest stored chapter, in bytes. With its keys it must fit into an item of 400 kB.
const CHAPTER_MAX: usize = 96 * 1024;
/// Fewest words of a chapter. A refusal, a question or an answer that breaks off at once has fewer.
const WORDS_MIN: usize = 40;
/// Longest file name without its extension, in bytes.
const NAME_MAX: usize = 200;

/// Converts a line to the text of a heading.
pub(super) fn heading(line: &str) -> String {
    let line = line.trim_start_matches(|c: char| c == '#' || c.is_whitespace()).trim_end();
    // Closing hashes come after a space. The hash of `C#` does not.
    let open = line.trim_end_matches('#');
    let closes = open.is_empty() || open.ends_with(char::is_whitespace);
    if closes { open.trim_end() } else { line }.to_owned()
}

/// Counts words. In scripts without spaces, every character counts as a word.
pub(super) fn words(text: &str) -> usize {
    let of_run = |run: &str| {
        let unspaced = run.chars().filter(|c| is_unspaced(*c)).count();
        unspaced + usize::from(run.contains(|c: char| c.is_alphanumeric() && !is_unspaced(c)))
    };
    text.split_whitespace().map(of_run).sum()
}

/// Returns whether a letter is of a script without spaces: Thai, Lao, Tibetan, Burmese, Khmer, kana or Han.
fn is_unspaced(c: char) -> bool {
    c.is_alphanumeric()
        && matches!(c, '\u{e00}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{3040}'..='\u{30ff}'
            | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// Converts a model's answer to a chapter.
///
/// # Errors
/// Why the answer is not a chapter, for the log.
pub(super) fn chapter(reply: &str) -> Result<String, &'static str> {
    let text = reply.replace("\r\n", "\n");
    let kept = |c: &char| *c == '\n' || *c == '\t' || !crate::text::is_unfit(*c);
    let text: String = text.chars().filter(kept).collect();
    let text = untitled(unfenced(text.trim()));
    let text = tidied(text);
    if words(&text) < WORDS_MIN {
        return Err("the chapter has too few words");
    }
    if text.len() > CHAPTER_MAX {
        return Err("the chapter is too long");
    }
    Ok(text)
}

/// Removes a code fence around the whole answer.
fn unfenced(text: &str) -> &str {
    let inner = ["```markdown\n", "```md\n"].into_iter().find_map(|fence| text.strip_prefix(fence));
    inner.and_then(|inner| inner.strip_suffix("\n```")).unwrap_or(text).trim()
}

/// Removes the chapter's title from the start, where models like to repeat it.
fn untitled(text: &str) -> &str {
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    if level_of(first).is_some() { rest.trim_start() } else { text }
}

/// Returns the level of a heading: the number of hashes, one to six, before a space.
fn level_of(line: &str) -> Option<usize> {
    let level = line.bytes().take_while(|b| *b == b'#').count();
    ((1..=6).contains(&level) && line[level..].starts_with(' ')).then_some(level)
}

/// Lowers headings to the third level, escapes HTML, and closes a code fence that was left open.
fn tidied(text: &str) -> String {
    let (mut lines, mut fence) = (Vec::new(), None);
    for line in text.lines() {
        let line = line.trim_end();
        let ticks = line.bytes().take_while(|b| *b == b'`').count();
        let alone = ticks >= 3 && !line[ticks..].contains('`');
        match fence {
            Some(open) => {
                lines.push(line.to_owned());
                if alone && ticks >= open && line.len() == ticks {
                    fence = None;
                }
            }
            None if alone => {
                lines.push(line.to_owned());
                fence = Some(ticks);
            }
            None => lines.push(plain(line)),
        }
    }
    lines.extend(fence.map(|ticks| "`".repeat(ticks)));
    lines.join("\n").trim().to_owned()
}

/// Tidies a line outside code.
fn plain(line: &str) -> String {
    let line = inline(line);
    let bare = line.trim();
    if let Some(level) = level_of(bare) {
        return format!("{} {}", "#".repeat(level.max(3)), heading(&bare[level..]));
    }
    // Below a line of text these would turn it into a heading of the first or second level.
    if !bare.is_empty() && bare.bytes().all(|b| b == b'=') {
        return String::new();
    }
    if !bare.is_empty() && bare.bytes().all(|b| b == b'-') {
        return "* * *".to_owned();
    }
    // Escape the other form of a code fence, which `tidied` does not track.
    if bare.starts_with("~~~") { format!("\\{bare}") } else { line }
}

/// Escapes `<` where it would open an HTML element.
fn inline(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line.chars().peekable();
    while let Some(c) = rest.next() {
        let opens = rest.peek().is_some_and(|next| next.is_ascii_alphabetic() || matches!(next, '/' | '!' | '?'));
        if c == '<' && opens { out.push_str("&lt;") } else { out.push(c) }
    }
    out
}

/// Joins the chapters, in order, under the titles of the outline.
pub fn assembled(outline: &Outline, chapters: &[String]) -> String {
    let mut text = format!("# {}\n", inline(&outline.title));
    for (heading, chapter) in outline.chapters.iter().zip(chapters) {
        text.push_str("\n## ");
        text.push_str(&inline(&heading.title));
        text.push_str("\n\n");
        text.push_str(chapter);
        text.push('\n');
    }
    text
}

/// Returns the file name for a text with this title.
pub fn file_name(title: &str) -> String {
    let mut name = title.replace(['/', '\\'], "-");
    while name.len() > NAME_MAX {
        name.pop();
    }
    format!("{}.md", name.trim_end())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::files::FileName;
    use crate::texts::Heading;

    fn with_words(text: &str) -> String {
        format!("{text}\n\n{}", "mot ".repeat(WORDS_MIN))
    }

    fn shown(text: &str) -> String {
        let chapter = chapter(&with_words(text)).unwrap();
        chapter.strip_suffix("mot ".repeat(WORDS_MIN).trim_end()).unwrap().trim_end().to_owned()
    }

    #[test]
    fn words_are_counted_in_scripts_without_spaces_too() {
        for (text, count) in [
            ("Two words", 2),
            ("- # 1. it's", 2),
            ("灯台は夜を照らす", 8),
            ("灯台は Fresnel を使う。", 7),
            ("ประภาคาร", 8),
            ("", 0),
        ] {
            assert_eq!(words(text), count, "{text}");
        }
    }

    #[test]
    fn a_heading_loses_markdown_hashes_and_keeps_its_own() {
        for (line, want) in
            [("## Why F#", "Why F#"), ("# Closed ##", "Closed"), ("###", ""), (" C# ", "C#"), ("# a #b", "a #b")]
        {
            assert_eq!(heading(line), want, "{line}");
        }
    }

    #[test]
    fn headings_stay_below_the_chapters_own() {
        assert_eq!(
            shown("# La lampe\n\nElle brûle.\n\n# Un\n## Deux ##\n#### Quatre"),
            "Elle brûle.\n\n### Un\n### Deux\n#### Quatre"
        );
        assert_eq!(shown("Un\n===\nDeux\n---\n#sans"), "Un\n\nDeux\n* * *\n#sans");
    }

    #[test]
    fn html_is_escaped_outside_code() {
        assert_eq!(shown("a <script>x</script> <!-- b --> 1 < 2"), "a &lt;script>x&lt;/script> &lt;!-- b --> 1 < 2");
        assert_eq!(shown("a\n```rust\nVec<u8> # b\n```\nVec<u8>"), "a\n```rust\nVec<u8> # b\n```\nVec&lt;u8>");
        assert_eq!(shown("a\n~~~\n<b>"), "a\n\\~~~\n&lt;b>");
    }

    #[test]
    fn an_open_code_fence_is_closed_at_the_end_of_the_chapter() {
        let text = format!("{}\n\n````\nx\n```", with_words("a"));
        assert!(chapter(&text).unwrap().ends_with("\n````\nx\n```\n````"));
        assert_eq!(
            chapter(&format!("```markdown\n{}\n```", with_words("# Titre"))).unwrap(),
            "mot ".repeat(WORDS_MIN).trim_end()
        );
    }

    #[test]
    fn too_short_and_too_long_answers_are_refused() {
        assert_eq!(chapter("I'm sorry, I cannot write that."), Err("the chapter has too few words"));
        assert_eq!(chapter(&"- ".repeat(100)), Err("the chapter has too few words"));
        assert_eq!(chapter(&"mot ".repeat(CHAPTER_MAX / 4 + 1)), Err("the chapter is too long"));
    }

    #[test]
    fn a_text_is_its_title_and_its_chapters() {
        let heading = |title: &str| Heading { title: title.to_owned(), about: String::new() };
        let outline =
            Outline { title: "Le <b>phare".to_owned(), chapters: vec![heading("La lampe"), heading("Le gardien")] };
        let text = assembled(&outline, &["Elle brûle.".to_owned(), "Il dort.".to_owned()]);
        assert_eq!(text, "# Le &lt;b>phare\n\n## La lampe\n\nElle brûle.\n\n## Le gardien\n\nIl dort.\n");
    }

    proptest! {
        #[test]
        fn no_answer_leads_to_a_heading_above_the_third_level(lines in proptest::collection::vec(
            prop_oneof!["#{0,7} ?\\PC{0,9}", "[`~=-]{1,5}[a-z]{0,3}", "\\PC{0,20}", "[ \\t\\r#<]{0,5}[/!a-z]{0,3}"], 0..30))
        {
            let Ok(text) = chapter(&with_words(&lines.join("\n"))) else { return Ok(()) };
            let mut open = None;
            for line in text.lines() {
                let ticks = line.bytes().take_while(|b| *b == b'`').count();
                let fence = ticks >= 3 && !line[ticks..].contains('`');
                match open {
                    Some(least) if fence && ticks >= least && line.len() == ticks => open = None,
                    Some(_) => {}
                    None if fence => open = Some(ticks),
                    None => {
                        prop_assert!(level_of(line.trim_start()).is_none_or(|level| level >= 3), "{}", line);
                        prop_assert!(!line.contains("<a") && !line.contains("</") && !line.contains("<!"), "{}", line);
                    }
                }
            }
            prop_assert!(open.is_none() && !text.contains('\r'));
        }

        #[test]
        fn every_title_makes_a_name(title in "\\PC{1,200}") {
            let title = heading(&crate::text::cut(&title, 200));
            if !title.is_empty() {
                prop_assert!(FileName::parse(&file_name(&title)).is_ok(), "{}", title);
            }
        }
    }
}
