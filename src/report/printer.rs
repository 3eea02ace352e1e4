//! The two streams. A reader that went away (`quickstart status | head -1`) is no error of ours.

use std::{
    fmt,
    io::{self, ErrorKind, IsTerminal, Write},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{Palette, Size, failure_json, failure_text, redraw::Below};
use crate::{config::Environment, error::Failure};

/// stdout is data, stderr is talk. Shared by reference between tasks; every call writes whole lines and flushes.
pub struct Printer {
    data: Stream,
    talk: Stream,
    quiet: bool,
    screen: Option<Screen>,
}

/// A terminal behind stderr on which lines may be drawn again.
struct Screen {
    size: Box<dyn Fn() -> Option<(u16, u16)> + Send + Sync>,
    below: Mutex<Below>,
}

impl Screen {
    fn new(size: impl Fn() -> Option<(u16, u16)> + Send + Sync + 'static) -> Self {
        Self { size: Box::new(size), below: Mutex::default() }
    }

    /// A terminal that does not know its size, or says it is 0, is taken for one of 80 by 24.
    fn size(&self) -> Size {
        let known = (self.size)().filter(|(rows, columns)| *rows > 0 && *columns > 0);
        known.map_or_else(Size::default, |(rows, columns)| Size { rows: rows.into(), columns: columns.into() })
    }
}

struct Stream {
    writer: Mutex<Box<dyn Write + Send>>,
    closed: AtomicBool,
    palette: Palette,
}

impl Printer {
    /// The process's own streams.
    pub fn standard(environment: &Environment, quiet: bool) -> Self {
        let (out, err) = (io::stdout(), io::stderr());
        let palettes = (Palette::choose(out.is_terminal(), environment), Palette::choose(err.is_terminal(), environment));
        // A terminal without a name is not known to understand anything.
        let screen = (palettes.1.has_colour() && environment.term.is_some()).then(|| {
            let terminal = console::Term::stderr();
            Screen::new(move || terminal.size_checked())
        });
        Self { data: Stream::new(Box::new(out), palettes.0), talk: Stream::new(Box::new(err), palettes.1), quiet, screen }
    }

    /// For tests: both streams into memory, without colour.
    pub fn capture() -> (Self, Captured) {
        let captured = Captured::default();
        let stream = |buffer: &Buffer| Stream::new(Box::new(buffer.clone()), Palette::plain());
        (Self { data: stream(&captured.data), talk: stream(&captured.talk), quiet: false, screen: None }, captured)
    }

    /// To any two writers, without colour.
    pub fn to(data: Box<dyn Write + Send>, talk: Box<dyn Write + Send>) -> Self {
        Self { data: Stream::new(data, Palette::plain()), talk: Stream::new(talk, Palette::plain()), quiet: false, screen: None }
    }

    /// For tests: both streams into one terminal of this size (rows and columns, asked for anew with every drawing).
    pub fn terminal(
        writer: &(impl Write + Clone + Send + 'static),
        palette: Palette,
        size: impl Fn() -> Option<(u16, u16)> + Send + Sync + 'static,
    ) -> Self {
        let stream = || Stream::new(Box::new(writer.clone()), palette);
        Self { data: stream(), talk: stream(), quiet: false, screen: Some(Screen::new(size)) }
    }

    /// May lines be drawn again? On a terminal that wants colour: both are switched off together.
    pub fn can_redraw(&self) -> bool {
        self.screen.is_some()
    }

    /// The terminal's size now.
    pub fn size(&self) -> Size {
        self.screen.as_ref().map_or_else(Size::default, Screen::size)
    }

    /// Prints lines of talk where the board stood, and draws `board` below them; in one write. Without a terminal there is no board.
    pub fn redraw(&self, lines: &[String], board: &[String]) {
        let text = lines.iter().fold(String::new(), |all, line| all + line.trim_end() + "\n");
        let bytes = match &self.screen {
            Some(screen) => screen.below.lock().unwrap_or_else(PoisonError::into_inner).over(&text, board, screen.size()),
            None => text,
        };
        if !self.quiet && !bytes.is_empty() {
            let _ = self.talk.write(bytes.as_bytes(), false);
        }
    }

    /// Whatever is printed is printed in the board's place; who draws the board draws it again below.
    fn make_room(&self) {
        let stands = |screen: &Screen| !screen.below.lock().unwrap_or_else(PoisonError::into_inner).is_empty();
        if self.screen.as_ref().is_some_and(stands) {
            self.redraw(&[], &[]);
        }
    }

    /// Text for stdout, ended with a line break where it has none.
    ///
    /// # Errors
    /// The stream's, except that a reader that went away is success.
    pub fn data(&self, text: &str) -> io::Result<()> {
        self.make_room();
        self.data.write(text.as_bytes(), true)
    }

    /// Bytes for stdout as they are: scripts, manual pages.
    ///
    /// # Errors
    /// As for [`data`](Self::data).
    pub fn raw(&self, bytes: &[u8]) -> io::Result<()> {
        self.data.write(bytes, false)
    }

    /// Text for stderr; silent with `--quiet`. Where nobody can listen there is nobody to tell about it either.
    pub fn talk(&self, text: &str) {
        if !self.quiet {
            self.make_room();
            let _ = self.talk.write(text.as_bytes(), true);
        }
    }

    /// An error's lines on stderr, also with `--quiet`.
    pub fn failure(&self, failure: &Failure) {
        self.make_room();
        let _ = self.talk.write(failure_text(failure, self.talk.palette).as_bytes(), true);
    }

    /// An error as one JSON line on stdout, for verbs with `-o json`, besides the lines on stderr.
    ///
    /// # Errors
    /// As for [`data`](Self::data).
    pub fn failure_as_json(&self, failure: &Failure) -> io::Result<()> {
        self.failure(failure);
        self.data(&failure_json(failure))
    }

    /// The colours of stdout.
    pub fn data_palette(&self) -> Palette {
        self.data.palette
    }

    /// The colours of stderr.
    pub fn talk_palette(&self) -> Palette {
        self.talk.palette
    }

    /// `--quiet` was given.
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// The reader of stdout went away.
    pub fn is_closed(&self) -> bool {
        self.data.closed.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Printer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Printer").field("quiet", &self.quiet).field("closed", &self.is_closed()).finish_non_exhaustive()
    }
}

impl Stream {
    fn new(writer: Box<dyn Write + Send>, palette: Palette) -> Self {
        Self { writer: Mutex::new(writer), closed: AtomicBool::new(false), palette }
    }

    fn write(&self, bytes: &[u8], whole_lines: bool) -> io::Result<()> {
        if self.closed.load(Ordering::Relaxed) {
            return Ok(());
        }
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = || {
            writer.write_all(bytes)?;
            if whole_lines && !bytes.ends_with(b"\n") {
                writer.write_all(b"\n")?;
            }
            writer.flush()
        };
        match all() {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.closed.store(true, Ordering::Relaxed);
                Ok(())
            }
            other => other,
        }
    }
}

/// What a captured printer wrote.
#[derive(Clone, Debug, Default)]
pub struct Captured {
    data: Buffer,
    talk: Buffer,
}

impl Captured {
    /// Everything on stdout so far.
    pub fn data(&self) -> String {
        self.data.text()
    }

    /// Everything on stderr so far.
    pub fn talk(&self) -> String {
        self.talk.text()
    }
}

#[derive(Clone, Debug, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Buffer {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Exit;

    struct Broken(ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// `quickstart status | head -1` must not end with a panic, which is what println! does on a closed pipe.
    #[test]
    fn a_closed_pipe_is_success_and_remembered() {
        let printer = Printer::to(Box::new(Broken(ErrorKind::BrokenPipe)), Box::new(Broken(ErrorKind::BrokenPipe)));
        assert!(!printer.is_closed());
        printer.data("x").unwrap();
        assert!(printer.is_closed());
        printer.talk("x");
        printer.failure(&Failure::internal("x"));
    }

    #[test]
    fn a_full_disk_behind_stdout_is_an_error() {
        let printer = Printer::to(Box::new(Broken(ErrorKind::StorageFull)), Box::new(io::sink()));
        assert_eq!(printer.data("x").unwrap_err().kind(), ErrorKind::StorageFull);
    }

    #[test]
    fn quiet_silences_talk_but_neither_data_nor_errors() {
        let (mut printer, captured) = Printer::capture();
        printer.quiet = true;
        printer.talk("progress");
        printer.data("result").unwrap();
        printer.failure(&Failure::new("PORT_BUSY", Exit::Prerequisite, "port 8080 is taken"));
        assert_eq!(captured.data(), "result\n");
        assert_eq!(captured.talk(), "error[PORT_BUSY]: port 8080 is taken\n");
    }

    #[test]
    fn json_failures_are_told_on_both_streams() {
        let (printer, captured) = Printer::capture();
        printer.failure_as_json(&Failure::new("A", Exit::NotRunning, "b")).unwrap();
        assert_eq!(captured.data().lines().count(), 1);
        assert!(captured.talk().starts_with("error[A]: b"));
    }
}
