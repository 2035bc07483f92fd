//! Pieces of HTML.

/// Text as HTML, also within an attribute's double quotes.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}
pub fn dash() -> String {
    "–".to_owned()
}

pub fn tag(class: &str, text: &str) -> String {
    format!("<span class=\"tag {class}\">{text}</span>")
}

/// To an image's card.
pub fn link(name: &str) -> String {
    let name = escape(name);
    format!("<a href=\"#image-{name}\">{name}</a>")
}

/// A table that scrolls within itself, by keyboard, too.
pub fn table(class: &str, name: &str, head: &[String], rows: &str) -> String {
    let head: String = head.iter().map(|cell| format!("<th scope=\"col\">{cell}</th>")).collect();
    format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{name}\">\n<table class=\"{class}\">\n\
         <thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n</div>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaping() {
        assert_eq!(escape("<a href=\"x\">'&amp;'"), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;amp;&#39;");
    }
}
