//! A small writer of SVG: text, lines, bars and dots of named classes, whose colours follow the reader's light or dark
//! mode. It uses no fonts but those of the reader's system, and no scripts.

/// Colours of both modes. A picture has a ground of its own, because the page around it may be in the other mode.
const STYLE: &str = "\
.ground{fill:#ffffff;stroke:#d1d9e0}.text{fill:#1f2328}.soft{fill:#59636e}.rule{stroke:#d1d9e0}\
.ours{fill:#0969da;stroke:#0969da}.floor{fill:#818b98;stroke:#818b98}.other{fill:#bc4c00;stroke:#bc4c00}\
@media(prefers-color-scheme:dark){.ground{fill:#0d1117;stroke:#3d444d}.text{fill:#f0f6fc}.soft{fill:#9198a1}\
.rule{stroke:#3d444d}.ours{fill:#4493f8;stroke:#4493f8}.floor{fill:#9198a1;stroke:#9198a1}\
.other{fill:#db6d28;stroke:#db6d28}}\
text{font-family:system-ui,-apple-system,'Segoe UI','Noto Sans',Helvetica,Arial,sans-serif;font-size:13px}\
.title{font-size:16px;font-weight:600}.head{font-weight:600}.line{fill:none;stroke-width:2}.bar{stroke:none}";

/// Where a text begins, ends or has its middle.
#[derive(Clone, Copy, Debug)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// A picture that is being drawn.
#[derive(Debug)]
pub(super) struct Svg {
    head: String,
    body: String,
}

impl Svg {
    /// Begins a picture of this size, with a title that is drawn and a description that is read aloud.
    pub(super) fn new(width: u32, height: u32, title: &str, description: &str) -> Self {
        let (inner, middle) = (f64::from(width) - 1.0, f64::from(height) - 1.0);
        let head = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" role=\"img\" aria-labelledby=\"title desc\">\n\
             <title id=\"title\">{}</title>\n<desc id=\"desc\">{}</desc>\n<style>{STYLE}</style>\n\
             <rect class=\"ground\" x=\"0.5\" y=\"0.5\" width=\"{inner}\" height=\"{middle}\" rx=\"6\"/>\n",
            escaped(title),
            escaped(description),
        );
        let mut svg = Self { head, body: String::new() };
        svg.text(20.0, 32.0, "text title", Anchor::Start, title);
        svg
    }

    /// Writes a text. `y` is its base line.
    pub(super) fn text(&mut self, x: f64, y: f64, class: &str, anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        let (x, y) = (number(x), number(y));
        self.push(&format!("<text class=\"{class}\" x=\"{x}\" y=\"{y}\"{anchor}>{}</text>", escaped(text)));
    }

    /// Draws a bar, at least a pixel wide, so that a small figure is seen.
    pub(super) fn bar(&mut self, x: f64, y: f64, width: f64, height: f64, class: &str) {
        let (x, y, width, height) = (number(x), number(y), number(width.max(1.0)), number(height));
        self.push(&format!("<rect class=\"{class} bar\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"/>"));
    }

    /// Draws a straight line.
    pub(super) fn rule(&mut self, from: (f64, f64), to: (f64, f64)) {
        let [x1, y1, x2, y2] = [from.0, from.1, to.0, to.1].map(number);
        self.push(&format!("<line class=\"rule\" x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\"/>"));
    }

    /// Draws a line through points, with a dot at each.
    pub(super) fn curve(&mut self, points: &[(f64, f64)], class: &str, dashed: bool) {
        let places: Vec<String> = points.iter().map(|(x, y)| format!("{},{}", number(*x), number(*y))).collect();
        let pattern = if dashed { " stroke-dasharray=\"6 4\"" } else { "" };
        self.push(&format!("<polyline class=\"{class} line\" points=\"{}\"{pattern}/>", places.join(" ")));
        for (x, y) in points {
            self.push(&format!("<circle class=\"{class}\" cx=\"{}\" cy=\"{}\" r=\"4\"/>", number(*x), number(*y)));
        }
    }

    /// Ends the picture.
    pub(super) fn finish(self) -> String {
        self.head + &self.body + "</svg>\n"
    }

    fn push(&mut self, element: &str) {
        self.body.extend([element, "\n"]);
    }
}

/// Writes a coordinate with one decimal, or none.
fn number(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped_and_coordinates_are_short() {
        let mut svg = Svg::new(10, 20, "a < b & c", "more");
        svg.text(1.0, 2.25, "text", Anchor::End, "x > y");
        svg.bar(0.0, 0.0, 0.01, 5.0, "ours");
        let drawn = svg.finish();
        assert!(drawn.contains("<title id=\"title\">a &lt; b &amp; c</title>"), "{drawn}");
        assert!(drawn.contains("x=\"1\" y=\"2.2\" text-anchor=\"end\">x &gt; y</text>"), "{drawn}");
        assert!(drawn.contains("width=\"1\" height=\"5\""), "a bar is seen, however short: {drawn}");
        assert!(!drawn.contains("http://") || drawn.matches("http").count() == 1, "nothing is loaded");
    }
}
