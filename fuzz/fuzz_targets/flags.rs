//! The command line: arguments divided by lines, and the values among them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quickstart::cli::{self, Halt, SetVersion, Span, parse_duration};
use quickstart::config::{ClusterName, Environment, nearest};
use quickstart::report::{Palette, failure_text};

fuzz_target!(|text: &str| {
    if let Ok(duration) = parse_duration(text) {
        assert_eq!(parse_duration(&Span(duration).to_string()), Ok(duration), "{text:?}");
    }
    if let Ok(name) = ClusterName::new(text) {
        assert_eq!(name.as_str(), text);
    }
    if text.len() < 200 {
        nearest(text, ["port", "profile", "keepContext"]);
    }
    let _ = text.parse::<SetVersion>();
    let _ = SetVersion::new(text, text);
    Environment::from_vars(text.lines().filter_map(|line| line.split_once('=')), "/");
    match cli::parse(std::iter::once("quickstart").chain(text.lines())) {
        Err(Halt::Refuse(failure)) => {
            assert_eq!(failure.exit.code(), 2);
            failure_text(&failure, Palette::default());
        }
        Ok(cli) => {
            cli.selection();
        }
        Err(Halt::Show { .. }) => {}
    }
});
