//! The budget of a plan: what it costs, line by line.

use std::fmt::Write as _;

use super::{Palette, Tone, bytes, seconds};
use crate::plan::{Amount, Budget, Part};

/// The section `budget` of the plan's human view.
pub fn budget_lines(budget: &Budget, palette: Palette) -> String {
    let mut out = format!("{}\n", palette.paint(Tone::Strong, "budget"));
    let mut line = |name: &str, text: &str| {
        let _ = writeln!(out, "  {name:<13} {text}");
    };
    for part in &budget.parts {
        line(part.what, &here(part));
    }
    let pulls: Vec<String> = budget.pulls.iter().map(pulls).collect();
    line("pulls", if pulls.is_empty() { "none: no registry is asked" } else { &pulls[0] });
    pulls.iter().skip(1).for_each(|text| line("", text));
    line("pods ask for", &requested(budget));
    line("processors", &processors(budget));
    line("expected time", &expected(budget));
    for warning in &budget.warnings {
        let _ = writeln!(out, "{} {warning}", palette.paint(Tone::Warn, "warning:"));
    }
    out
}

fn here(part: &Part) -> String {
    let here = match part.here {
        None => "here or not: the engine does not answer".to_owned(),
        Some(here) if here == part.count => "here".to_owned(),
        Some(here) => format!("{here} here"),
    };
    let count = if part.count == 1 { String::new() } else { format!("{}, ", part.count) };
    let to_pull = match part.to_pull {
        Some(0) => String::new(),
        Some(left) => format!(", {} to pull", bytes(left)),
        None => ", size known to registries only".to_owned(),
    };
    let size = part.bytes.map(|size| format!("{}, ", bytes(size))).unwrap_or_default();
    format!("{count}{size}{here}{to_pull}")
}

fn pulls(pulls: &crate::plan::Pulls) -> String {
    let limit = pulls.limit.zip(pulls.machines).map(|(limit, machines)| {
        format!(" of {} that one address gets in {} hours without an account: enough for {machines} machines", limit.pulls, limit.hours)
    });
    format!("{} {}{}", pulls.registry, pulls.pulls, limit.unwrap_or_default())
}

/// `1.37 CPUs and 1.4 GB`.
fn amount(amount: Amount) -> String {
    let hundredths = amount.cpu_millis.div_ceil(10);
    format!("{}.{:02} CPUs and {}", hundredths / 100, hundredths % 100, bytes(amount.memory))
}

fn requested(budget: &Budget) -> String {
    let Some((asked, parts)) = budget.requested.zip(budget.requests.as_ref()) else {
        return "not known before the manifests are here (`quickstart plan -o manifests` fetches them)".to_owned();
    };
    let engine = match &budget.engine {
        Some(engine) => format!(", the engine has {} CPUs and {}", engine.cpus, bytes(engine.memory)),
        None => String::new(),
    };
    let pods: u64 = parts.iter().map(|part| part.pods).sum();
    format!("{} ({pods} pods){engine}", amount(asked))
}

fn processors(budget: &Budget) -> String {
    let of = |coverage: &crate::plan::Coverage| {
        let lacking = match coverage.lacking.len() {
            0 => String::new(),
            1 => " (1 image lacks it)".to_owned(),
            count => format!(" ({count} images lack it)"),
        };
        let optional = match coverage.optional_lacking {
            0 => String::new(),
            count => format!(" (without {count} of the other model servers)"),
        };
        format!("{}{lacking}{optional}", coverage.architecture)
    };
    budget.architectures.iter().map(of).collect::<Vec<_>>().join(", ")
}

fn expected(budget: &Budget) -> String {
    match budget.expected {
        None => "not known: no earlier run of this kind on this machine".to_owned(),
        Some(one) if one.runs == 1 => format!("{} (one earlier run)", seconds(one.median_ms)),
        Some(all) => {
            format!(
                "{} (the middle of {} earlier runs, {} to {})",
                seconds(all.median_ms),
                all.runs,
                seconds(all.least_ms),
                seconds(all.most_ms)
            )
        }
    }
}
