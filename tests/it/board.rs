//! `up` in a terminal: the real program in a pseudo-terminal, read by an emulator.

use rustix::process::Signal;

use crate::{
    small::{Machine, signal},
    support::{pty::Pty, workloads::Trouble},
};

async fn machine() -> Machine {
    let mut machine = Machine::new().await;
    machine.env("TERM", "xterm-256color");
    machine
}

fn start(machine: &Machine, more: &[&str], rows: u16, columns: u16) -> (Pty, tokio::process::Child) {
    let port = machine.port.to_string();
    let words: Vec<&str> = ["up", "--bundle", &machine.bundle, "--port", &port].into_iter().chain(more.iter().copied()).collect();
    Pty::spawn(&mut machine.command(&words), rows, columns)
}

/// Waits for something on the screen, at most 30 seconds.
async fn shows(pty: &Pty, what: &str, holds: impl Fn(&str) -> bool) {
    for _ in 0..3000 {
        if holds(&pty.screen()) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("{what} did not come true:\n{}", pty.screen());
}

/// The lines of the screen; those of finished stages without their times and sorted: which of two side by side ends first is chance.
fn settled(screen: &str) -> String {
    let told = |line: &str| line.split_once("] ").filter(|_| line.starts_with('[')).map(|(_, told)| told.to_owned());
    let mut stages: Vec<String> = screen.lines().filter_map(told).collect();
    stages.sort_unstable();
    let times = |line: &&str| line.starts_with("  ") && line.ends_with('s') && line.split_whitespace().count() == 2;
    let rest = screen.lines().filter(|line| told(line).is_none() && !times(line));
    let mut lines: Vec<String> = rest.map(str::to_owned).collect();
    lines.splice(1..1, stages);
    lines.join("\n")
}

/// The final screen holds what is finished and what is left, and nothing of the board.
#[tokio::test]
async fn up_in_a_terminal() {
    let machine = machine().await;
    let (pty, mut child) = start(&machine, &[], 80, 100);
    let status = child.wait().await.unwrap();
    let (screen, bytes) = pty.end();
    assert_eq!(status.code(), Some(0), "{screen}");
    machine.snapshots().bind(|| insta::assert_snapshot!("final_screen", settled(&screen)));
    assert!(!bytes.contains("\u{1b}[?25"), "the cursor is never hidden: nothing has to bring it back");
    assert!(bytes.contains(" of 21 stages, "), "there was a board: {bytes}");
    // tmux keeps a screen that is cleared from its upper left corner: its history had a board for each drawing.
    assert!(!bytes.contains("\u{1b}[J") && !bytes.contains("\u{1b}[2J"), "the screen is never cleared as a whole");
}

/// What is waited for is on the screen, in whatever width it has; Ctrl-C takes the board away and leaves the error below.
#[tokio::test]
async fn a_wait_a_resize_and_ctrl_c() {
    let machine = machine().await;
    machine.server.trouble("istio-system/istiod", Trouble::NeverReady);
    let (pty, mut child) = start(&machine, &[], 40, 80);
    let line = |screen: &str, start: &str| screen.lines().find(|line| line.starts_with(start)).map(str::to_owned);
    shows(&pty, "what istio waits for", |screen| line(screen, "… istio ").is_some_and(|line| line.contains("rollout/"))).await;
    shows(&pty, "a stage that cannot start yet", |screen| line(screen, "◦ ingress ").is_some()).await;
    assert!(pty.screen().lines().all(|line| console::measure_text_width(line) <= 80), "{}", pty.screen());
    pty.resize(40, 44);
    shows(&pty, "the new width", |screen| {
        line(screen, "… istio ").is_some_and(|line| (40..44).contains(&console::measure_text_width(&line)))
    })
    .await;
    pty.resize(60, 100);
    shows(&pty, "and again", |screen| line(screen, "… istio ").is_some_and(|line| console::measure_text_width(&line) > 80)).await;
    signal(&child, Signal::INT);
    let status = child.wait().await.unwrap();
    let (screen, bytes) = pty.end();
    assert_eq!(status.code(), Some(130), "{screen}");
    let lines: Vec<&str> = screen.lines().collect();
    let error = lines.iter().position(|line| line.starts_with("error[INTERRUPTED]")).expect(&screen);
    assert!(lines[error + 1].starts_with("cause: ") && lines[error..].iter().any(|line| line.starts_with("hint: ")), "{screen}");
    for gone in ["◦", "… istio", " stages, "] {
        let left = lines.iter().filter(|line| line.contains(gone)).count();
        assert_eq!(left, 0, "{gone} is still there:\n{screen}");
    }
    assert!(lines.iter().any(|line| line.contains("✗ istio stopped")), "{screen}");
    assert!(!bytes.contains("\u{1b}[?25"), "the cursor is never hidden");
}

/// The second Ctrl-C ends the program at once: the cursor stands below the board all the time.
#[tokio::test]
async fn a_run_that_is_killed_leaves_the_cursor_below() {
    let machine = machine().await;
    machine.server.trouble("istio-system/istiod", Trouble::NeverReady);
    let (pty, mut child) = start(&machine, &[], 40, 80);
    shows(&pty, "the board", |screen| screen.contains("… istio")).await;
    signal(&child, Signal::KILL);
    child.wait().await.unwrap();
    let (screen, bytes) = pty.end();
    // The line that it stands on is cleared.
    assert!(bytes.ends_with("\n\u{1b}[K") && !bytes.contains("\u{1b}[?25"), "{screen}");
}

/// No colour and no redrawing with `NO_COLOR`, with `TERM=dumb`, with `-o plain`: only lines.
#[tokio::test]
async fn plain_lines_where_they_are_wanted() {
    for (name, value, more) in [("NO_COLOR", "1", &[][..]), ("TERM", "dumb", &[]), ("LANG", "C", &["-o", "plain"])] {
        let mut machine = machine().await;
        machine.env(name, value);
        let (pty, mut child) = start(&machine, more, 120, 100);
        let status = child.wait().await.unwrap();
        let (screen, bytes) = pty.end();
        assert_eq!(status.code(), Some(0), "{screen}");
        let redrawn = ["\u{1b}[K", "\u{1b}[J", "\u{1b}[H"].iter().any(|code| bytes.contains(code));
        assert!(!redrawn && screen.contains("• istio"), "{name}: {screen}");
        assert!(more.len() == 2 || !bytes.contains('\u{1b}'), "{name}: {screen}");
    }
}
