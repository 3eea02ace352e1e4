//! The last run of `events.jsonl`.

use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::Path;

use crate::event::{Event, EventKind};

/// An event's line is a few hundred bytes; one that is longer than this was not written by us.
const LONGEST: u64 = 4 << 20;

/// The events of the last run of stages, oldest first; none where there was no run. Lines that cannot be read (of another version, torn by a
/// kill) are left out.
///
/// # Errors
/// Those of the file system, other than a file that is not there.
pub fn last_run(path: &Path) -> io::Result<Vec<Event>> {
    let file = match fs_err::File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        file => file?,
    };
    let mut lines = BufReader::new(file);
    let (mut events, mut line, mut wanted) = (Vec::new(), Vec::new(), false);
    loop {
        line.clear();
        if lines.by_ref().take(LONGEST).read_until(b'\n', &mut line)? == 0 {
            return Ok(events);
        }
        let Ok(event) = serde_json::from_slice::<Event>(&line) else { continue };
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
    }
}
