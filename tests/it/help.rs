//! What the program says of itself.

use crate::{
    small::{error_id, refused},
    support::sandbox::Sandbox,
};

/// `--help` is data: stdout, exit 0, with the verbs and every exit code.
#[tokio::test]
async fn help_lists_verbs_and_exit_codes() {
    let machine = Sandbox::new().await;
    let help = machine.quickstart(&["--help"]).await.expect(0);
    assert!(help.stderr.is_empty());
    for verb in [
        "up", "stop", "start", "reset", "down", "status", "predict", "sample", "image", "plan", "forward", "bundle", "serve", "doctor",
        "logs", "version",
    ] {
        assert!(help.stdout.lines().any(|line| line.trim_start().starts_with(verb)), "{verb} is missing:\n{}", help.stdout);
    }
    let codes = help.stdout.split("Exit codes:").nth(1).unwrap();
    for code in ["0", "1", "2", "3", "4", "5", "6", "7", "8", "130"] {
        assert!(codes.lines().any(|line| line.split_whitespace().next() == Some(code)), "{code} is missing:\n{codes}");
    }
    let up = machine.quickstart(&["up", "--help"]).await.expect(0);
    for flag in ["--bundle", "--port", "--profile", "--set", "--timeout", "--keep-context", "--without-demo"] {
        assert!(up.stdout.contains(flag), "{flag} is missing:\n{}", up.stdout);
    }
    assert_eq!(machine.quickstart(&["version"]).await.expect(0).stdout, concat!("quickstart ", env!("CARGO_PKG_VERSION"), "\n"));
}

/// A flag or verb that does not exist: exit 2, what is meant, where help is; nothing on stdout.
#[tokio::test]
async fn what_does_not_exist_is_refused() {
    let machine = Sandbox::new().await;
    let output = refused(machine.quickstart(&["up", "--bundel", "x"]).await, 2, "USAGE");
    assert!(output.stdout.is_empty());
    machine.snapshots().bind(|| insta::assert_snapshot!("unknown_flag", output.text()));
    refused(machine.quickstart(&["upp"]).await, 2, "USAGE");
    let nothing = machine.quickstart(&[]).await.expect(2);
    assert!(nothing.stdout.is_empty() && nothing.stderr.contains("Usage"), "{}", nothing.text());
}

/// A closed pipe is no error of ours (`quickstart plan | head -1`).
#[tokio::test]
async fn a_reader_that_went_away_is_no_error() {
    let machine = Sandbox::new().await;
    let mut child = machine.spawn(&["plan", "-o", "json"]);
    drop(child.stdout.take());
    let output = machine.finish(child, &["plan"]).await.expect(0);
    assert_eq!(error_id(&output), None);
}

/// Neither colour nor a cursor movement without a terminal.
#[tokio::test]
async fn no_escape_sequence_without_a_terminal() {
    let machine = Sandbox::new().await;
    for arguments in [&["--help"][..], &["plan"], &["status"], &["up", "--bundel"], &["doctor"]] {
        let output = machine.quickstart(arguments).await;
        assert!(!output.text().contains('\u{1b}'), "{arguments:?}: {}", output.text());
    }
}
