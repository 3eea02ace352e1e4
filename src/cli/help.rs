//! What stands below the list of verbs: exit codes, environment, where help is.

use std::fmt::Write as _;

use crate::error::Exit;

/// Environment variables that stand in for flags, and the two that move our folders.
pub(super) const VARIABLES: [(&str, &str); 11] = [
    ("QUICKSTART_NAME", "--name"),
    ("QUICKSTART_PROFILE", "--profile"),
    ("QUICKSTART_SET", "the version set, `set:` of the configuration file"),
    ("QUICKSTART_PORT", "--port"),
    ("QUICKSTART_BUNDLE", "--bundle"),
    ("QUICKSTART_TIMEOUT", "--timeout"),
    ("QUICKSTART_MIRROR", "--mirror"),
    ("QUICKSTART_NODE_IMAGE", "--node-image"),
    ("QUICKSTART_MDNS", "where rooms are announced and found: `off`, or the address of one interface"),
    ("QUICKSTART_CACHE_DIR", "where downloads are kept (~/.cache/quickstart)"),
    ("QUICKSTART_STATE_DIR", "where clusters are remembered (~/.local/state/quickstart)"),
];

/// The table of exit codes, one a line.
pub(super) fn exit_codes() -> String {
    let mut text = String::new();
    for exit in Exit::ALL {
        let _ = writeln!(text, "  {:>3}  {}", exit.code(), exit.meaning());
    }
    text
}

/// For `-h`.
pub(super) fn short() -> String {
    format!(
        "Exit codes:\n{}\nStart with `quickstart up`. Help on a verb: `quickstart VERB --help`. When something is wrong: `quickstart doctor`.",
        exit_codes()
    )
}

/// For `--help`.
pub(super) fn long() -> String {
    let mut text = String::from("Environment (flags win over it, it wins over the configuration file):\n");
    for (name, meaning) in VARIABLES {
        let _ = writeln!(text, "  {name:<22}  {meaning}");
    }
    text.push_str("  NO_COLOR                no colour\n\n");
    text + &short()
}
