//! What agents write, as HTML that can do nothing: no HTML of theirs, no images, no
//! links but to the web, no style.

use std::fmt;

use askama::filters::HtmlSafe;
use pulldown_cmark::{Alignment, CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

/// Markdown, shown as HTML.
pub struct Markdown(String);

impl Markdown {
    pub fn new(text: &str) -> Markdown {
        let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
        let mut shown = String::with_capacity(text.len() + text.len() / 4);
        let mut is_link = true;
        let events = Parser::new_ext(text, options).map(|event| harmless(event, &mut is_link));
        html::push_html(&mut shown, events);
        Markdown(shown)
    }
}

/// Only [`harmless`] events make it.
impl HtmlSafe for Markdown {}

impl fmt::Display for Markdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// HTML becomes text, an image its words, a link that leads elsewhere than to the web
/// emphasis. Links do not nest, so that one flag says how the open one ends.
fn harmless<'a>(event: Event<'a>, is_link: &mut bool) -> Event<'a> {
    match event {
        Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
        Event::Start(Tag::HtmlBlock) => Event::Start(Tag::Paragraph),
        Event::End(TagEnd::HtmlBlock) => Event::End(TagEnd::Paragraph),
        Event::Start(Tag::Image { .. }) => Event::Text("[image: ".into()),
        Event::End(TagEnd::Image) => Event::Text("]".into()),
        Event::Start(Tag::Link { ref dest_url, .. }) => {
            *is_link = leads_to_the_web(dest_url);
            match *is_link {
                true => without_title(event),
                false => Event::Start(Tag::Emphasis),
            }
        }
        Event::End(TagEnd::Link) if !*is_link => Event::End(TagEnd::Emphasis),
        // Alignment would be a style in the element.
        Event::Start(Tag::Table(columns)) => {
            Event::Start(Tag::Table(vec![Alignment::None; columns.len()]))
        }
        // The page's own headings stand above.
        Event::Start(Tag::Heading { .. }) => Event::Start(heading()),
        Event::End(TagEnd::Heading(_)) => Event::End(TagEnd::Heading(HeadingLevel::H3)),
        other => other,
    }
}

fn heading<'a>() -> Tag<'a> {
    Tag::Heading {
        level: HeadingLevel::H3,
        id: None,
        classes: vec![],
        attrs: vec![],
    }
}

/// A title on hover could say something else than where the link leads.
fn without_title(event: Event<'_>) -> Event<'_> {
    match event {
        Event::Start(Tag::Link {
            link_type,
            dest_url,
            id,
            ..
        }) => Event::Start(Tag::Link {
            link_type,
            dest_url,
            title: CowStr::Borrowed(""),
            id,
        }),
        other => other,
    }
}

fn leads_to_the_web(address: &str) -> bool {
    let address = address.to_ascii_lowercase();
    ["https://", "http://"]
        .iter()
        .any(|scheme| address.starts_with(scheme))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_agents_write_is_shown_and_can_do_nothing() {
        for (text, html) in [
            (
                "**All** 412 `tests` pass.",
                "<p><strong>All</strong> 412 <code>tests</code> pass.</p>",
            ),
            ("# Done", "<h3>Done</h3>"),
            (
                "a <b>bold</b> move",
                "<p>a &lt;b&gt;bold&lt;/b&gt; move</p>",
            ),
            (
                "<script>alert(1)</script>",
                "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>",
            ),
            (
                "[here](https://a.test/x 'bait')",
                r#"<p><a href="https://a.test/x">here</a></p>"#,
            ),
            (
                "[here](javascript:alert(1)) and [there](JaVaScRiPt:1)",
                "<p><em>here</em> and <em>there</em></p>",
            ),
            ("[file](src/a.rs)", "<p><em>file</em></p>"),
            ("![chart](https://a.test/x.png)", "<p>[image: chart]</p>"),
            (
                "|a|\n|:-:|\n|1|",
                "<table><thead><tr><th>a</th></tr></thead><tbody>\n<tr><td>1</td></tr>\n</tbody></table>",
            ),
        ] {
            assert_eq!(Markdown::new(text).to_string().trim_end(), html, "{text}");
        }
    }

    proptest! {
        /// Whatever is written, the elements are ours and so are their attributes.
        #[test]
        fn only_known_elements_come_out(text in "([<>!\\[\\]()\"'`*_|#~:/= \n-]|javascript:|script|img src|onload|style|https://a|[a-z&;\\\\]){0,60}") {
            let shown = Markdown::new(&text).to_string();
            for tag in shown.split('<').skip(1) {
                let name: String = tag.trim_start_matches('/').chars().take_while(char::is_ascii_alphanumeric).collect();
                let known = ["p", "h3", "em", "strong", "del", "code", "pre", "ul", "ol", "li", "blockquote", "hr", "br", "a", "table", "thead", "tbody", "tr", "th", "td"];
                prop_assert!(known.contains(&name.as_str()), "{name} in {shown}");
                let inside = tag.split('>').next().unwrap_or_default();
                prop_assert!(!inside.contains("style=") && !inside.contains(" on"), "{shown}");
                if name == "a" && !tag.starts_with('/') {
                    prop_assert!(inside.starts_with("a href=\"http"), "{shown}");
                }
            }
        }
    }
}
