//! The chart: a row per stage, its waits inside the bar, ticks above. Plain SVG, so that it can be printed and needs no script.

use std::fmt::Write as _;

use super::html::escape;
use super::{link, told};
use crate::report::seconds;
use crate::timeline::{Ended, Lane, Timeline};

/// In units of the drawing, which is scaled to the page.
const WIDTH: f64 = 1000.0;
const NAMES: f64 = 150.0;
const TIMES: f64 = 60.0;
const ROW: f64 = 24.0;
const TOP: f64 = 28.0;
/// The most ticks that stay readable.
const TICKS: u64 = 10;

/// The whole chart.
pub(super) fn chart(run: &Timeline) -> String {
    let lanes: Vec<&Lane> = run.stages.iter().filter(|lane| lane.began_ms.is_some() && lane.ended != Ended::Skipped).collect();
    let height = TOP + ROW * count(lanes.len()) + 8.0;
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{} stages over {}; the table below says the same\">",
        lanes.len(),
        seconds(run.took_ms)
    );
    let x = |ms: u64| NAMES + (WIDTH - NAMES - TIMES) * fraction(ms, run.took_ms);
    for tick in ticks(run.took_ms) {
        let at = x(tick);
        let _ = write!(svg, "<line class=\"tick\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{}\" y2=\"{height}\"/>", TOP - 6.0);
        let _ =
            write!(svg, "<text class=\"time\" x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>", TOP - 12.0, whole_seconds(tick));
    }
    for (number, lane) in lanes.iter().enumerate() {
        row(&mut svg, run, lane, TOP + ROW * count(number), &x);
    }
    svg.push_str("</svg>");
    svg
}

fn row(svg: &mut String, run: &Timeline, lane: &Lane, y: f64, x: &dyn Fn(u64) -> f64) {
    let (began, ended) = (lane.began_ms.unwrap_or_default(), lane.ended_ms.unwrap_or_default());
    let critical = link(run, lane).is_some();
    let class = match lane.ended {
        Ended::Failed => "bar failed",
        _ if critical => "bar critical",
        _ => "bar",
    };
    let name = escape(&lane.stage.to_string());
    let mark = if critical { "◆ " } else { "" };
    let _ = write!(svg, "<g><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{mark}{name}</text>", NAMES - 8.0, y + 15.0);
    let width = (x(ended) - x(began)).max(2.0);
    let title = escape(&format!("{}: {} from {}; {}", lane.stage, seconds(lane.took_ms()), seconds(began), told(lane)));
    let _ = write!(
        svg,
        "<rect class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"16\" rx=\"2\"><title>{title}</title></rect>",
        x(began),
        y + 3.0
    );
    for wait in &lane.waits {
        let from = wait.from_ms.max(began);
        let saw = wait.saw.as_deref().map_or_else(String::new, |saw| format!(" — {saw}"));
        let title = escape(&format!("waited {} for {}{saw}", seconds(wait.took_ms()), wait.what));
        let _ = write!(
            svg,
            "<rect class=\"wait\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"5\"><title>{title}</title></rect>",
            x(from),
            y + 14.0,
            (x(wait.to_ms) - x(from)).max(1.0)
        );
    }
    let _ = write!(
        svg,
        "<text class=\"time\" x=\"{:.1}\" y=\"{:.1}\">{}</text></g>",
        x(ended).max(x(began) + 2.0) + 5.0,
        y + 15.0,
        seconds(lane.took_ms())
    );
}

/// Round times, at most [`TICKS`] of them.
fn ticks(all: u64) -> impl Iterator<Item = u64> {
    let steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800];
    let step = steps.into_iter().map(|step| step * 1000).find(|step| all / step < TICKS).unwrap_or(3_600_000);
    (0..=all / step).map(move |number| number * step)
}

fn whole_seconds(ms: u64) -> String {
    match ms / 1000 {
        seconds if seconds < 60 => format!("{seconds} s"),
        seconds => format!("{}:{:02}", seconds / 60, seconds % 60),
    }
}

fn fraction(part: u64, all: u64) -> f64 {
    // Times of a run fit into 32 bits of milliseconds: seven weeks.
    f64::from(u32::try_from(part).unwrap_or(u32::MAX)) / f64::from(u32::try_from(all.max(1)).unwrap_or(u32::MAX))
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        assert_eq!(ticks(48_100).collect::<Vec<_>>(), [0, 5, 10, 15, 20, 25, 30, 35, 40, 45].map(|second| second * 1000));
        assert_eq!(ticks(0).count(), 1);
        for all in [1, 999, 5_000, 61_000, 600_000, 86_400_000, u64::from(u32::MAX)] {
            assert!(ticks(all).count() <= 1200, "{all}");
        }
        assert_eq!((whole_seconds(30_000), whole_seconds(90_000)), ("30 s".into(), "1:30".into()));
    }
}
