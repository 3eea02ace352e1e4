//! Foreign text (pod messages, the output of other programs, server answers) must not steer the terminal it is printed on.

use std::borrow::Cow;

/// The text with escape sequences removed and every other control or direction character made visible; line breaks and tabs stay.
pub fn sanitize(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let stripped = console::strip_ansi_codes(text);
    let mut safe = String::with_capacity(stripped.len());
    let mut characters = stripped.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            // Progress bars go back to the start of their line; what they wrote is a line of its own.
            '\r' if characters.peek() == Some(&'\n') => {}
            '\r' => safe.push('\n'),
            c if is_unsafe(c) => safe.extend(c.escape_unicode()),
            c => safe.push(c),
        }
    }
    Cow::Owned(safe)
}

/// The same on a single line: line breaks become `; `, runs of white space one blank.
pub fn one_line(text: &str) -> String {
    let safe = sanitize(text);
    let lines = safe.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
}

fn is_unsafe(c: char) -> bool {
    let direction = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    (c.is_control() && c != '\n' && c != '\t') || direction || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_not_even_copied() {
        assert!(matches!(sanitize("two\nlines\tand ünïcode ✓ 好"), Cow::Borrowed(_)));
    }

    /// Printed as it comes, a pod's message could set the window title or clear the screen.
    #[test]
    fn escape_sequences_do_not_reach_the_terminal() {
        for text in [
            "\u{1b}[31mred\u{1b}[0m",
            "\u{1b}]0;title\u{7}x",
            "\u{1b}[2J",
            "a\u{8}b",
            "\u{9b}31m",
            "\u{202e}txt",
            "\u{1b}",
            "\0",
            "\u{1b}P+q\u{1b}\\",
        ] {
            let safe = sanitize(text);
            assert!(!safe.chars().any(is_unsafe), "{text:?} → {safe:?}");
        }
        assert_eq!(sanitize("\u{1b}[31mred\u{1b}[0m"), "red");
        assert_eq!(sanitize("a\u{8}b"), "a\\u{8}b");
        assert_eq!(sanitize("10%\r20%\r\nend"), "10%\n20%\nend");
    }

    #[test]
    fn one_line_is_one_line() {
        assert_eq!(one_line("  a\n\n b\t c\r\nd"), "a; b c; d");
        assert_eq!(one_line(""), "");
    }
}
