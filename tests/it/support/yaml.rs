//! YAML for the fakes, which must not share the reader that they are there to test.

use serde_json::Value;

/// All documents of a text, with YAML 1.1's octal numbers; `None` where it is not YAML.
#[expect(clippy::disallowed_methods, reason = "a test of the program's one reader needs another one")]
pub fn documents(text: &str) -> Option<Vec<Value>> {
    let options = serde_saphyr::options! { legacy_octal_numbers: true, budget: None, with_snippet: false };
    serde_saphyr::from_multiple_with_options(text, options).ok()
}
