//! The board as a page. It is made here as a whole; the script only fetches it again and puts the new parts in the place of the old ones,
//! so that there is one place where what participants told becomes HTML, and it works without the script too.

use std::fmt::Write as _;
use std::sync::atomic::Ordering::Relaxed;

use http::StatusCode;

use super::answer::Answer;
use super::board::{Board, Seen};
use super::room::Counters;
use super::share::Share;
use crate::report::{bytes, escape};
use crate::rules;

pub(super) const SCRIPT: &str = include_str!("board.js");
pub(super) const STYLE: &str = include_str!("board.css");

/// How somebody does; in this order on the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Stuck,
    Working,
    Ready,
}

impl State {
    fn of(seen: &Seen) -> Self {
        match (&seen.error, seen.stage.as_str()) {
            (Some(_), _) => Self::Stuck,
            (None, "ready") => Self::Ready,
            (None, _) => Self::Working,
        }
    }

    /// Class, sign and word: never the colour alone.
    const fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Stuck => ("stuck", "✗", "stuck"),
            Self::Working => ("working", "…", "working"),
            Self::Ready => ("ready", "✓", "ready"),
        }
    }
}

/// The page.
pub(super) fn document(board: &Board, counters: &Counters, share: &Share) -> Answer {
    Answer::bytes(StatusCode::OK, "text/html; charset=utf-8", html(board.all(), counters, share))
}

fn html(mut all: Vec<Seen>, counters: &Counters, share: &Share) -> String {
    all.sort_by_key(|seen| (State::of(seen), seen.name.to_lowercase()));
    let name = escape(&share.index.name);
    let mut text = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Board: {name}</title>\n<link rel=\"stylesheet\" href=\"board.css\">\n<script src=\"board.js\" defer></script>\n</head>\n<body>\n\
         <header>\n<h1>Who is ready?</h1>\n<p>Bundle <strong>{name}</strong>, {set}, {architecture}, {size}</p>\n</header>\n<main>\n",
        set = escape(&share.index.set),
        architecture = escape(&share.index.architecture),
        size = bytes(share.size),
    );
    let count = |state| all.iter().filter(|seen| State::of(seen) == state).count();
    let _ = writeln!(
        text,
        "<p id=\"summary\" role=\"status\" aria-live=\"polite\">{} of {} ready, {} working, {} stuck</p>",
        count(State::Ready),
        all.len(),
        count(State::Working),
        count(State::Stuck),
    );
    let (running, finished, sent) = (counters.running.load(Relaxed), counters.finished.load(Relaxed), counters.sent.load(Relaxed));
    let sent = bytes(sent);
    let _ = writeln!(text, "<p id=\"transfers\">Downloads of the bundle: {finished} complete, {running} on the way, {sent} sent</p>");
    text.push_str(
        "<div class=\"rows\" role=\"region\" aria-labelledby=\"who\" tabindex=\"0\">\n<table>\n<caption id=\"who\">Participants who gave a name with <code>--as</code></caption>\n<thead><tr><th scope=\"col\">Name</th>\
         <th scope=\"col\">State</th><th scope=\"col\">Stage</th><th scope=\"col\">Progress</th><th scope=\"col\">Last word</th></tr></thead>\n<tbody id=\"rows\">\n",
    );
    if all.is_empty() {
        text.push_str("<tr><td colspan=\"5\">Nobody yet.</td></tr>\n");
    }
    for seen in &all {
        row(&mut text, seen);
    }
    text.push_str("</tbody>\n</table>\n</div>\n</main>\n<footer><p id=\"age\">This page follows by itself. Without its script: load it again.</p></footer>\n</body>\n</html>\n");
    text
}

fn row(text: &mut String, seen: &Seen) {
    let (class, sign, word) = State::of(seen).words();
    let name = escape(&seen.name);
    let _ = write!(
        text,
        "<tr class=\"{class}\"><th scope=\"row\">{name}</th><td class=\"state\"><span aria-hidden=\"true\">{sign}</span> {word}"
    );
    if let Some(error) = &seen.error {
        let _ = write!(text, ": <code>{}</code>", escape(error));
        if let Some(rule) = rules::rule(error) {
            let _ = write!(text, "<p>{}: {}</p>", escape(rule.meaning), escape(rule.hint));
        }
    }
    let (done, of) = if word == "ready" { (1, 1) } else { (seen.done, seen.of.max(1)) };
    let told = match (seen.stage.as_str(), word) {
        (_, "ready") => "all done".to_owned(),
        ("bundle", _) => format!("{} of {}", bytes(seen.done), bytes(seen.of)),
        _ => format!("{} of {} stages", seen.done, seen.of),
    };
    let _ = writeln!(
        text,
        "</td><td class=\"short\">{stage}</td><td class=\"short\"><progress max=\"{of}\" value=\"{done}\" aria-label=\"Progress of {name}\"></progress> {told}</td><td class=\"short\">{age}</td></tr>",
        stage = escape(&seen.stage),
        age = age(seen.at.elapsed().as_secs()),
    );
}

fn age(seconds: u64) -> String {
    match seconds {
        0..=9 => "just now".to_owned(),
        // In steps: what changes each second is no news for whoever has the page read aloud.
        10..=59 => format!("{} s ago", seconds / 10 * 10),
        _ => format!("{} min ago", seconds / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(name: &str, stage: &str, error: Option<&str>) -> Seen {
        let (name, stage, error) = (name.to_owned(), stage.to_owned(), error.map(str::to_owned));
        Seen { name, stage, done: 3, of: 19, error, at: std::time::Instant::now() }
    }

    #[test]
    fn what_participants_say_stays_text() {
        let mut text = String::new();
        row(&mut text, &told("<script>alert(1)</script>\" onload='x'", "<b>", Some("<i>")));
        for bad in ["<script", "<b>", "<i>", "' ", "\" onload"] {
            assert!(!text.contains(bad), "{bad}: {text}");
        }
        assert!(text.contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot; onload=&#39;x&#39;"));
    }

    #[test]
    fn the_state_is_said_in_words() {
        let mut text = String::new();
        for seen in [told("a", "ready", None), told("b", "istio", None), told("c", "cluster", Some("PORT_BUSY"))] {
            row(&mut text, &seen);
        }
        assert!(
            text.contains("✓</span> ready")
                && text.contains("all done")
                && text.contains("…</span> working")
                && text.contains("3 of 19 stages")
        );
        assert!(text.contains("stuck: <code>PORT_BUSY</code><p>a port of localhost is taken: choose another"), "{text}");
        assert_eq!((age(9), age(59), age(130)), ("just now".to_owned(), "50 s ago".to_owned(), "2 min ago".to_owned()));
    }
}
