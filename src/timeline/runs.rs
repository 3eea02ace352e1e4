//! Earlier runs of this machine in a line each: what `plan` expects is what was measured here. They outlive their clusters.

use std::io::{self, BufRead as _, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Ended, Timeline};
use crate::plan::StageId;

/// Lines that are kept.
const MOST: usize = 50;

/// A run that ended well.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Run {
    /// Of this line; 1.
    pub version: u32,
    /// When it started, RFC 3339.
    pub at: String,
    /// What makes runs comparable.
    #[serde(flatten)]
    pub sort: Sort,
    /// Milliseconds.
    pub took_ms: u64,
}

/// Runs of one sort take about as long as each other.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Sort {
    /// `up`, `reset`, `start`.
    pub verb: String,
    /// Version set.
    pub set: String,
    /// Profile.
    pub profile: String,
    /// The cluster was made in it.
    pub made: bool,
    /// Its images came from a bundle.
    pub bundle: bool,
    /// A demo was installed and asked.
    pub demo: bool,
}

impl Run {
    /// What is worth remembering of a run; nothing of one that failed.
    pub fn of(told: &Timeline) -> Option<Self> {
        let done = |id: &StageId| told.stages.iter().any(|lane| lane.stage == *id && lane.ended == Ended::Done);
        let sort = Sort {
            verb: told.verb.clone(),
            set: told.set.clone(),
            profile: told.profile.clone(),
            made: done(&StageId::Cluster),
            bundle: told.stages.iter().any(|lane| matches!(lane.stage, StageId::Images(_))),
            demo: told.stages.iter().any(|lane| lane.stage == StageId::Predict),
        };
        (told.exit == Some(0)).then(|| Self { version: 1, at: told.at.clone(), sort, took_ms: told.took_ms })
    }
}

/// Oldest first; what cannot be read is left out.
pub fn runs(file: &Path) -> Vec<Run> {
    let Ok(file) = fs_err::File::open(file) else { return Vec::new() };
    let lines = io::BufReader::new(io::Read::take(file, 1 << 20)).lines().map_while(Result::ok);
    lines.filter_map(|line| serde_json::from_str::<Run>(&line).ok()).filter(|run| run.version == 1).collect()
}

/// Adds one, and forgets the oldest.
///
/// # Errors
/// Those of the file system.
pub fn remember(file: &Path, run: &Run) -> io::Result<()> {
    let mut all = runs(file);
    // A run without stages (`stop`) leaves the one before it as the last one.
    if all.iter().any(|known| known.at == run.at && known.sort == run.sort) {
        return Ok(());
    }
    all.push(run.clone());
    let folder = file.parent().unwrap_or(Path::new("."));
    fs_err::create_dir_all(folder)?;
    let mut text = tempfile::Builder::new().prefix(".quickstart-").tempfile_in(folder)?;
    for run in &all[all.len().saturating_sub(MOST)..] {
        writeln!(text, "{}", serde_json::to_string(run)?)?;
    }
    text.persist(file).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(took_ms: u64) -> Run {
        let sort = Sort { verb: "up".into(), set: "s".into(), profile: "raw".into(), made: true, bundle: false, demo: true };
        Run { version: 1, at: format!("2030-01-01T00:00:{took_ms:02}Z"), sort, took_ms }
    }

    #[test]
    fn fifty_are_kept_and_torn_lines_are_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("cache/runs.jsonl");
        assert!(runs(&file).is_empty());
        for took_ms in 0..60 {
            remember(&file, &run(took_ms)).unwrap();
            remember(&file, &run(took_ms)).unwrap();
        }
        let all = runs(&file);
        assert_eq!((all.len(), all[0].took_ms, all[49].took_ms), (50, 10, 59));
        let text = fs_err::read_to_string(&file).unwrap() + "{\"version\":2}\n{\"ver";
        fs_err::write(&file, text).unwrap();
        assert_eq!(runs(&file).len(), 50);
    }
}
