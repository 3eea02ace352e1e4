//! What differs from run to run in the program's output, for insta's filters.

/// Pairs of regular expression and replacement: durations, ports, temporary folders, digests, times of day, sizes.
pub fn filters(home: &std::path::Path) -> Vec<(String, String)> {
    let home = home.display().to_string().replace('.', r"\.");
    [
        (home.as_str(), "[HOME]"),
        (r"/tmp/\.tmp[A-Za-z0-9]+", "[TMP]"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", "[TIME]"),
        (r"(127\.0\.0\.1|localhost):\d{4,5}", "${1}:[PORT]"),
        (r"\b(port|--port|ports?:) \d{4,5}\b", "${1} [PORT]"),
        (r"sha256:[0-9a-f]{64}", "sha256:[DIGEST]"),
        (r"\b[0-9a-f]{64}\b", "[DIGEST]"),
        (r#""(elapsed_ms|took_ms|pid)": ?\d+"#, r#""${1}":[N]"#),
        (r"\[ *\d+\.\ds\]", "[ELAPSED]"),
        (r"\b\d+m ?\d+s\b", "[DURATION]"),
        (r"\b\d+(\.\d+)? ?(ms|µs|s)\b", "[DURATION]"),
    ]
    .map(|(pattern, replacement)| (pattern.to_owned(), replacement.to_owned()))
    .to_vec()
}
