//! The plan as a tree: stages with what they need, then what is installed and where each setting came from.

use std::fmt::Write as _;

use super::{Palette, Table, Tone, budget_lines, bytes};
use crate::config::{Ingress, Origin};
use crate::plan::{Budget, Plan, StageId, Target};

/// The human view of a plan.
pub fn plan_tree(plan: &Plan, budget: &Budget, palette: Palette) -> String {
    let mut out = String::new();
    let place = match &plan.target {
        Target::Kind { node_image, port, .. } if plan.ingress == Ingress::Tunnel => {
            format!("kind, node {node_image}, ingress on 127.0.0.1:{port} by a tunnel")
        }
        Target::Kind { node_image, port, .. } => format!("kind, node {node_image}, ingress on 127.0.0.1:{port}"),
        Target::Existing { context, .. } => {
            let ingress = plan.port().map(|port| format!(", ingress on 127.0.0.1:{port} by a tunnel")).unwrap_or_default();
            format!("existing cluster of context {context}{ingress}")
        }
    };
    let _ = writeln!(out, "{}", palette.paint(Tone::Strong, &format!("cluster {} ({}, profile {})", plan.cluster, plan.set, plan.profile)));
    for caution in plan.cautions() {
        let _ = writeln!(out, "{}", palette.paint(Tone::Warn, &caution));
    }
    let _ = writeln!(out, "{place}");
    for adopted in plan.adopted() {
        let _ = writeln!(out, "{adopted}");
    }
    out.push('\n');
    let _ = writeln!(out, "{}", palette.paint(Tone::Strong, "stages (one starts when all it needs are done)"));
    let last = plan.stages.len().saturating_sub(1);
    let width = plan.stages.iter().map(|stage| stage.id.to_string().len()).max().unwrap_or(0);
    for (number, stage) in plan.stages.iter().enumerate() {
        let branch = if number == last { "└─" } else { "├─" };
        let needs: Vec<String> = stage.needs.iter().map(ToString::to_string).collect();
        let mut needs = if needs.is_empty() { "at once".to_owned() } else { format!("after {}", needs.join(", ")) };
        if let StageId::Component(name) = &stage.id
            && let Some(component) = plan.component(name).filter(|component| !component.beside.is_empty())
        {
            let _ = write!(needs, "; beside {}", component.beside.join(", "));
        }
        let id = format!("{:width$}", stage.id.to_string());
        let _ = writeln!(out, "{branch} {id}  {:<28} {}", stage.title, palette.paint(Tone::Faint, &needs));
        let bar = if number == last { " " } else { "│" };
        for check in &stage.checks {
            let _ = writeln!(out, "{bar}    {}", palette.paint(Tone::Faint, &format!("✓ {}", check.id)));
        }
    }
    let mut components = Table::new(&["component", "version", "manifests", "images", "what it really is"]);
    for component in &plan.components {
        let size: u64 = component.files.iter().map(|file| file.size).sum();
        let mut stand_ins: Vec<String> = component
            .images
            .iter()
            .filter_map(|image| image.substitute.as_ref())
            .map(|substitute| format!("{} {}", substitute.name, substitute.version.as_deref().unwrap_or_default()).trim().to_owned())
            .collect();
        stand_ins.dedup();
        components.row([
            component.title.as_str().into(),
            component.version.as_str().into(),
            if component.addon { "own".into() } else { bytes(size).into() },
            component.images.len().to_string().into(),
            stand_ins.join(", ").into(),
        ]);
    }
    let _ = writeln!(out, "\n{}", components.render(palette));
    let pulled = pulled(plan);
    if let Some(bundle) = &plan.bundle {
        let pulled = pulled.unwrap_or_else(|| "nothing is downloaded".to_owned());
        let _ = writeln!(out, "bundle {} ({}, {}): {pulled}", bundle.path, bundle.name, bundle.architecture);
    } else if let Some(pulled) = pulled {
        let _ = writeln!(out, "{pulled}");
    }
    for line in crate::state::patches(plan) {
        let _ = writeln!(out, "bundle's own change: {line}");
    }
    for resources in &plan.resources {
        let _ = writeln!(out, "your resources: {}: {resources}", resources.component);
    }
    for change in &plan.changes {
        let _ = writeln!(out, "your change: {}: {} {}", change.component, change.kind, change.name);
    }
    for own in &plan.manifests {
        let _ = writeln!(out, "your manifest: {}", own.file);
    }
    let gap = if out.ends_with("\n\n") { "" } else { "\n" };
    let _ = write!(out, "{gap}{}", budget_lines(budget, palette));
    let _ = write!(out, "\n{}", settings_table(&plan.settings, palette));
    out
}

/// Every setting, its value and who said so.
pub fn settings_table(origins: &[Origin], palette: Palette) -> String {
    let mut settings = Table::new(&["setting", "value", "from"]);
    for origin in origins {
        settings.row([origin.key.as_str().into(), origin.value.as_str().into(), origin.source.to_string().into()]);
    }
    settings.render(palette)
}

/// What is read from registries before the node is there.
fn pulled(plan: &Plan) -> Option<String> {
    let count: usize = plan.pulls.iter().map(|group| group.images.len()).sum();
    let whence = plan.mirror.as_ref().map_or_else(|| "their registries".to_owned(), |mirror| format!("mirror {mirror}"));
    (count > 0).then(|| format!("{count} images are pulled from {whence} into the cache, from the first moment on"))
}
