//! The path and query for an upstream. They stay below the upstream's base path, whatever the caller sends.

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::Upstream;
use crate::Fault;

/// Characters to escape in a path segment. Source: RFC 3986, section 3.3, `pchar`. The semicolon is escaped too: some
/// servers understand the text after it as parameters, others as part of the name.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

/// Characters to escape in a query that was sent with them: those which a query must not contain and HTTP clients refuse
/// to send. Escapes stay as they are. Source: RFC 3986, section 3.4.
const QUERY: &AsciiSet =
    &CONTROLS.add(b'"').add(b'<').add(b'>').add(b'\\').add(b'^').add(b'`').add(b'{').add(b'|').add(b'}');

/// Returns the path and query with which an upstream is called. `rest` is the decoded path after the service's name,
/// and `query` is the query as sent. The result does not contain the key.
///
/// # Errors
/// `INVALID_REQUEST` naming `path` if it is empty, ambiguous or contains the key, or `query` if it has unescaped
/// characters.
pub fn target(upstream: &Upstream, rest: &str, query: &str, key: &str) -> Result<String, Fault> {
    if rest.is_empty() || rest.contains(key) {
        return Err(bad_path());
    }
    let mut path = upstream.base.clone();
    let segments: Vec<&str> = rest.split('/').collect();
    for (at, segment) in segments.iter().enumerate() {
        let last = at > 0 && at + 1 == segments.len();
        let ends_in_slash = segment.is_empty() && last;
        if !ends_in_slash && !is_plain(segment) {
            return Err(bad_path());
        }
        path.push('/');
        path.extend(utf8_percent_encode(segment, SEGMENT));
    }
    let query = without_key(query, key)?;
    Ok(if query.is_empty() { path } else { format!("{path}?{query}") })
}

/// Returns whether a segment is unambiguous. API Gateway has decoded the path once. An escape that is left was escaped
/// twice, and the upstream might decode it to a slash or a dot.
fn is_plain(segment: &str) -> bool {
    let name = segment.split(';').next().unwrap_or_default();
    let ambiguous = |c: char| c.is_control() || matches!(c, '%' | '\\' | '?' | '#');
    !name.is_empty() && name != "." && name != ".." && !segment.contains(ambiguous)
}

/// Removes the parameters of a query that contain the key, however often it is escaped.
fn without_key(query: &str, key: &str) -> Result<String, Fault> {
    if !query.bytes().all(|b| b.is_ascii_graphic() && b != b'#') {
        return Err(Fault::field("query", "query must have only ASCII characters; percent-encode all others"));
    }
    let holds = |pair: &&str| {
        let mut text = pair.replace('+', " ");
        loop {
            let decoded = percent_decode_str(&text).decode_utf8_lossy().into_owned();
            if decoded.contains(key) || decoded == text {
                return decoded.contains(key);
            }
            // Some servers decode twice.
            text = decoded;
        }
    };
    let kept: Vec<&str> = query.split('&').filter(|pair| !holds(pair)).collect();
    Ok(utf8_percent_encode(&kept.join("&"), QUERY).to_string())
}

fn bad_path() -> Fault {
    Fault::field("path", "path must not have empty, `.` or `..` segments, double escapes, or any of \\ ? #")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: &str = "sk_live_x7Qa";

    fn at(base: &str) -> Upstream {
        Upstream { origin: "https://a.example".to_owned(), base: base.to_owned() }
    }

    fn called(rest: &str, query: &str) -> Option<String> {
        target(&at("/v1/pdf"), rest, query, KEY).ok()
    }

    #[test]
    fn a_path_is_forwarded_below_the_base() {
        for (rest, query, want) in [
            ("render", "", "/v1/pdf/render"),
            ("render/", "", "/v1/pdf/render/"),
            ("a/b.c/d", "x=1&y=%20&z", "/v1/pdf/a/b.c/d?x=1&y=%20&z"),
            ("été/a b", "", "/v1/pdf/%C3%A9t%C3%A9/a%20b"),
            ("...", "", "/v1/pdf/..."),
            ("a..b/.well-known", "", "/v1/pdf/a..b/.well-known"),
            ("a;b=c/d:e@f", "", "/v1/pdf/a%3Bb=c/d:e@f"),
            ("a\"<>[]^`{|}", "", "/v1/pdf/a%22%3C%3E%5B%5D%5E%60%7B%7C%7D"),
        ] {
            assert_eq!(called(rest, query).as_deref(), Some(want), "{rest}?{query}");
        }
        assert_eq!(target(&at(""), "render", "", KEY).unwrap(), "/render");
    }

    #[test]
    fn ambiguous_paths_and_paths_out_of_the_base_are_refused() {
        for rest in [
            "",
            "/",
            "/x",
            "//x",
            "a//b",
            "a//",
            ".",
            "..",
            "../x",
            "a/../../x",
            "a/..",
            "a/.",
            "./a",
            "..;/x",
            "a/..;x=1/b",
            ".;/x",
            ";/x",
            "..\\x",
            "a\\..\\b",
            "%2e%2e/x",
            "a%2f..%2fb",
            "%252e",
            "a%",
            "a?b",
            "a#b",
            "a\0b",
            "a\r\nb",
            "a\u{7f}b",
            "a\u{85}b",
            "http://b.example/x",
            "https:", // a colon is allowed in a name
            "x/sk_live_x7Qa",
            "sk_live_x7Qa",
        ] {
            assert_eq!(called(rest, "").is_some(), rest == "https:", "{rest:?}");
        }
    }

    #[test]
    fn the_key_is_removed_from_the_query_in_any_escaping() {
        for (query, want) in [
            ("key=sk_live_x7Qa&a=1", "?a=1"),
            ("a=1&sk_live_x7Qa", "?a=1"),
            ("a=1&k=%73k_live%5Fx7Qa&b=2", "?a=1&b=2"),
            ("a=1&k=%2573k_live%25255Fx7Qa", "?a=1"),
            ("k=xsk_live_x7Qax", ""),
            ("a=1&&b=2", "?a=1&&b=2"),
        ] {
            assert_eq!(called("x", query), Some(format!("/v1/pdf/x{want}")), "{query}");
        }
        for (query, want) in [
            ("a=<b>&c=\"d\"", "?a=%3Cb%3E&c=%22d%22"),
            ("q={\"a\":[1]}", "?q=%7B%22a%22:[1]%7D"),
            ("a=\\^`|", "?a=%5C%5E%60%7C"),
            ("a=%3C%zz%", "?a=%3C%zz%"),
            ("a=!$'()*+,/:;=?@[]~", "?a=!$'()*+,/:;=?@[]~"),
            ("<k>=sk_live_x7Qa&<a>", "?%3Ca%3E"),
        ] {
            assert_eq!(called("x", query), Some(format!("/v1/pdf/x{want}")), "{query}");
        }
        for query in ["a=é", "a b", "a#b", "a\nb"] {
            assert_eq!(called("x", query), None, "{query:?}");
        }
    }

    proptest! {
        #[test]
        fn every_accepted_query_can_be_sent(query in "[!-~][ -~]{0,40}") {
            let target = called("x", &query);
            prop_assert_eq!(target.is_some(), !query.contains([' ', '#']));
            if let Some(target) = target {
                let unfit = |c: char| "\"<>\\^`{|}".contains(c) || !c.is_ascii_graphic();
                prop_assert!(!target.contains(unfit));
                let sent = target.strip_prefix("/v1/pdf/x").unwrap().trim_start_matches('?');
                let decode = |text: &str| percent_decode_str(text).collect::<Vec<u8>>();
                prop_assert_eq!(decode(sent), decode(query.trim_start_matches('?')));
            }
        }

        #[test]
        fn every_target_stays_below_the_base_however_it_is_resolved(rest in "[a./;%\\\\?#: é\u{0}-]{0,12}") {
            if let Some(path) = called(&rest, "") {
                let mut depth = 0_i32;
                for segment in path.trim_start_matches("/v1/pdf/").split('/') {
                    let decoded = percent_decode_str(segment).decode_utf8_lossy().into_owned();
                    let name = decoded.split(';').next().unwrap_or_default();
                    prop_assert!(!matches!(name, "." | "..") && !decoded.contains(['/', '\\', '%']));
                    depth += 1;
                }
                prop_assert!(path.starts_with("/v1/pdf/") && depth > 0 && path.is_ascii());
                prop_assert!(!path.contains("//"));
            }
        }
    }
}
