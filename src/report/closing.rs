//! What stands on the screen after a successful `up`.

use super::{Cell, Palette, Table, Tone, sanitize, seconds, values};
use crate::{config::ClusterName, event::Outcome};

/// Total and per-stage times, the prediction, the URL, the proven `curl`, the next two commands.
pub(super) fn closing(outcome: &Outcome, cluster: &str, took_ms: u64, skipped: usize, palette: Palette) -> String {
    let before = match skipped {
        0 => String::new(),
        1 => ", 1 stage was done before".to_owned(),
        count => format!(", {count} stages were done before"),
    };
    let mut text = format!("\n{} ready in {}{before}\n\n", palette.paint(Tone::Good, "✓"), seconds(took_ms));
    let mut times = Table::bare();
    for (stage, took) in &outcome.stages {
        times.row([Cell::new(&stage.to_string()), Cell::toned(&seconds(*took), Tone::Faint).right()]);
    }
    if !times.is_empty() {
        text.push_str(&indent(&times.render(palette)));
        text.push('\n');
    }
    let mut facts = Table::bare();
    if let Some(prediction) = &outcome.prediction {
        facts.row(["prediction".into(), Cell::toned(&values(prediction), Tone::Strong)]);
    }
    if !outcome.url.is_empty() {
        facts.row(["url".into(), Cell::toned(&outcome.url, Tone::Strong)]);
    }
    facts.row(["context".into(), Cell::new(&outcome.context)]);
    text.push_str(&indent(&facts.render(palette)));
    if let Some(curl) = &outcome.curl {
        text.extend(["\nTry it:\n  ", &sanitize(curl), "\n"]);
    }
    let name = if cluster == ClusterName::DEFAULT { String::new() } else { format!(" --name {cluster}") };
    let mut next = Table::bare();
    next.row([Cell::new(&format!("quickstart status{name}")), "what runs, what does not, and why".into()]);
    let away =
        if outcome.context == format!("kind-{cluster}") { "take it away, completely" } else { "take just this off the cluster again" };
    next.row([Cell::new(&format!("quickstart down{name}")), away.into()]);
    text.push_str("\nNext:\n");
    text.push_str(&indent(&next.render(palette)));
    text
}

fn indent(text: &str) -> String {
    text.lines().fold(String::new(), |all, line| all + "  " + line + "\n")
}
