//! Private keys in PEM: whole blocks, in one line or over many.

use super::line::{MARK, Span, content};
use super::shapes::is_base64;

/// A key of 16384 bits has about 200 lines; a block without an end must not swallow the rest of a log.
const LONGEST: u32 = 400;
/// From the dashes to the words that make it a key: `ENCRYPTED `, `OPENSSH `, …
const NAME: usize = 40;

/// Are we in a key?
#[derive(Debug, Default)]
pub(super) struct Pem(Option<u32>);

/// What a line is.
#[derive(Debug)]
pub(super) enum Look {
    /// All of it belongs to a key.
    Inside,
    /// A key ends in it, before this byte.
    Ends(usize),
    /// These parts are keys; nothing else is said of the line.
    Spans(Vec<Span>),
}

impl Pem {
    pub(super) fn look(&mut self, line: &[u8]) -> Look {
        if let Some(lines) = self.0 {
            if let Some((_, end)) = marker(line, 0, b"-----END ") {
                self.0 = None;
                return Look::Ends(end);
            }
            self.0 = (lines < LONGEST).then_some(lines + 1);
            if self.0.is_some() {
                return Look::Inside;
            }
        }
        let (mut spans, mut at) = (Vec::new(), 0);
        while let Some((start, begun)) = marker(line, at, b"-----BEGIN ") {
            if let Some((_, end)) = marker(line, begun, b"-----END ") {
                spans.push(Span { start, end, with: MARK });
                at = end;
                continue;
            }
            let end = content(line);
            spans.push(Span { start, end, with: MARK });
            // Written with `\n`, a key that is cut off ends with its line.
            let escaped = line[begun..end].starts_with(b"\\");
            self.0 = (!escaped).then_some(0);
            break;
        }
        Look::Spans(spans)
    }
}

/// `-----BEGIN … PRIVATE KEY…-----`: from, to.
fn marker(line: &[u8], from: usize, dashes: &[u8]) -> Option<(usize, usize)> {
    let mut at = from;
    loop {
        let start = at + find(&line[at..], dashes)?;
        let name = start + dashes.len();
        if let Some(length) = find(&line[name..], b"-----").filter(|length| *length <= NAME)
            && find(&line[name..name + length], b"PRIVATE KEY").is_some()
        {
            return Some((start, name + length + 5));
        }
        at = name;
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let first = *wanted.first()?;
    (0..bytes.len()).find(|&at| bytes[at] == first && bytes[at..].starts_with(wanted))
}

/// A line that may belong to a key that began before the text does: where it stops belonging to it.
pub(super) fn torn(line: &[u8]) -> Option<usize> {
    if let Some((_, end)) = marker(line, 0, b"-----END ") {
        return Some(end.min(content(line)));
    }
    let text = line[..content(line)].trim_ascii();
    let word = text.iter().rposition(|byte| *byte == b' ').map_or(text, |at| &text[at + 1..]);
    (!word.is_empty() && word.len() <= 76 && word.iter().all(|&byte| is_base64(byte)) && text.len() - word.len() < 48 && looks_random(word))
        .then_some(line.len())
}

/// Letters of both cases or digits beside each other, as base64 has them and words have not.
fn looks_random(word: &[u8]) -> bool {
    let (upper, lower, digit) = word.iter().fold((0, 0, 0), |(u, l, d), byte| {
        (u + u32::from(byte.is_ascii_uppercase()), l + u32::from(byte.is_ascii_lowercase()), d + u32::from(byte.is_ascii_digit()))
    });
    word.len() >= 16 && upper > 1 && lower > 1 && digit > 0 || word.ends_with(b"=")
}
