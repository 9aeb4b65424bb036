//! Text of strangers, made safe to show.

use std::borrow::Cow;

/// The text with control characters, line breaks and the characters that turn
/// a terminal's text direction made visible. Whatever comes from a vendor or a
/// guest goes through here before it is printed.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unprintable) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if is_unprintable(character) {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

/// The text, or its beginning and how much is left out. For what a guest says
/// about itself, which may be of any length.
pub(crate) fn shortened(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(most);
    format!("{}... ({} more bytes)", &text[..end], text.len() - end)
}

fn is_unprintable(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            // Bidirectional overrides and isolates, and what is invisible: also the
            // soft hyphen, annotations, and tags, which can hide a whole text.
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_do_not_reach_the_terminal() {
        assert_eq!(printable("Zoë 李"), "Zoë 李");
        assert_eq!(printable("a\u{1b}[31mb"), "a\\u{1b}[31mb");
        assert_eq!(printable("a\nb\u{9b}"), "a\\u{a}b\\u{9b}");
        assert_eq!(printable("\u{202e}evil"), "\\u{202e}evil");
    }

    #[test]
    fn what_can_not_be_seen_is_made_visible() {
        for hidden in [
            '\u{ad}',
            '\u{61c}',
            '\u{180e}',
            '\u{200b}',
            '\u{2069}',
            '\u{206f}',
            '\u{feff}',
            '\u{fff9}',
            '\u{fffb}',
            '\u{e0000}',
            '\u{e0041}',
            '\u{e007f}',
        ] {
            let shown = printable(&format!("ad{hidden}min")).into_owned();
            assert_eq!(shown, format!("ad{}min", hidden.escape_unicode()));
        }
    }
}
