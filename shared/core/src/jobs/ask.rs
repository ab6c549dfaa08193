//! Requests for jobs: what a person wants to have generated.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::files::Kind;
use crate::{Fault, text};

/// Most images of one job.
pub const COUNT_MAX: u32 = 4;
/// Longest video, in seconds.
pub const DURATION_MAX: u32 = 60;
/// Aspect ratios that a video may have.
pub const ASPECT_RATIOS: [&str; 5] = ["16:9", "9:16", "1:1", "4:3", "3:4"];

/// Longest topic of a text, in characters.
pub const TOPIC_MAX: usize = 500;
/// Longest goal of a text, in characters.
pub const GOAL_MAX: usize = 2_000;
/// Longest title of a text, in characters.
pub const TITLE_MAX: usize = 200;
/// Longest prompt, in characters.
pub const PROMPT_MAX: usize = 4_000;
/// Allowed width and height of an image, in pixels.
const SIDES: std::ops::RangeInclusive<u32> = 64..=4_096;
/// Length of a title that is taken from a prompt or topic, in characters.
const GLIMPSE: usize = 80;

/// A person's checked request.
///
/// It is deserialized only from our own events. A caller's input goes through the constructors, which check it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Ask {
    /// A book or an article.
    Text {
        /// What the book or article is about.
        #[schemars(length(min = 1))]
        topic: String,
        /// What it should achieve, if the person said so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(length(min = 1))]
        goal: Option<String>,
        /// The requested title, if there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(length(min = 1))]
        title: Option<String>,
    },
    /// One or more images.
    Images {
        /// What the images or the video show.
        #[schemars(length(min = 1))]
        prompt: String,
        /// Number of images.
        #[schemars(range(min = 1, max = COUNT_MAX))]
        count: u32,
        /// Width x height of the images in pixels, such as `1024x768`.
        #[schemars(regex(pattern = "^[0-9]+x[0-9]+$"))]
        size: String,
    },
    /// A video.
    Video {
        /// What the images or the video show.
        #[schemars(length(min = 1))]
        prompt: String,
        /// Length of the video in seconds.
        #[schemars(range(min = 1, max = DURATION_MAX))]
        duration_seconds: u32,
        /// Aspect ratio of the video, such as `16:9`.
        #[schemars(regex(pattern = "^[0-9]+:[0-9]+$"))]
        aspect_ratio: String,
    },
}

impl Ask {
    /// Parses a request for a text.
    ///
    /// # Errors
    /// `INVALID_REQUEST` naming the field.
    pub fn text(topic: &str, goal: Option<&str>, title: Option<&str>) -> Result<Self, Fault> {
        let topic = text::prose("topic", topic, TOPIC_MAX)?;
        let goal = goal.map(|goal| text::prose("goal", goal, GOAL_MAX)).transpose()?;
        let title = title.map(|title| text::label("title", title, TITLE_MAX)).transpose()?;
        Ok(Self::Text { topic, goal, title })
    }

    /// Returns the requested title of a text, if there is one.
    pub fn requested_title(&self) -> Option<&str> {
        match self {
            Self::Text { title, .. } => title.as_deref(),
            Self::Images { .. } | Self::Video { .. } => None,
        }
    }

    /// Parses a request for images. The default is one image of 1024x1024.
    ///
    /// # Errors
    /// `INVALID_REQUEST` naming the field.
    pub fn images(prompt: &str, count: Option<u32>, size: Option<&str>) -> Result<Self, Fault> {
        let prompt = text::prose("prompt", prompt, PROMPT_MAX)?;
        let count = count.unwrap_or(1);
        if !(1..=COUNT_MAX).contains(&count) {
            return Err(Fault::field("count", format!("count must be 1 to {COUNT_MAX}")).detail("limit", COUNT_MAX));
        }
        let size = size.unwrap_or("1024x1024");
        let parse = |text: &str| {
            let digits = text.bytes().all(|b| b.is_ascii_digit());
            text.parse().ok().filter(|side| digits && SIDES.contains(side))
        };
        let sides = size.split_once('x').and_then(|(width, height)| parse(width).zip(parse(height)));
        let (width, height) = sides.ok_or_else(|| {
            Fault::field("size", "size must be width x height in pixels, each 64 to 4096, such as 1024x1024")
        })?;
        Ok(Self::Images { prompt, count, size: format!("{width}x{height}") })
    }

    /// Parses a request for a video. The default is eight seconds at 16:9.
    ///
    /// # Errors
    /// `INVALID_REQUEST` naming the field.
    pub fn video(prompt: &str, duration_seconds: Option<u32>, aspect_ratio: Option<&str>) -> Result<Self, Fault> {
        let prompt = text::prose("prompt", prompt, PROMPT_MAX)?;
        let duration_seconds = duration_seconds.unwrap_or(8);
        if !(1..=DURATION_MAX).contains(&duration_seconds) {
            let message = format!("duration_seconds must be 1 to {DURATION_MAX}");
            return Err(Fault::field("duration_seconds", message).detail("limit", DURATION_MAX));
        }
        let aspect_ratio = aspect_ratio.unwrap_or(ASPECT_RATIOS[0]);
        if !ASPECT_RATIOS.contains(&aspect_ratio) {
            return Err(Fault::field(
                "aspect_ratio",
                format!("aspect_ratio must be one of {}", ASPECT_RATIOS.join(", ")),
            )
            .detail("supported", ASPECT_RATIOS));
        }
        Ok(Self::Video { prompt, duration_seconds, aspect_ratio: aspect_ratio.to_owned() })
    }

    /// Returns the request as a JSON object for generators.
    pub fn facts(&self) -> Map<String, Value> {
        if let Value::Object(facts) = json!(self) { facts } else { Map::new() }
    }

    /// Parses facts that [`Self::facts`] returned.
    pub fn stored(kind: Kind, facts: &Value) -> Option<Self> {
        let owned = |name: &str| facts[name].as_str().map(str::to_owned);
        let number = |name: &str| facts[name].as_u64().and_then(|number| u32::try_from(number).ok());
        Some(match kind {
            Kind::Book | Kind::Blog => {
                Self::Text { topic: owned("topic")?, goal: owned("goal"), title: owned("title") }
            }
            Kind::Image => Self::Images { prompt: owned("prompt")?, count: number("count")?, size: owned("size")? },
            Kind::Video => Self::Video {
                prompt: owned("prompt")?,
                duration_seconds: number("duration_seconds")?,
                aspect_ratio: owned("aspect_ratio")?,
            },
            Kind::Document | Kind::Audio => return None,
        })
    }

    /// Returns a title for lists and mails: the requested title, or the start of the topic or prompt.
    pub fn title(&self) -> String {
        let (Self::Text { topic: whole, .. } | Self::Images { prompt: whole, .. } | Self::Video { prompt: whole, .. }) =
            self;
        let title = if let Self::Text { title: Some(title), .. } = self { title } else { whole };
        let line = title.split_whitespace().collect::<Vec<_>>().join(" ");
        match line.char_indices().nth(GLIMPSE) {
            Some((end, _)) => format!("{}…", line[..end].trim_end()),
            None => line,
        }
    }

    /// Returns the number of files that the request asks for.
    pub fn wanted(&self) -> usize {
        match self {
            Self::Images { count, .. } => *count as usize,
            Self::Text { .. } | Self::Video { .. } => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(asked: Result<Ask, Fault>) -> Value {
        asked.unwrap_err().details["field"].clone()
    }

    #[test]
    fn a_request_reads_back() {
        let requests = [
            (Kind::Book, Ask::text("Intelligence artificielle", Some("two\nlines"), Some("L\u{e9}on")).unwrap()),
            (Kind::Blog, Ask::text("t", None, None).unwrap()),
            (Kind::Image, Ask::images("a cat", Some(2), Some("64x4096")).unwrap()),
            (Kind::Video, Ask::video("a cat", None, None).unwrap()),
        ];
        for (kind, ask) in requests {
            assert_eq!(Ask::stored(kind, &Value::Object(ask.facts())), Some(ask));
        }
    }

    #[test]
    fn invalid_fields_are_refused_by_name() {
        for (topic, goal, title, name) in [
            ("", None, None, "topic"),
            ("a\0", None, None, "topic"),
            ("a", Some(""), None, "goal"),
            ("a", None, Some("two\nlines"), "title"),
        ] {
            assert_eq!(field(Ask::text(topic, goal, title)), name);
        }
        assert_eq!(field(Ask::text(&"x".repeat(501), None, None)), "topic");
        for count in [0, 5] {
            assert_eq!(field(Ask::images("a", Some(count), None)), "count");
        }
        for size in ["", "x", "1024", "1024x", "63x64", "64x4097", "+64x64", "64x64x64", "64 x64"] {
            assert_eq!(field(Ask::images("a", None, Some(size))), "size", "{size}");
        }
        assert_eq!(field(Ask::video("a", Some(61), None)), "duration_seconds");
        assert_eq!(field(Ask::video("a", None, Some("2:1"))), "aspect_ratio");
    }

    #[test]
    fn a_long_request_has_its_beginning_as_title() {
        assert_eq!(Ask::text("topic", None, Some("Title")).unwrap().title(), "Title");
        assert_eq!(Ask::images("two\n  lines", None, None).unwrap().title(), "two lines");
        let long = Ask::video(&"été ".repeat(100), None, None).unwrap().title();
        assert!(long.ends_with('…') && long.chars().count() <= 81, "{long}");
    }
}
