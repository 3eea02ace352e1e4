//! The timeline in a terminal of 80 columns.

use super::super::{Cell, Palette, Table, Tone, seconds};
use super::{link, verdict};
use crate::timeline::{Ended, Timeline};

/// Columns of a bar.
const WIDTH: u64 = 32;

/// A bar per stage, and the critical path in words.
pub fn timeline_text(run: &Timeline, palette: Palette) -> String {
    let mut text = format!("{} of cluster {} on {}: {}\n\n", run.verb, run.cluster, run.at, verdict(run));
    let mut bars = Table::new(&["stage", "", "took", "start"]);
    for lane in &run.stages {
        let (Some(began), Some(ended)) = (lane.began_ms, lane.ended_ms) else { continue };
        if lane.ended == Ended::Skipped {
            continue;
        }
        let critical = link(run, lane).is_some();
        let bar = bar(began, ended, run.took_ms, if critical { '#' } else { '-' });
        let tone = match lane.ended {
            Ended::Failed => Tone::Bad,
            _ if critical => Tone::Strong,
            _ => Tone::Faint,
        };
        bars.row([
            Cell::new(&lane.stage.to_string()),
            Cell::toned(&bar, tone),
            Cell::new(&seconds(lane.took_ms())).right(),
            Cell::toned(&seconds(began), Tone::Faint).right(),
        ]);
    }
    text.push_str(&bars.render(palette));
    let skipped = run.stages.iter().filter(|lane| lane.ended == Ended::Skipped).count();
    if skipped > 0 {
        text.extend([skipped.to_string().as_str(), " more had nothing to do\n"]);
    }
    text.push_str("\ncritical path (#): what is not on it makes no run shorter\n");
    let mut path = Table::bare();
    for link in &run.critical {
        let bound = link.bound.as_ref().map_or_else(String::new, |what| format!("of which {} for {what}", seconds(link.bound_ms)));
        path.row([Cell::new(&format!("  {}", link.stage)), Cell::new(&seconds(link.took_ms())).right(), Cell::toned(&bound, Tone::Faint)]);
    }
    text.push_str(&path.render(palette));
    text
}

/// Blanks, then the bar; a short one still has one mark. A dot marks the left edge, since tables take blanks off.
fn bar(began: u64, ended: u64, all: u64, mark: char) -> String {
    let at = |ms: u64| usize::try_from(ms * WIDTH / all.max(1)).unwrap_or_default();
    let (from, to) = (at(began), at(ended).max(at(began) + 1));
    let mut bar = ".".repeat(from);
    bar.extend(std::iter::repeat_n(mark, to - from));
    bar.push_str(&".".repeat(usize::try_from(WIDTH).unwrap_or_default().saturating_sub(to)));
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_stay_within_their_width() {
        assert_eq!(bar(0, 50, 100, '#'), format!("{}{}", "#".repeat(16), ".".repeat(16)));
        assert_eq!(bar(99, 100, 100, '-'), format!("{}-", ".".repeat(31)));
        assert_eq!(bar(100, 100, 100, '-').len(), 33, "a stage that starts with the end still has a mark");
        assert_eq!(bar(0, 0, 0, '-').len(), 32);
    }
}
