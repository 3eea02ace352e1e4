//! kind's standard error, read for its reason.

use std::path::PathBuf;

/// kind's own reason: its last `ERROR:` line with the engine's answer that may follow, else its last word of an error, else its
/// last line.
pub(super) fn reason(said: &str) -> String {
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty() && !is_id(line)).collect();
    let last = |sign: &str| lines.iter().rposition(|line| line.starts_with(sign));
    let from = last("ERROR:").or_else(|| last("error")).unwrap_or(lines.len().saturating_sub(1));
    let text = lines.get(from..).unwrap_or_default().iter().take(6).copied().collect::<Vec<_>>().join(" ");
    let text = shortened(text.strip_prefix("ERROR:").unwrap_or(&text).trim());
    if text.is_empty() { "it said nothing".into() } else { text.chars().take(800).collect() }
}

/// A container's ID, which docker prints before it fails to start it.
fn is_id(line: &str) -> bool {
    let id = line.strip_prefix("Command Output: ").unwrap_or(line);
    id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// `command "docker run` and a thousand characters of arguments → `command "docker run …"`.
fn shortened(text: &str) -> String {
    let cut = || {
        let (before, rest) = text.split_once("command \"")?;
        let (arguments, after) = rest.split_once("\" failed with error")?;
        let words: Vec<&str> = arguments.split(' ').take(2).collect();
        Some(format!("{before}command \"{} …\" failed with error{after}", words.join(" ")))
    };
    cut().unwrap_or_else(|| text.to_owned())
}

/// `Bind for 127.0.0.1:8080 failed: port is already allocated`, `listen tcp4 127.0.0.1:8080: bind: address already in use`.
pub(super) fn busy_port(said: &str) -> Option<u16> {
    let line = said.lines().find(|line| ["already allocated", "already in use", "not available"].iter().any(|sign| line.contains(sign)))?;
    let numbers = line.split([' ', ',', '"']).filter_map(|word| word.trim_end_matches([':', '.']).rsplit_once(':'));
    numbers.filter_map(|(_, digits)| digits.parse().ok()).find(|&port: &u16| port > 0)
}

/// `open /home/me/.kube/config.lock: file exists`.
pub(super) fn lock_file(said: &str) -> Option<PathBuf> {
    said.split_whitespace()
        .map(|word| word.trim_end_matches([':', ',']))
        .map(PathBuf::from)
        .find(|path| path.extension().is_some_and(|extension| extension == "lock"))
}
