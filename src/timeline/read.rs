//! What `events.jsonl` holds: the last run, and the pace of all of them.

use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::Path;

use super::Pace;
use crate::event::{Event, EventKind};

/// An event's line is a few hundred bytes; one that is longer than this was not written by us.
const LONGEST: u64 = 4 << 20;

/// The events of the last run of stages, oldest first; none where there was no run. Lines that cannot be read (of another version, torn by a
/// kill) are left out.
///
/// # Errors
/// Those of the file system, other than a file that is not there.
pub fn last_run(path: &Path) -> io::Result<Vec<Event>> {
    let (mut events, mut wanted) = (Vec::new(), false);
    each(path, |event| {
        if let EventKind::RunStarted { stages, .. } = &event.kind {
            // `stop` has none, and there is nothing to draw of it.
            wanted = !stages.is_empty();
            if wanted {
                events.clear();
            }
        }
        if wanted {
            events.push(event);
        }
    })?;
    Ok(events)
}

/// What all runs of the file teach; nothing where there is none, or none that can be read.
pub fn pace(path: &Path) -> Pace {
    let mut events = Vec::new();
    // What was read before an error is as true as before.
    drop(each(path, |event| match event.kind {
        EventKind::RunStarted { .. } | EventKind::StageFinished { .. } | EventKind::RunFinished { .. } => events.push(event),
        _ => {}
    }));
    Pace::of(events)
}

fn each(path: &Path, mut heard: impl FnMut(Event)) -> io::Result<()> {
    let file = match fs_err::File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        file => file?,
    };
    let (mut lines, mut line) = (BufReader::new(file), Vec::new());
    loop {
        line.clear();
        if lines.by_ref().take(LONGEST).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if let Ok(event) = serde_json::from_slice(&line) {
            heard(event);
        }
    }
}
