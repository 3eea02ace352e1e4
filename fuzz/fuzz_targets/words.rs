//! Single words and lines of other programs: image references, kind's standard error, the engine's, signs of failures, text for a terminal.
#![no_main]

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use libfuzzer_sys::fuzz_target;
use quickstart::bundle::check_path;
use quickstart::docker::{fuzzing, normalize_reference};
use quickstart::error::Failure;
use quickstart::kind::{CommandError, KindError};
use quickstart::plan::StageId;
use quickstart::report::{Palette, failure_json, failure_text, one_line, sanitize};
use quickstart::rules::{self, Source};

const SOURCES: [Source; 9] = [
    Source::Waiting,
    Source::Ended,
    Source::Scheduling,
    Source::Event,
    Source::Condition,
    Source::Api,
    Source::Kind,
    Source::Engine,
    Source::Download,
];

fuzz_target!(|text: &str| {
    let full = normalize_reference(text);
    assert_eq!(normalize_reference(&full), full, "{text:?}");
    fuzzing::words(text);
    let _ = check_path(text);
    StageId::parse(text);
    let (reason, message) = text.split_once('\n').unwrap_or(("", text));
    for source in SOURCES {
        rules::find(source, reason, message);
    }
    let said = CommandError::Failed { command: "kind create".into(), status: ExitStatus::from_raw(256), stderr: text.to_owned() };
    let failure = Failure::from(KindError::from_command("name", said)).cause(text).hint(text);
    let shown = failure_text(&failure, Palette::default());
    assert!(safe(&shown), "{shown:?}");
    failure_json(&failure);
    let clean = sanitize(text);
    assert!(safe(&clean), "{text:?} → {clean:?}");
    assert_eq!(sanitize(&clean), clean, "{text:?}");
    assert!(!one_line(text).contains(['\n', '\r']), "{text:?}");
});

/// Nothing that steers a terminal.
fn safe(text: &str) -> bool {
    text.chars().all(|character| !character.is_control() || character == '\n' || character == '\t')
}
