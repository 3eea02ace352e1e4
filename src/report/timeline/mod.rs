//! A timeline for people and for other programs: text, one HTML file, Chrome's trace format.

mod html;
mod svg;
mod text;
mod trace;

pub use html::timeline_html;
pub use text::timeline_text;
pub use trace::timeline_trace;

use crate::timeline::{Lane, Link, Timeline};

/// `48.1s, exit 0`, and what went wrong where something did.
fn verdict(run: &Timeline) -> String {
    let took = super::seconds(run.took_ms);
    match (run.exit, &run.error) {
        (Some(exit), Some(error)) => format!("{took}, exit {exit}, {error}"),
        (Some(exit), None) => format!("{took}, exit {exit}"),
        (None, _) => format!("{took}, and then no more: it was killed, or is still at work"),
    }
}

fn link<'a>(run: &'a Timeline, lane: &Lane) -> Option<&'a Link> {
    run.critical.iter().find(|link| link.stage == lane.stage)
}

/// What a stage did, in a few words.
fn told(lane: &Lane) -> String {
    let mut parts = Vec::new();
    if lane.objects > 0 {
        parts.push(format!("{} objects, {} changed", lane.objects, lane.changed));
    }
    if lane.bytes > 0 {
        parts.push(super::bytes(lane.bytes));
    }
    if lane.retries > 0 {
        parts.push(format!("{} retries", lane.retries));
    }
    parts.extend(lane.reason.clone());
    parts.join("; ")
}
