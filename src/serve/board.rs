//! What participants told of themselves: bounded, whoever they are.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::fetch::Report;

/// Most participants; of more, whoever has been silent longest is forgotten.
pub(super) const MOST: usize = 500;
/// Most characters of a name.
const NAME: usize = 40;
/// Most characters of a stage and of an error's ID.
const WORD: usize = 48;

/// Everybody who gave a name.
#[derive(Debug, Default)]
pub(super) struct Board(Mutex<BTreeMap<(String, IpAddr), Seen>>);

/// A participant's last words.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) name: String,
    pub(super) stage: String,
    pub(super) done: u64,
    pub(super) of: u64,
    pub(super) error: Option<String>,
    pub(super) at: Instant,
}

impl Board {
    /// Takes a report, cut to its bounds; two machines may have one name. `false`: it has no name or no stage.
    pub(super) fn take(&self, from: IpAddr, report: &Report) -> bool {
        let (name, stage) = (name(&report.name), word(&report.stage));
        if name.is_empty() || stage.is_empty() {
            return false;
        }
        let error = report.error.as_deref().map(|error| word(&error.to_ascii_uppercase())).filter(|error| !error.is_empty());
        let seen = Seen { name: name.clone(), stage, done: report.done.min(report.of), of: report.of, error, at: Instant::now() };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert((name, from), seen);
        if all.len() > MOST
            && let Some(silent) = all.iter().min_by_key(|(_, seen)| seen.at).map(|(key, _)| key.clone())
        {
            all.remove(&silent);
        }
        true
    }

    /// Everybody, by name.
    pub(super) fn all(&self) -> Vec<Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

/// Letters of any script, without what steers a screen or turns the direction of writing.
fn name(text: &str) -> String {
    let safe = |c: &char| {
        !c.is_control() && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    text.trim().chars().filter(safe).take(NAME).collect::<String>().trim().to_owned()
}

/// A stage or an ID as our own program writes it.
fn word(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '/' | '.')).take(WORD).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(name: &str) -> Report {
        Report { name: name.to_owned(), stage: "istio".to_owned(), done: 3, of: 19, error: None }
    }

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn what_is_told_is_cut_to_its_bounds() {
        let board = Board::default();
        assert!(!board.take(HERE, &report(" \u{202e}\n ")) && !board.take(HERE, &Report { stage: "<>".into(), ..report("a") }));
        let long = Report { stage: "x".repeat(500), done: 9, of: 3, error: Some("port_busy<script>".into()), ..report(&"好".repeat(500)) };
        assert!(board.take(HERE, &long));
        let seen = board.all().remove(0);
        assert_eq!((seen.name.chars().count(), seen.stage.len(), seen.done), (NAME, WORD, 3));
        assert_eq!(seen.error.as_deref(), Some("PORT_BUSYSCRIPT"));
    }

    #[test]
    fn a_crowd_does_not_fill_the_memory() {
        let board = Board::default();
        for number in 0..MOST + 50 {
            board.take(HERE, &report(&format!("p{number}")));
        }
        let all = board.all();
        assert_eq!(all.len(), MOST);
        assert!(all.iter().all(|seen| seen.name != "p0") && all.iter().any(|seen| seen.name == format!("p{}", MOST + 49)));
    }

    #[test]
    fn one_name_on_two_machines_is_two_participants() {
        let board = Board::default();
        board.take(HERE, &report("ada"));
        board.take(HERE, &Report { done: 7, ..report("ada") });
        board.take(IpAddr::from([10, 0, 0, 1]), &report("ada"));
        let mut done: Vec<u64> = board.all().iter().map(|seen| seen.done).collect();
        done.sort_unstable();
        assert_eq!(done, [3, 7]);
    }
}
