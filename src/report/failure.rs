//! The one renderer of errors.

use serde_json::json;

use super::{Palette, Tone, one_line, sanitize};
use crate::error::Failure;

/// `error[ID]: what`, `cause: …`, `hint: …`; further lines of a cause or a hint are indented below the first.
pub fn failure_text(failure: &Failure, palette: Palette) -> String {
    let head = palette.paint(Tone::Bad, &format!("error[{}]:", one_line(&failure.id)));
    let mut text = format!("{head} {}\n", one_line(&failure.what));
    let parts = [("cause:", &failure.cause, Tone::Strong), ("hint:", &failure.hint, Tone::Good)];
    for (label, part, tone) in parts {
        let Some(part) = part else { continue };
        let part = sanitize(part);
        let mut lines = part.lines().map(str::trim_end).filter(|line| !line.is_empty());
        let Some(first) = lines.next() else { continue };
        text.extend([&palette.paint(tone, label), " ", first.trim_start(), "\n"]);
        for line in lines {
            text.extend(["       ", line, "\n"]);
        }
    }
    text
}

/// One line: `{"error":{"id":…,"what":…,"cause":…,"hint":…,"exit":4}}`; `exit` is the process's exit code.
pub fn failure_json(failure: &Failure) -> String {
    let Failure { id, what, cause, hint, exit } = failure;
    json!({"error": {"id": id, "what": what, "cause": cause, "hint": hint, "exit": exit.code()}}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Exit;

    fn failure() -> Failure {
        Failure::new("IMAGE_RATE_LIMIT", Exit::StageFailed, "stage knative failed")
            .cause("429 Too Many Requests\ntoomanyrequests: \u{1b}[31mslow down\u{1b}[0m\n")
            .hint("log in with `docker login`, or take a bundle: `quickstart up --bundle FILE`")
    }

    #[test]
    fn three_parts_with_the_rest_indented() {
        assert_eq!(
            failure_text(&failure(), Palette::plain()),
            "error[IMAGE_RATE_LIMIT]: stage knative failed\n\
             cause: 429 Too Many Requests\n       toomanyrequests: slow down\n\
             hint: log in with `docker login`, or take a bundle: `quickstart up --bundle FILE`\n"
        );
    }

    #[test]
    fn what_is_not_there_has_no_line() {
        assert_eq!(failure_text(&Failure::new("A", Exit::Usage, "b").cause(" \n"), Palette::plain()), "error[A]: b\n");
    }

    #[test]
    fn colour_changes_no_word() {
        let coloured = failure_text(&failure(), Palette::coloured());
        assert_eq!(console::strip_ansi_codes(&coloured), failure_text(&failure(), Palette::plain()));
    }

    #[test]
    fn json_is_one_line_with_the_exit_code() {
        let line = failure_json(&failure());
        assert_eq!(line.lines().count(), 1);
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["error"]["exit"], 4);
        assert_eq!(value["error"]["id"], "IMAGE_RATE_LIMIT");
    }
}
