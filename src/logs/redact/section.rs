//! `data` of a Secret in YAML, or in JSON over several lines. What it belongs to is often said only after it: such lines are held back.

use super::keys::Meaning;
use super::line::{content, head};
use super::shapes::run;

/// How much is held back before it is taken for a Secret's, in bytes.
const HELD: usize = 256 << 10;

/// Where in an object we are.
#[derive(Debug, Default)]
pub(super) struct Section {
    /// Lines deeper than this are values of a Secret.
    values: Option<usize>,
    /// Lines from a `data:` on whose object has not said yet what it is, and how far in that stands.
    held: Option<(usize, Vec<Vec<u8>>, usize)>,
    /// How far in the object's keys stand, and whether it is a Secret.
    object: Option<(usize, bool)>,
    /// What was found out about the lines that come again.
    decided: Option<bool>,
}

/// What to do with a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// As every other line.
    Plain,
    /// It holds a Secret's value.
    Secret,
    /// Nothing yet.
    Held,
    /// These lines first, then this one again.
    Replay(Vec<Vec<u8>>),
}

impl Section {
    pub(super) fn step(&mut self, line: &[u8]) -> Step {
        let text = line[..content(line)].trim_ascii();
        let indent = run(line, |byte| byte == b' ');
        if let Some(outer) = self.values {
            if text.is_empty() {
                return Step::Plain;
            }
            if indent > outer {
                return Step::Secret;
            }
            self.values = None;
        }
        let key = head(line);
        if let Some((outer, lines, bytes)) = &mut self.held {
            let outer = *outer;
            let here = key.filter(|key| key.indent == outer && !key.item);
            let decision = match here {
                Some(key) if key.meaning == Meaning::Kind => Some(key.value == b"Secret"),
                Some(_) => None,
                None if text.is_empty() || indent > outer || matches!(text, b"}" | b"},") && indent == outer => None,
                None => Some(false),
            };
            let decision = decision.or((*bytes > HELD).then_some(true));
            if let Some(secret) = decision {
                let lines = std::mem::take(lines);
                self.held = None;
                self.decided = Some(secret);
                return Step::Replay(lines);
            }
            *bytes += line.len();
            lines.push(line.to_vec());
            return Step::Held;
        }
        if text.starts_with(b"---") || self.object.is_some_and(|(object, _)| !text.is_empty() && indent < object) {
            self.object = None;
        }
        let Some(key) = key else { return Step::Plain };
        if key.item && self.object.is_some_and(|(object, _)| key.indent <= object) {
            self.object = None;
        }
        let opens = key.value.is_empty() || key.value == b"{";
        match key.meaning {
            Meaning::Kind => self.object = Some((key.indent, key.value == b"Secret")),
            Meaning::StringData if opens => self.values = Some(key.indent),
            Meaning::Data if opens => {
                // What was decided for the first `data` holds for all of its object: each line is held back once at most.
                self.object = self.decided.take().map(|secret| (key.indent, secret)).or(self.object);
                let known = self.object.filter(|(object, _)| *object == key.indent).map(|(_, secret)| secret);
                match known {
                    Some(true) => self.values = Some(key.indent),
                    Some(false) => {}
                    None => {
                        self.held = Some((key.indent, vec![line.to_vec()], line.len()));
                        return Step::Held;
                    }
                }
            }
            _ => {}
        }
        Step::Plain
    }

    /// The text is over: what is still held back, which belongs to nobody.
    pub(super) fn end(&mut self) -> Option<Vec<Vec<u8>>> {
        let (_, lines, _) = self.held.take()?;
        self.decided = Some(false);
        Some(lines)
    }
}
