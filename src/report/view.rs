//! Who reads the events on the screen.

use std::io;

use std::time::Duration;

use super::{Line, Live, Plain, Printer, line};
use crate::{
    cli::EventsOutput,
    event::{Event, EventKind},
    timeline::Pace,
};

/// A reader of events. It prints the whole story, the final error included: whoever feeds it must not print that again.
#[derive(Clone, Debug)]
pub enum View {
    /// One line a fact; progress on stderr, what is left at the end on stdout.
    Plain(Plain),
    /// A board of the stages at work in a terminal, finished ones above it.
    Live(Box<Live>),
    /// One JSON event a line on stdout.
    Json,
    /// Only what is left at the end, and errors.
    Quiet(Plain),
}

impl View {
    /// The view that was asked for; `pace` is what earlier runs teach.
    pub fn new(output: EventsOutput, printer: &Printer, pace: Pace) -> Self {
        let plain = || Plain::new(printer.talk_palette(), printer.data_palette());
        match output {
            EventsOutput::Json => Self::Json,
            EventsOutput::Auto | EventsOutput::Plain if printer.is_quiet() => Self::Quiet(plain()),
            EventsOutput::Auto if printer.can_redraw() => Self::Live(Box::new(Live::new(plain(), pace))),
            EventsOutput::Auto | EventsOutput::Plain => Self::Plain(plain()),
        }
    }

    /// Shows an event.
    ///
    /// # Errors
    /// stdout cannot be written to for another reason than a reader that went away.
    pub fn event(&mut self, event: &Event, printer: &Printer) -> io::Result<()> {
        match self {
            Self::Json => {
                if let EventKind::RunFinished { failure: Some(failure), .. } = &event.kind {
                    printer.failure(failure);
                }
                printer.data(&line(event))
            }
            Self::Live(live) => live.event(event, printer),
            Self::Plain(plain) => print(plain.event(event), printer, false),
            Self::Quiet(plain) => print(plain.event(event), printer, true),
        }
    }

    /// How often [`tick`](Self::tick) is to be called: a board is drawn then, and only then.
    pub fn period(&self) -> Duration {
        match self {
            Self::Live(_) => Duration::from_millis(100),
            Self::Plain(_) | Self::Json | Self::Quiet(_) => Duration::from_millis(500),
        }
    }

    /// Shows that time went by.
    ///
    /// # Errors
    /// As for [`event`](Self::event).
    pub fn tick(&mut self, elapsed_ms: u64, printer: &Printer) -> io::Result<()> {
        match self {
            Self::Live(live) => {
                live.tick(elapsed_ms, printer);
                Ok(())
            }
            Self::Plain(plain) => print(plain.tick(elapsed_ms), printer, false),
            Self::Json | Self::Quiet(_) => Ok(()),
        }
    }
}

fn print(lines: Vec<Line>, printer: &Printer, quiet: bool) -> io::Result<()> {
    for line in lines {
        match line {
            Line::Talk(_) | Line::Passing(_) if quiet => {}
            Line::Talk(text) | Line::Passing(text) => printer.talk(&text),
            Line::Data(text) => printer.data(&text)?,
            Line::Failure(failure) => printer.failure(&failure),
        }
    }
    Ok(())
}
