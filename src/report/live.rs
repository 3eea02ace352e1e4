//! A board that stands below what is printed, and moves down with it: events in, at most one drawing in a while out.

use std::io;

use super::{Board, Line, Plain, Printer, Size};
use crate::event::{Event, EventKind};
use crate::timeline::Pace;

/// Two drawings are at least so many milliseconds apart.
const PAUSE: u64 = 100;

/// The view of a run in a terminal.
#[derive(Clone, Debug)]
pub struct Live {
    plain: Plain,
    board: Board,
    /// Lines that stay, not printed yet.
    lines: Vec<String>,
    now: u64,
    drawn: Option<Drawn>,
    over: bool,
}

/// The last drawing.
#[derive(Clone, Debug)]
struct Drawn {
    at: u64,
    size: Size,
    board: Vec<String>,
}

impl Live {
    /// A view that prints what stays as `plain` does.
    pub fn new(plain: Plain, pace: Pace) -> Self {
        Self { plain, board: Board::new(pace), lines: Vec::new(), now: 0, drawn: None, over: false }
    }

    /// Takes a fact in. Nothing is drawn before the next [`tick`](Self::tick), but for the end of the run: there the board goes, and
    /// what the run leaves takes its place.
    ///
    /// # Errors
    /// stdout cannot be written to.
    pub(super) fn event(&mut self, event: &Event, printer: &Printer) -> io::Result<()> {
        self.board.event(event);
        for line in self.plain.event(event) {
            match line {
                Line::Talk(text) => self.lines.push(text),
                Line::Passing(_) => {}
                Line::Data(text) => {
                    self.leave(printer);
                    printer.data(&text)?;
                }
                Line::Failure(failure) => {
                    self.leave(printer);
                    printer.failure(&failure);
                }
            }
        }
        if matches!(event.kind, EventKind::RunFinished { .. }) {
            self.leave(printer);
            self.over = true;
        }
        Ok(())
    }

    /// Draws, if there is something new and the last drawing was long enough ago.
    pub(super) fn tick(&mut self, elapsed_ms: u64, printer: &Printer) {
        self.now = self.now.max(elapsed_ms);
        if self.over || self.drawn.as_ref().is_some_and(|drawn| self.now.saturating_sub(drawn.at) < PAUSE) {
            return;
        }
        let size = printer.size();
        let board = self.board.lines(self.now, size, printer.talk_palette());
        if self.lines.is_empty() && self.drawn.as_ref().is_some_and(|drawn| drawn.size == size && drawn.board == board) {
            return;
        }
        printer.redraw(&self.lines, &board);
        self.lines.clear();
        self.drawn = Some(Drawn { at: self.now, size, board });
    }

    /// No board any more: what stays is printed.
    fn leave(&mut self, printer: &Printer) {
        printer.redraw(&self.lines, &[]);
        self.lines.clear();
        self.drawn = None;
    }
}

#[cfg(test)]
mod tests;
