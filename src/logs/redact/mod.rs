//! What must not leave this machine is replaced before it is packed: a filter over lines, with memory for what spans several of them.
//!
//! A text without secrets comes out as it went in, byte for byte. In doubt a word too many is replaced.

mod keys;
mod line;
mod pem;
mod section;
mod shapes;

#[cfg(test)]
mod tests;

use std::io::{self, BufRead, Write};
use std::path::Path;

use line::{MARK, Memory, Span};
use pem::Pem;
use section::{Section, Step};

/// The longest line that is looked at, in bytes; what is behind that is left out.
const LONGEST: u64 = 1 << 20;

/// The filter of one text.
#[derive(Debug)]
pub(super) struct Redactor {
    home: Option<Vec<u8>>,
    /// The text was cut off at its beginning: it may start inside a private key.
    torn: bool,
    memory: Memory,
    pem: Pem,
    section: Section,
    /// Lines deeper than this belong to a secret that began before them; the second: it was told.
    block: Option<(usize, bool)>,
}

impl Redactor {
    /// `home` becomes `~`. `torn`: the text may begin in the middle of something.
    pub(super) fn new(home: Option<&Path>, torn: bool) -> Self {
        let home = home.map(|home| home.as_os_str().as_encoded_bytes().to_vec()).filter(|home| home.len() > 1);
        Self { home, torn, memory: Memory::default(), pem: Pem::default(), section: Section::default(), block: None }
    }

    /// Filters a whole stream; memory stays below a few MiB whatever its length. Answers the bytes that were written.
    ///
    /// # Errors
    /// Those of the two streams.
    pub(super) fn copy(mut self, input: &mut dyn BufRead, output: &mut dyn Write) -> io::Result<u64> {
        let (mut line, mut safe, mut written) = (Vec::new(), Vec::new(), 0);
        loop {
            line.clear();
            if io::Read::take(&mut *input, LONGEST).read_until(b'\n', &mut line)? == 0 {
                break;
            }
            if line.len() as u64 == LONGEST && !line.ends_with(b"\n") {
                let left_out = input.skip_until(b'\n')?;
                if left_out > 0 {
                    line.extend_from_slice(format!(" … {left_out} bytes of this line are left out\n").as_bytes());
                }
            }
            self.line(&line, &mut safe);
            output.write_all(&safe)?;
            written += safe.len() as u64;
            safe.clear();
        }
        self.finish(&mut safe);
        output.write_all(&safe)?;
        Ok(written + safe.len() as u64)
    }

    /// One line, its break included.
    fn line(&mut self, line: &[u8], out: &mut Vec<u8>) {
        match self.section.step(line) {
            Step::Plain => self.plain(line, out),
            Step::Secret => replace(line, line::secret_value(line).into_iter().collect(), out),
            Step::Held => {}
            Step::Replay(held) => {
                for line in held {
                    self.line(&line, out);
                }
                self.line(line, out);
            }
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        while let Some(held) = self.section.end() {
            for line in held {
                self.line(&line, out);
            }
        }
    }

    fn plain(&mut self, line: &[u8], out: &mut Vec<u8>) {
        if self.torn {
            match pem::torn(line) {
                Some(rest) => return self.plain_rest(line, rest, out),
                None => self.torn = false,
            }
        }
        let mut spans = match self.pem.look(line) {
            pem::Look::Inside => return,
            pem::Look::Ends(at) => return self.after_key(&line[at..], out),
            pem::Look::Spans(spans) => spans,
        };
        let indent = shapes::run(line, |byte| byte == b' ');
        if let Some((outer, told)) = &mut self.block {
            if indent > *outer && line::content(line) > 0 {
                if !std::mem::replace(told, true) {
                    replace(line, vec![Span { start: indent, end: line::content(line), with: MARK }], out);
                }
                return;
            }
            if line::content(line) > 0 {
                self.block = None;
            }
        }
        let (more, block) = line::spans(line, self.home.as_deref(), &mut self.memory);
        spans.extend(more);
        if block {
            self.block = Some((indent, false));
        }
        replace(line, spans, out);
    }

    /// A line that may belong to a key whose beginning is cut off; behind its end the text goes on.
    fn plain_rest(&mut self, line: &[u8], rest: usize, out: &mut Vec<u8>) {
        if rest < line.len() {
            self.torn = false;
        }
        out.extend_from_slice(MARK);
        out.extend_from_slice(&line[line::content(line)..]);
    }

    fn after_key(&mut self, rest: &[u8], out: &mut Vec<u8>) {
        if line::content(rest) > 0 {
            self.plain(rest, out);
        }
    }
}

/// The text, filtered; what is not Unicode becomes replacement characters.
pub(super) fn redact(text: &str, home: Option<&Path>) -> String {
    let mut out = Vec::with_capacity(text.len());
    // Neither of the two can fail: both are memory.
    let _ = Redactor::new(home, false).copy(&mut text.as_bytes(), &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// The line with these parts replaced; parts that touch or overlap become one.
fn replace(line: &[u8], mut spans: Vec<Span>, out: &mut Vec<u8>) {
    spans.sort_by_key(|span| (span.start, std::cmp::Reverse(span.end)));
    let mut merged: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match merged.last_mut() {
            Some(last) if span.start < last.end => {
                last.end = last.end.max(span.end);
                last.with = MARK;
            }
            _ => merged.push(span),
        }
    }
    let mut at = 0;
    for span in merged {
        out.extend_from_slice(&line[at..span.start]);
        out.extend_from_slice(span.with);
        at = span.end;
    }
    out.extend_from_slice(&line[at..]);
}
