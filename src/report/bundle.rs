//! What is in a bundle.

use std::fmt::Write as _;

use super::{Palette, Table, bytes};
use crate::bundle::{Difference, Substitute, Summary};

/// The human view of `bundle inspect`.
pub fn bundle_summary(summary: &Summary, palette: Palette) -> String {
    let mut out = String::new();
    let kubernetes = summary.kubernetes.as_deref().unwrap_or("none inside");
    let kind = summary.kind.as_deref().unwrap_or("none inside");
    let _ = writeln!(out, "bundle {}  {}  {}  {}", summary.name, summary.set, summary.architecture, bytes(summary.size));
    let _ = writeln!(out, "Kubernetes {kubernetes}  kind {kind}  made by {}\n", summary.created_by);
    let mut sections = Table::new(&["section", "files", "size"]);
    for section in &summary.sections {
        sections.row([section.name.as_str().into(), section.files.to_string().into(), bytes(section.size).into()]);
    }
    let _ = writeln!(out, "{}", sections.render(palette));
    let mut images = Table::new(&["image", "group", "what it really is"]);
    for image in &summary.images {
        images.row([image.reference.as_str().into(), image.group.as_str().into(), really(image.substitute.as_ref()).into()]);
    }
    let _ = writeln!(out, "{}", images.render(palette));
    for manifest in summary.manifests.iter().filter(|manifest| manifest.substitute.is_some()) {
        let _ = writeln!(out, "manifest {}/{} is {}", manifest.component, manifest.file, really(manifest.substitute.as_ref()));
    }
    for patch in &summary.patches {
        let _ = writeln!(out, "changes {} {}: {}", patch.object.kind, patch.object.name.as_deref().unwrap_or("*"), patch.reason);
    }
    for (gate, on) in &summary.kind_settings.feature_gates {
        let _ = writeln!(out, "kind: featureGates.{gate}: {on}");
    }
    out
}

/// The human view of `bundle diff`.
pub fn bundle_difference(difference: &Difference, palette: Palette) -> String {
    if difference.same {
        return "the bundles hold the same\n".to_owned();
    }
    let mut out = String::new();
    for (title, changes) in [("about", &difference.about), ("image", &difference.images), ("file", &difference.files)] {
        if changes.is_empty() {
            continue;
        }
        let mut table = Table::new(&[title, "a", "b"]);
        for change in changes {
            let side = |side: Option<&String>| side.map_or_else(|| "not there".to_owned(), |text| short(text));
            table.row([change.name.as_str().into(), side(change.a.as_ref()).into(), side(change.b.as_ref()).into()]);
        }
        let _ = writeln!(out, "{}", table.render(palette));
    }
    out
}

/// The first twelve digits of a sum tell two apart; `-o json` has all of them.
fn short(text: &str) -> String {
    match text.strip_prefix("sha256:").and_then(|rest| Some((rest.get(..12)?, rest.get(64..)?))) {
        Some((start, rest)) => format!("{start}{rest}"),
        None => text.chars().take(60).collect(),
    }
}

fn really(substitute: Option<&Substitute>) -> String {
    substitute.map_or_else(
        || "itself".to_owned(),
        |substitute| format!("{} {}", substitute.name, substitute.version.as_deref().unwrap_or_default()).trim().to_owned(),
    )
}
