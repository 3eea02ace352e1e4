//! `quickstart.yaml`: read, or refused at a place.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use quickstart::config::{ConfigError, ConfigFile};
use quickstart::error::Failure;
use quickstart::report::{Palette, failure_json, failure_text};

fuzz_target!(|text: &str| {
    let Err(error) = ConfigFile::parse(text, Path::new("quickstart.yaml")) else { return };
    if let ConfigError::Invalid { line, column, .. } = &error {
        assert!(*line > 0 && *column > 0, "{error}");
    }
    let failure = Failure::from(error);
    assert_eq!(failure.exit.code(), 2);
    failure_text(&failure, Palette::default());
    failure_json(&failure);
});
