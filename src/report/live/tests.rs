//! The board in a terminal: what a real emulator shows after the bytes.

use std::collections::BTreeMap;
use std::io::Write;
use std::num::NonZeroU16;
use std::sync::{Arc, Mutex};

use super::*;
use crate::cli::EventsOutput;
use crate::error::{Exit, Failure};
use crate::plan::StageId;
use crate::report::{Palette, View};

/// An emulator at the other end of both streams.
#[derive(Clone)]
struct Terminal(Arc<Mutex<Inside>>);

struct Inside {
    emulator: vt100::Parser,
    size: (u16, u16),
    writes: usize,
}

impl Write for Terminal {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut inside = self.0.lock().unwrap();
        inside.writes += 1;
        // What the line discipline of a terminal does with a line feed.
        let text = String::from_utf8(bytes.to_vec()).unwrap().replace('\n', "\r\n");
        inside.emulator.process(text.as_bytes());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn emulator(rows: u16, columns: u16) -> vt100::Parser {
    vt100::Parser::new(NonZeroU16::new(rows).unwrap(), NonZeroU16::new(columns).unwrap(), 1000)
}

impl Terminal {
    fn new(rows: u16, columns: u16) -> Self {
        Self(Arc::new(Mutex::new(Inside { emulator: emulator(rows, columns), size: (rows, columns), writes: 0 })))
    }

    fn printer(&self) -> Printer {
        let inside = Arc::clone(&self.0);
        Printer::terminal(self, Palette::coloured(), move || Some(inside.lock().unwrap().size))
    }

    /// Another size. The emulator only cuts its lines off; terminals of today, and tmux, break them anew: so does this.
    fn resize(&self, rows: u16, columns: u16) {
        let old = self.screen();
        let mut inside = self.0.lock().unwrap();
        inside.size = (rows, columns);
        inside.emulator = emulator(rows, columns);
        inside.emulator.process((old.trim_end_matches('\n').replace('\n', "\r\n") + "\r\n").as_bytes());
    }

    /// What the eye sees.
    fn screen(&self) -> String {
        let inside = self.0.lock().unwrap();
        let columns = inside.size.1;
        let rows: Vec<String> = inside.emulator.screen().rows(0, columns).map(|row| row.trim_end().to_owned()).collect();
        rows.join("\n").trim_end().to_owned()
    }

    fn writes(&self) -> usize {
        self.0.lock().unwrap().writes
    }

    fn hides_cursor(&self) -> bool {
        self.0.lock().unwrap().emulator.screen().hide_cursor()
    }

    fn cursor(&self) -> (u16, u16) {
        self.0.lock().unwrap().emulator.screen().cursor_position()
    }
}

fn id(name: &str) -> StageId {
    StageId::parse(name).unwrap()
}

fn at(elapsed_ms: u64, kind: EventKind) -> Event {
    Event { at: "2030-01-01T00:00:00Z".to_owned(), elapsed_ms, kind }
}

fn begin(stages: &[(&str, &[&str])]) -> Event {
    let needs: BTreeMap<StageId, Vec<StageId>> =
        stages.iter().map(|(name, needs)| (id(name), needs.iter().map(|need| id(need)).collect())).collect();
    let (verb, cluster, set, profile) = ("up".into(), "quickstart".into(), "kserve-0.20".into(), "serverless".into());
    at(0, EventKind::RunStarted { verb, cluster, set, profile, stages: stages.iter().map(|(name, _)| id(name)).collect(), needs })
}

fn started(ms: u64, name: &str) -> Event {
    at(ms, EventKind::StageStarted { stage: id(name) })
}

fn finished(ms: u64, name: &str, took_ms: u64) -> Event {
    at(ms, EventKind::StageFinished { stage: id(name), took_ms })
}

fn moved(ms: u64, name: &str, what: &str, done: u64, total: Option<u64>) -> Event {
    at(ms, EventKind::BytesMoved { stage: id(name), what: what.into(), done, total })
}

fn pending(ms: u64, name: &str, check: &str, saw: &str) -> Event {
    at(ms, EventKind::CheckPending { stage: id(name), check: check.into(), saw: saw.into() })
}

fn ended(ms: u64, exit: Exit, failure: Option<Failure>) -> Event {
    at(ms, EventKind::RunFinished { exit: exit.code(), took_ms: ms, outcome: None, failure })
}

const STAGES: &[(&str, &[&str])] = &[
    ("fetch", &[]),
    ("cluster", &["fetch"]),
    ("images/istio", &["cluster"]),
    ("cert-manager", &["cluster"]),
    ("istio", &["images/istio"]),
    ("kserve", &["istio", "cert-manager"]),
    ("predict", &["kserve"]),
];

/// A minute in which everything happens once.
fn minute() -> Vec<Event> {
    vec![
        begin(STAGES),
        started(0, "fetch"),
        finished(900, "fetch", 900),
        started(900, "cluster"),
        finished(20_000, "cluster", 19_100),
        at(20_000, EventKind::Noted { message: "port 8080 is taken, 8081 it is".into() }),
        started(20_000, "images/istio"),
        started(20_000, "cert-manager"),
        moved(24_000, "images/istio", "images/istio.tar", 34_000_000, Some(120_000_000)),
        pending(
            24_000,
            "cert-manager",
            "cert-manager/rollout/cert-manager-webhook",
            "容器正在启动，还没有准备好\n0 of 1 ready \u{1b}[2J and a message that is wider than any terminal in the room can be",
        ),
        pending(24_500, "cert-manager", "cert-manager/denied/issuer", "no answer"),
    ]
}

fn earlier() -> Pace {
    let mut events = vec![begin(STAGES)];
    events.extend(STAGES.iter().map(|(name, _)| finished(0, name, 10_000)));
    events.push(ended(0, Exit::Ok, None));
    Pace::of(events)
}

/// Every event at its time, a tick each 100 ms: up to the time that is asked for.
fn play(view: &mut View, printer: &Printer, events: &[Event], from: u64, to: u64) {
    for now in (from..to).step_by(100) {
        for event in events.iter().filter(|event| (now..now + 100).contains(&event.elapsed_ms)) {
            view.event(event, printer).unwrap();
        }
        view.tick(now, printer).unwrap();
    }
}

fn watch(rows: u16, columns: u16, pace: Pace) -> (Terminal, Printer, View) {
    let terminal = Terminal::new(rows, columns);
    let printer = terminal.printer();
    let view = View::new(EventsOutput::Auto, &printer, pace);
    assert!(matches!(view, View::Live(_)));
    (terminal, printer, view)
}

#[test]
fn eighty_columns() {
    let (terminal, printer, mut view) = watch(24, 80, earlier());
    play(&mut view, &printer, &minute(), 0, 26_000);
    insta::assert_snapshot!("eighty_columns", terminal.screen());
    let widest = terminal.screen().lines().map(console::measure_text_width).max();
    assert!(widest < Some(80), "{widest:?}");
}

#[test]
fn a_hundred_and_twenty_columns() {
    let (terminal, printer, mut view) = watch(30, 120, earlier());
    play(&mut view, &printer, &minute(), 0, 26_000);
    insta::assert_snapshot!("hundred_and_twenty_columns", terminal.screen());
}

/// What was on the screen before, what is finished and the board: nothing is lost and nothing is left over, narrower or wider.
#[test]
fn a_resize_in_the_middle() {
    let (terminal, printer, mut view) = watch(30, 120, earlier());
    terminal.clone().write_all(b"$ quickstart up\n").unwrap();
    play(&mut view, &printer, &minute(), 0, 26_000);
    terminal.resize(24, 80);
    view.tick(26_000, &printer).unwrap();
    let (reference, other, mut unmoved) = watch(24, 80, earlier());
    reference.clone().write_all(b"$ quickstart up\n").unwrap();
    play(&mut unmoved, &other, &minute(), 0, 26_100);
    assert_eq!(terminal.screen(), reference.screen());
    terminal.resize(12, 50);
    view.tick(26_100, &printer).unwrap();
    insta::assert_snapshot!("fifty_columns_after_a_resize", terminal.screen());
    terminal.resize(30, 120);
    view.tick(26_200, &printer).unwrap();
    assert!(terminal.screen().ends_with("up: 2 of 7 stages, 26s, about 34s to go"), "{}", terminal.screen());
    assert_eq!(terminal.screen().matches("of 7 stages").count(), 1, "{}", terminal.screen());
}

/// A few lines are enough: what has no room is counted.
#[test]
fn a_terminal_with_seven_lines_keeps_the_last_one_for_the_run() {
    let (terminal, printer, mut view) = watch(7, 60, Pace::default());
    play(&mut view, &printer, &minute()[..3], 0, 2_000);
    insta::assert_snapshot!("seven_lines", terminal.screen());
    for (rows, columns) in [(1, 80), (2, 1), (3, 5), (5, 12)] {
        let (terminal, printer, mut view) = watch(rows, columns, earlier());
        play(&mut view, &printer, &minute(), 0, 26_000);
        assert!(!terminal.screen().contains("quickstart up: quickstart up"), "{}", terminal.screen());
    }
}

/// The board goes, what is finished stays, and the error stands below everything.
#[test]
fn a_failure_stands_below() {
    let (terminal, printer, mut view) = watch(24, 80, earlier());
    let failure = Failure::new("WEBHOOK_UNREACHABLE", Exit::StageFailed, "the webhook of cert-manager does not answer")
        .cause("connection refused")
        .hint("look at `quickstart status`");
    let mut events = minute();
    events.push(at(26_000, EventKind::StageFailed { stage: id("cert-manager"), failure: failure.clone() }));
    for name in ["images/istio", "istio", "kserve", "predict"] {
        events.push(at(26_000, EventKind::StageCancelled { stage: id(name) }));
    }
    events.push(ended(26_100, Exit::StageFailed, Some(failure)));
    play(&mut view, &printer, &events, 0, 27_000);
    insta::assert_snapshot!("failure_below", terminal.screen());
    assert!(!terminal.hides_cursor());
    assert_eq!(terminal.cursor().1, 0, "the shell's prompt begins at the left");
}

/// A program beside the run that says something gets the board's place, and the board comes again below it.
#[test]
fn whoever_prints_stands_above() {
    let (terminal, printer, mut view) = watch(24, 80, Pace::default());
    play(&mut view, &printer, &minute()[..3], 0, 1_000);
    printer.talk("up (process 7) is at work on this cluster");
    view.tick(2_000, &printer).unwrap();
    let screen = terminal.screen();
    let lines: Vec<&str> = screen.lines().collect();
    let said = lines.iter().position(|line| line.contains("process 7")).unwrap();
    let total = lines.iter().position(|line| line.contains("of 7 stages")).unwrap();
    assert!(said < total && total == lines.len() - 1, "{screen}");
    assert_eq!(screen.matches("◦ predict").count(), 1, "{screen}");
}

/// Thousands of events in a second, asked for ever so often: at most ten drawings.
#[test]
fn never_more_than_one_drawing_in_a_tenth_of_a_second() {
    let (terminal, printer, mut view) = watch(24, 80, Pace::default());
    view.event(&begin(STAGES), &printer).unwrap();
    view.event(&started(0, "images/istio"), &printer).unwrap();
    for now in 0..1_000 {
        for part in 0..10 {
            view.event(&moved(now, "images/istio", "istio.tar", (now * 10 + part) * 1_000_000, None), &printer).unwrap();
            view.event(&at(now, EventKind::Noted { message: format!("{now}/{part}") }), &printer).unwrap();
            view.tick(now, &printer).unwrap();
        }
    }
    assert_eq!(terminal.writes(), 10);
    assert_eq!(view.period().as_millis(), 100, "the clock does not ask more often");
}

/// A screen on which nothing changes is left alone: a terminal over a slow line, a recording.
#[test]
fn a_second_without_news_is_one_drawing() {
    let (terminal, printer, mut view) = watch(24, 80, Pace::default());
    play(&mut view, &printer, &minute(), 0, 30_000);
    let before = terminal.writes();
    play(&mut view, &printer, &[], 30_000, 40_000);
    assert_eq!(terminal.writes() - before, 10);
}

#[test]
fn plain_lines_where_nothing_can_be_drawn_again() {
    let (printer, _) = Printer::capture();
    assert!(matches!(View::new(EventsOutput::Auto, &printer, Pace::default()), View::Plain(_)));
    let printer = Terminal::new(24, 80).printer();
    assert!(matches!(View::new(EventsOutput::Plain, &printer, Pace::default()), View::Plain(_)));
    assert!(matches!(View::new(EventsOutput::Json, &printer, Pace::default()), View::Json));
}
