//! Samples, loads and lint findings as people read them.

use super::{Cell, Palette, Table, Tone, seconds};
use crate::predict::Summary;
use crate::sample::{Sample, SampleState, lint::Finding};

/// The list of samples.
pub fn sample_table(samples: &[Sample], palette: Palette) -> String {
    let mut table = Table::new(&["name", "what", "state", "why not proven"]);
    for sample in samples {
        let tone = if sample.state == SampleState::Lab { Tone::Good } else { Tone::Faint };
        let state = Cell::toned(sample.state.words(), tone);
        table.row([Cell::toned(&sample.name, Tone::Strong), sample.title.as_str().into(), state, sample.because.as_str().into()]);
    }
    table.render(palette)
}

/// What came of many requests.
pub fn load_text(summary: &Summary) -> String {
    let mut table = Table::bare();
    let ms = |value: f64| format!("{value:.1} ms");
    table.row(["requests".into(), format!("{} in {}", summary.requests, seconds(summary.took_ms)).into()]);
    table.row(["errors".into(), summary.errors.to_string().into()]);
    for (name, value) in [("p50", summary.p50_ms), ("p95", summary.p95_ms), ("p99", summary.p99_ms), ("slowest", summary.max_ms)] {
        table.row([name.into(), ms(value).into()]);
    }
    for (answer, count) in &summary.answers {
        table.row(["answer".into(), format!("{count} × {answer}").into()]);
    }
    table.render(Palette::plain())
}

/// Findings with their lines, and what to write today.
pub fn lint_text(place: &str, findings: &[Finding]) -> String {
    let one = |finding: &Finding| {
        let today: Vec<String> = finding.today.lines().map(|line| format!("    {line}")).collect();
        format!("{place}:{}: {}: {}\n  today:\n{}\n", finding.line, finding.field, finding.why, today.join("\n"))
    };
    findings.iter().map(one).collect()
}
