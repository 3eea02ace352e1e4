//! `events.jsonl`: every event of every run, appended.

use std::{
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::Path,
};

use fs_err::{File, OpenOptions, os::unix::fs::OpenOptionsExt as _};

use super::line;
use crate::event::Event;

/// Appends events to a file.
#[derive(Debug)]
pub struct EventLog {
    file: File,
}

impl EventLog {
    /// Opens or makes the file (mode 0600). A last line that a killed run left half written is ended, so that ours stay whole.
    ///
    /// # Errors
    /// Those of the file system, with the path in the message.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
        if file.metadata()?.len() > 0 {
            let mut last = [0];
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                file.write_all(b"\n")?;
            }
        }
        Ok(Self { file })
    }

    /// Writes one event.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn record(&mut self, event: &Event) -> io::Result<()> {
        let mut text = line(event);
        text.push('\n');
        self.file.write_all(text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::EventKind;

    fn note(message: &str) -> Event {
        Event { at: "2030-01-01T00:00:00Z".into(), elapsed_ms: 1, kind: EventKind::Noted { message: message.into() } }
    }

    /// A run killed in the middle of a line must not make the next run's first event unreadable.
    #[test]
    fn a_torn_last_line_does_not_take_the_next_one_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        EventLog::open(&path).unwrap().record(&note("first")).unwrap();
        let whole = fs_err::read_to_string(&path).unwrap();
        fs_err::write(&path, &whole[..whole.len() / 2]).unwrap();
        EventLog::open(&path).unwrap().record(&note("second\nline")).unwrap();
        let text = fs_err::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 2);
        let event: Event = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        assert!(matches!(event.kind, EventKind::Noted { message } if message == "second\nline"));
    }

    #[test]
    fn only_the_owner_reads_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        EventLog::open(&path).unwrap();
        assert_eq!(fs_err::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
