//! Who reads the events on the screen.

use std::io;

use super::{Line, Plain, Printer, line};
use crate::{
    cli::EventsOutput,
    event::{Event, EventKind},
};

/// A reader of events. It prints the whole story, the final error included: whoever feeds it must not print that again.
#[derive(Clone, Debug)]
pub enum View {
    /// One line a fact; progress on stderr, what is left at the end on stdout.
    Plain(Plain),
    /// One JSON event a line on stdout.
    Json,
    /// Only what is left at the end, and errors.
    Quiet(Plain),
}

impl View {
    /// The view that was asked for.
    pub fn new(output: EventsOutput, printer: &Printer) -> Self {
        let plain = || Plain::new(printer.talk_palette(), printer.data_palette());
        match output {
            EventsOutput::Json => Self::Json,
            EventsOutput::Auto | EventsOutput::Plain if printer.is_quiet() => Self::Quiet(plain()),
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
            Self::Plain(plain) => print(plain.event(event), printer, false),
            Self::Quiet(plain) => print(plain.event(event), printer, true),
        }
    }

    /// Shows that time went by; call it about once a second.
    ///
    /// # Errors
    /// As for [`event`](Self::event).
    pub fn tick(&mut self, elapsed_ms: u64, printer: &Printer) -> io::Result<()> {
        match self {
            Self::Plain(plain) => print(plain.tick(elapsed_ms), printer, false),
            Self::Json | Self::Quiet(_) => Ok(()),
        }
    }
}

fn print(lines: Vec<Line>, printer: &Printer, quiet: bool) -> io::Result<()> {
    for line in lines {
        match line {
            Line::Talk(_) if quiet => {}
            Line::Talk(text) => printer.talk(&text),
            Line::Data(text) => printer.data(&text)?,
            Line::Failure(failure) => printer.failure(&failure),
        }
    }
    Ok(())
}
