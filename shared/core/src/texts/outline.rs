//! The outline of a text, extracted from a model's answer.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Form;
use super::markdown::heading;
use crate::text::cut;

/// Longest title of a text or a chapter, in characters.
const TITLE_MAX: usize = 200;
/// Longest description of a chapter, in characters.
const ABOUT_MAX: usize = 400;

/// The title and the chapters of a text.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Outline {
    /// Title of the text.
    pub title: String,
    /// Its chapters, in order; at least one.
    pub chapters: Vec<Heading>,
}

/// A planned chapter of an outline.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Heading {
    /// Title of the chapter.
    pub title: String,
    /// What it is about; empty if the model gave no description.
    pub about: String,
}

impl Outline {
    /// Parses an outline: one JSON object, possibly with other text or a code fence around it. The requested title
    /// replaces the model's.
    ///
    /// # Errors
    /// Why the answer is not an outline, for the log, without any text of the answer.
    pub fn parse(text: &str, form: Form, requested_title: Option<&str>) -> Result<Self, &'static str> {
        let object = text.find('{').zip(text.rfind('}')).and_then(|(from, to)| text.get(from..=to));
        let plan: Value =
            object.and_then(|json| serde_json::from_str(json).ok()).ok_or("the outline is not a JSON object")?;
        let listed = plan["chapters"].as_array().ok_or("the outline has no list of chapters")?;
        let chapters: Vec<Heading> = listed.iter().filter_map(Heading::read).take(form.parts).collect();
        if chapters.len() < form.parts_min {
            return Err("the outline has too few chapters");
        }
        let titles = [requested_title, plan["title"].as_str()].into_iter().flatten();
        let title = titles.map(|title| heading(&cut(title, TITLE_MAX))).find(|title| !title.is_empty());
        Ok(Self { title: title.ok_or("the outline has no title")?, chapters })
    }
}

impl Heading {
    fn read(value: &Value) -> Option<Self> {
        let title = heading(&cut(value["title"].as_str().or(value.as_str())?, TITLE_MAX));
        let about = cut(value["about"].as_str().unwrap_or_default(), ABOUT_MAX);
        (!title.is_empty()).then_some(Self { title, about })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::files::Kind;

    fn article() -> Form {
        Form::of(Kind::Blog).unwrap()
    }

    fn parse(text: &str) -> Result<Outline, &'static str> {
        Outline::parse(text, article(), None)
    }

    #[test]
    fn an_outline_is_parsed_with_other_text_around_it() {
        let plan =
            r#"{"title": "Le phare", "chapters": [{"title": "La lampe", "about": "Ce qui brûle"}, "Le gardien"]}"#;
        let want = Outline {
            title: "Le phare".to_owned(),
            chapters: vec![
                Heading { title: "La lampe".to_owned(), about: "Ce qui brûle".to_owned() },
                Heading { title: "Le gardien".to_owned(), about: String::new() },
            ],
        };
        for text in [plan.to_owned(), format!("Voici :\n```json\n{plan}\n```\nBonne lecture !")] {
            assert_eq!(parse(&text), Ok(want.clone()), "{text}");
        }
        let titled = Outline::parse(plan, article(), Some("La mer")).unwrap();
        assert_eq!((titled.title.as_str(), titled.chapters), ("La mer", want.chapters));
    }

    #[test]
    fn a_malformed_outline_has_its_own_error() {
        for (text, why) in [
            ("", "the outline is not a JSON object"),
            ("} {", "the outline is not a JSON object"),
            ("I cannot do that.", "the outline is not a JSON object"),
            ("{}", "the outline has no list of chapters"),
            (r#"{"title": "t", "chapters": ["a"]}"#, "the outline has too few chapters"),
            (
                r#"{"title": "t", "chapters": ["a", "", {"title": "\u0000"}, 7, null]}"#,
                "the outline has too few chapters",
            ),
            (r#"{"title": " # ", "chapters": ["a", "b"]}"#, "the outline has no title"),
        ] {
            assert_eq!(parse(text), Err(why), "{text}");
        }
    }

    /// Generates any JSON, some of it similar to an outline.
    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "\\PC{0,300}".prop_map(Value::from),
            "[\\x00-\\x1f<#>`\u{202E}a ]{0,20}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 60, 15, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..15).prop_map(Value::from),
                (inner.clone(), inner.clone()).prop_map(|(a, b)| json!({ "title": a, "chapters": b })),
                (inner.clone(), inner).prop_map(|(a, b)| json!({ "title": a, "about": b })),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_parsed_outline_keeps_the_limits(json in any_json(), around in "\\PC{0,20}") {
            if let Ok(plan) = parse(&format!("{around}{json}{around}")) {
                prop_assert!((2..=4).contains(&plan.chapters.len()));
                let titles = plan.chapters.iter().map(|chapter| &chapter.title).chain([&plan.title]);
                for title in titles {
                    prop_assert!(!title.is_empty() && title.chars().count() <= TITLE_MAX);
                    prop_assert!(!title.contains(crate::text::is_unfit) && !title.starts_with('#'), "{}", title);
                }
                prop_assert!(plan.chapters.iter().all(|chapter| chapter.about.chars().count() <= ABOUT_MAX));
            }
        }
    }
}
