//! The component board.

use std::fmt::Write as _;

use super::{Cell, Palette, Table, Tone, tunnels, values};
use crate::config::Ingress;
use crate::status::Report;

/// The human view of `status`.
pub fn status_board(report: &Report, palette: Palette) -> String {
    let mut out = String::new();
    let mark = |ready: bool| if ready { Cell::toned("✓ ready", Tone::Good) } else { Cell::toned("✗ not ready", Tone::Bad) };
    let kubernetes = report.kubernetes.as_deref().unwrap_or("not answering");
    let _ = writeln!(out, "cluster {}  {}  {}  Kubernetes {kubernetes}", report.cluster, report.set, report.profile);
    let mut table = Table::new(&["component", "version", "state", "pods", "runs"]);
    for component in &report.components {
        let ready: i64 = component.deployments.iter().map(|deployment| deployment.available).sum();
        let desired: i64 = component.deployments.iter().map(|deployment| deployment.desired).sum();
        let mut runs: Vec<String> = component
            .deployments
            .iter()
            .flat_map(|deployment| &deployment.containers)
            .filter_map(|container| container.substitute.as_ref())
            .map(|substitute| format!("{} {}", substitute.name, substitute.version.as_deref().unwrap_or_default()).trim().to_owned())
            .collect();
        runs.sort();
        runs.dedup();
        table.row([
            component.title.as_str().into(),
            component.version.as_str().into(),
            mark(component.ready),
            if component.deployments.is_empty() { "".into() } else { format!("{ready}/{desired}").into() },
            runs.join(", ").into(),
        ]);
    }
    if !table.is_empty() {
        let _ = write!(out, "\n{}", table.render(palette));
    }
    for adopted in &report.adopted {
        let _ = writeln!(out, "{adopted}");
    }
    for node in &report.nodes {
        let what = node.substitute.as_ref().map(|substitute| format!(", really {}", substitute.name)).unwrap_or_default();
        let _ = writeln!(out, "\nnode {} {}{what}", node.name, if node.ready { "ready" } else { "not ready" });
    }
    if let Some(url) = &report.url {
        let state = match report.ingress_ready {
            Some(true) => "answers",
            Some(false) => "does not answer",
            None => "not asked",
        };
        let how = if report.ingress == Ingress::Tunnel { "through a tunnel" } else { "mapped by kind" };
        let _ = writeln!(out, "ingress {url} {state} ({how})");
    }
    if let Some(address) = &report.load_balancer {
        let _ = writeln!(out, "load balancer {address}");
    }
    if !report.tunnels.is_empty() {
        let _ = writeln!(out, "\n{}", tunnels(&report.tunnels, palette).trim_end());
    }
    if let Some(demo) = &report.demo {
        let _ = writeln!(out, "demo {}/{} {}", demo.namespace, demo.name, if demo.ready { "ready" } else { "not ready" });
        if let Some(prediction) = &demo.prediction {
            let _ = writeln!(out, "prediction {}", values(prediction));
        }
    }
    for patch in &report.patches {
        let _ = writeln!(out, "bundle's own change: {patch}");
    }
    if !report.problems.is_empty() {
        let _ = writeln!(out, "\n{}", palette.paint(Tone::Bad, "not as it should be:"));
        for problem in &report.problems {
            let _ = writeln!(out, "  {}", super::one_line(problem));
        }
    }
    out
}
