//! One line: which of its bytes are secret.

use super::keys::{Meaning, meaning, names_a_secret};
use super::shapes::{self, run};

/// What stands where a secret stood.
pub(super) const MARK: &[u8] = b"[redacted]";
/// How many lines after the name of an environment variable its value is looked for.
const NEAR: u8 = 3;

/// A part of a line and what stands there instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) with: &'static [u8],
}

/// What one line leaves for the next ones.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Memory {
    /// Lines in which the value of a variable with a secret's name may come.
    pub(super) named: u8,
}

/// The key that a line begins with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head<'a> {
    /// Blanks before it, those of a list's dash included.
    pub(super) indent: usize,
    /// It is the first of a list's element.
    pub(super) item: bool,
    pub(super) meaning: Meaning,
    /// What follows, without quotes and commas; `{` of an opened object included.
    pub(super) value: &'a [u8],
}

/// Secrets and the home folder in a line. The second answer: the line is a key whose secret follows as a block (`password: |`).
pub(super) fn spans(line: &[u8], home: Option<&[u8]>, memory: &mut Memory) -> (Vec<Span>, bool) {
    let end = content(line);
    let (mut found, mut block) = (Vec::new(), false);
    memory.named = memory.named.saturating_sub(1);
    let of_secret = is_secret_object(line);
    for at in 0..end {
        let secret = match line[at] {
            b':' if line[at..].starts_with(b"://") => shapes::password(line, at),
            b':' | b'=' => match by_key(line, at, end, memory, of_secret) {
                Found::Nothing => None,
                Found::Block => {
                    block = true;
                    None
                }
                Found::Value(start, end) => Some((start, end)),
                Found::Object(start, end) => {
                    found.extend(strings(line, start, end));
                    None
                }
            },
            b'-' => flag(line, at, end),
            _ => shapes::token(line, at),
        };
        found.extend(secret.map(|(start, end)| Span { start, end: end.min(content(line)), with: MARK }));
        if let Some(home) = home.filter(|home| is_home(line, at, home)) {
            found.push(Span { start: at, end: at + home.len(), with: b"~" });
        }
    }
    (found, block)
}

enum Found {
    Nothing,
    Value(usize, usize),
    /// The secret stands on the next lines.
    Block,
    /// Every string in these braces is one.
    Object(usize, usize),
}

fn by_key(line: &[u8], at: usize, end: usize, memory: &mut Memory, of_secret: bool) -> Found {
    let Some((start, stop, quoted)) = key(line, at) else { return Found::Nothing };
    let head = is_head(&line[..start]);
    let kind = meaning(&line[start..stop]);
    let value = || value(line, at, end, head, kind);
    let found = |value: Option<(usize, usize)>| value.map_or(Found::Nothing, |(start, end)| Found::Value(start, end));
    match kind {
        Meaning::Plain | Meaning::Kind => Found::Nothing,
        Meaning::Name => {
            let secret = value().is_some_and(|(start, end)| names_a_secret(&line[start..end]));
            memory.named = if secret { NEAR + 1 } else { 0 };
            Found::Nothing
        }
        Meaning::Value if memory.named == 0 => Found::Nothing,
        Meaning::Auth if !head && !quoted => Found::Nothing,
        Meaning::Data | Meaning::StringData => match opened(line, at, end) {
            Some(brace) if of_secret => Found::Object(brace, closing(line, brace, end)),
            _ => Found::Nothing,
        },
        Meaning::Secret | Meaning::Value if head && is_block(&line[at + 1..end]) => Found::Block,
        Meaning::Auth | Meaning::Secret | Meaning::Header | Meaning::Value => found(value()),
    }
}

/// The key before a separator: where it is, and whether it is quoted.
fn key(line: &[u8], at: usize) -> Option<(usize, usize, bool)> {
    let mut end = at;
    while end > 0 && (line[end - 1] == b' ' || line[end - 1] == b'\t') {
        end -= 1;
    }
    let quoted = end > 0 && is_quote(line[end - 1]);
    if quoted {
        end -= 1;
        while end > 0 && line[end - 1] == b'\\' {
            end -= 1;
        }
    }
    let length = line[..end].iter().rev().position(|&byte| !is_key(byte)).unwrap_or(end);
    (length > 0).then_some((end - length, end, quoted))
}

/// Does a key behind this stand alone at the beginning of its line, or of what a container wrote (`TIME stdout F …`)?
fn is_head(before: &[u8]) -> bool {
    let before = before.trim_ascii_end();
    let before = match before.iter().rposition(|&byte| !is_quote(byte) && byte != b'\\') {
        Some(last) => before[..=last].trim_ascii(),
        None => return true,
    };
    before.is_empty()
        || before == b"-"
        || before == b"export"
        || [&b"stdout F"[..], b"stderr F", b"stdout P", b"stderr P"].iter().any(|end| before.ends_with(end))
}

/// Where the value behind a separator stands; nothing where there is none, or one that tells nothing.
fn value(line: &[u8], at: usize, end: usize, head: bool, meaning: Meaning) -> Option<(usize, usize)> {
    let mut start = skip_blanks(line, at + 1, end);
    while start < end && line[start] == b'[' && !line[start..].starts_with(MARK) {
        start = skip_blanks(line, start + 1, end);
    }
    let rest = &line[start..end];
    if rest.is_empty() || rest.starts_with(MARK) || b"{}],;)".contains(&rest[0]) {
        return None;
    }
    let slashes = run(rest, |byte| byte == b'\\');
    let (from, to) = match rest.get(slashes) {
        Some(&quote) if is_quote(quote) => (start + slashes + 1, close(line, start + slashes + 1, end, quote, slashes)),
        _ if head => (start, start + rest.trim_ascii_end().strip_suffix(b",").unwrap_or(rest.trim_ascii_end()).len()),
        _ if meaning == Meaning::Header => (start, start + run(rest, |byte| !is_quote(byte) && byte != b'\\')),
        _ => (start, start + run(rest, |byte| byte > b' ' && !b",;&)}]\"'<>`\\".contains(&byte))),
    };
    let tells_nothing = matches!(&line[from..to], b"" | b"true" | b"false" | b"null" | b"nil" | b"~") || line[from..].starts_with(MARK);
    (!tells_nothing).then_some((from, to))
}

/// The end of a quoted value: the same quote behind as many backslashes as the first one.
fn close(line: &[u8], from: usize, end: usize, quote: u8, slashes: usize) -> usize {
    (from..end)
        .find(|&at| {
            let before = line[from..at].iter().rev().take_while(|&&byte| byte == b'\\').count();
            line[at] == quote && if slashes == 0 { before % 2 == 0 } else { before <= slashes }
        })
        .map_or(end, |at| at - line[from..at].iter().rev().take_while(|&&byte| byte == b'\\').count().min(slashes))
}

/// `--token SECRET`: the word behind a flag.
fn flag(line: &[u8], at: usize, end: usize) -> Option<(usize, usize)> {
    if !line[at..].starts_with(b"--") || (at > 0 && (is_key(line[at - 1]) || line[at - 1] == b'-')) {
        return None;
    }
    let stop = at + 2 + run(&line[at + 2..end], is_key);
    if line.get(stop) != Some(&b' ') || meaning(&line[at + 2..stop]) != Meaning::Secret {
        return None;
    }
    let start = skip_blanks(line, stop, end);
    let length = run(&line[start..end], |byte| byte > b' ' && !b"\"'`\\".contains(&byte));
    (length > 0 && line[start] != b'-' && !line[start..].starts_with(MARK)).then_some((start, start + length))
}

/// The key that a line begins with, for what is told apart by lines.
pub(super) fn head(line: &[u8]) -> Option<Head<'_>> {
    let end = content(line);
    let at = line[..end].iter().position(|&byte| byte == b':')?;
    let (start, stop, _) = key(line, at)?;
    if !is_head(&line[..start]) || line[..start].windows(3).any(|word| word == b"std") {
        return None;
    }
    let blanks = run(line, |byte| byte == b' ');
    let item = line[blanks..].starts_with(b"- ");
    let indent = if item { blanks + 1 + run(&line[blanks + 1..], |byte| byte == b' ') } else { blanks };
    let value = line[at + 1..end].trim_ascii();
    let value = value.strip_suffix(b",").unwrap_or(value);
    let value = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value);
    Some(Head { indent, item, meaning: meaning(&line[start..stop]), value })
}

/// The whole of a line in a Secret's data but its key.
pub(super) fn secret_value(line: &[u8]) -> Option<Span> {
    let end = content(line);
    let first = line[..end].iter().position(|byte| !byte.is_ascii_whitespace())?;
    if matches!(line[first..end].trim_ascii(), b"}" | b"}," | b"{") {
        return None;
    }
    let colon = line[..end].iter().position(|&byte| byte == b':').filter(|&at| key(line, at).is_some_and(|key| is_head(&line[..key.0])));
    let start = skip_blanks(line, colon.map_or(first, |at| at + 1), end);
    let value = line[start..end].trim_ascii_end();
    let (from, to) = match value.strip_suffix(b",").unwrap_or(value) {
        [b'"', inner @ .., b'"'] => (start + 1, start + 1 + inner.len()),
        other => (start, start + other.len()),
    };
    (from < to).then_some(Span { start: from, end: to, with: MARK })
}

/// One line with `kind` and `Secret` in it: an object in one piece, such as the annotation that `kubectl apply` leaves.
fn is_secret_object(line: &[u8]) -> bool {
    let end = content(line);
    (0..end).any(|at| {
        line[at] == b':'
            && key(line, at).is_some_and(|(start, stop, _)| &line[start..stop] == b"kind")
            && value(line, at, end, false, Meaning::Kind).is_some_and(|(start, stop)| &line[start..stop] == b"Secret")
    })
}

fn opened(line: &[u8], at: usize, end: usize) -> Option<usize> {
    let start = skip_blanks(line, at + 1, end);
    (line[..end].get(start) == Some(&b'{')).then_some(start)
}

fn closing(line: &[u8], brace: usize, end: usize) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in line[..end].iter().enumerate().skip(brace) {
        depth = match byte {
            b'{' => depth + 1,
            b'}' => depth.saturating_sub(1),
            _ => depth,
        };
        if depth == 0 {
            return at;
        }
    }
    end
}

fn strings(line: &[u8], start: usize, end: usize) -> Vec<Span> {
    let found = (start..end).filter(|&at| line[at] == b':').filter_map(|at| value(line, at, end, false, Meaning::Secret));
    found.map(|(start, end)| Span { start, end, with: MARK }).collect()
}

/// `|`, `>-`, `|2`: YAML's block scalars.
fn is_block(rest: &[u8]) -> bool {
    let rest = rest.trim_ascii();
    matches!(rest.first(), Some(b'|' | b'>')) && rest.len() <= 3
}

fn is_home(line: &[u8], at: usize, home: &[u8]) -> bool {
    let word = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.".contains(byte);
    line[at..].starts_with(home)
        && !line.get(at + home.len()).is_some_and(word)
        && !(at > 0 && (word(&line[at - 1]) || line[at - 1] == b'~'))
}

/// Where a line ends without its line break.
pub(super) fn content(line: &[u8]) -> usize {
    line.strip_suffix(b"\n").map_or(line.len(), |line| line.strip_suffix(b"\r").unwrap_or(line).len())
}

fn skip_blanks(line: &[u8], from: usize, end: usize) -> usize {
    let from = from.min(end);
    from + run(&line[from..end], |byte| byte == b' ' || byte == b'\t')
}

fn is_quote(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'' | b'`')
}

fn is_key(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-.".contains(&byte)
}
