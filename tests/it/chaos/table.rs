//! What went wrong → how often → what came of it → what the next `up` did.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use super::case::Done;

#[derive(Debug, Default)]
struct Row {
    runs: usize,
    outcomes: BTreeMap<String, usize>,
    longest: (Duration, Duration),
}

/// The table of all cases that went as they must.
pub(super) fn table(all: &[Done]) -> String {
    let mut rows: BTreeMap<&str, Row> = BTreeMap::new();
    for done in all {
        for name in &done.names {
            let row = rows.entry(name).or_default();
            row.runs += 1;
            *row.outcomes.entry(done.outcome.clone()).or_default() += 1;
            row.longest = (row.longest.0.max(done.took.0), row.longest.1.max(done.took.1));
        }
    }
    let mut text = format!("{:<44} {:>4}  {:>7}  {:<20} {}\n", "fault", "runs", "longest", "next `up`", "outcomes");
    for (name, row) in rows {
        let mut outcomes: Vec<(&String, &usize)> = row.outcomes.iter().collect();
        outcomes.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), (*name).clone()));
        let outcomes: Vec<String> = outcomes.iter().map(|(name, count)| format!("{name} ×{count}")).collect();
        let next = format!("{} of {} (≤ {:.1} s)", row.runs, row.runs, row.longest.1.as_secs_f64());
        writeln!(text, "{name:<44} {:>4}  {:>5.1} s  {next:<20} {}", row.runs, row.longest.0.as_secs_f64(), outcomes.join(", ")).unwrap();
    }
    text
}
