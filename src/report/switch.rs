//! A switch of profiles in a few lines, the same in `plan` and at the start of `up`.

use std::fmt::Write as _;

use crate::plan::{Fate, Switch, Switched};

/// What comes, what goes, and what becomes of each object whose controllers care.
pub fn switch_lines(switch: &Switch) -> String {
    let mut out = format!("switch of the cluster that is there, from profile {} to {}\n", switch.from, switch.to);
    let mut line = |what: &str, text: String| {
        let _ = writeln!(out, "  {what:<8}  {text}");
    };
    let listed = |all: &[String]| if all.is_empty() { "nothing".to_owned() } else { all.join(", ") };
    line("comes", listed(&switch.installed));
    line("goes", listed(&switch.removed));
    line("changes", "KServe's configuration; its controller starts anew".to_owned());
    let Some(objects) = &switch.objects else {
        line("models", "the cluster does not answer, so nobody knows what of yours is in it".to_owned());
        return out;
    };
    for object in objects {
        line(if object.yours { "yours" } else { "demo" }, fate(object));
    }
    if switch.affected().next().is_some() {
        line("needs", "--yes, because of what is yours and does not stay".to_owned());
    }
    out
}

fn fate(object: &Switched) -> String {
    let name = object.full_name();
    match object.fate {
        Fate::Stays => format!("{name} stays as it is"),
        Fate::Lost => format!("{name} is lost"),
        Fate::Recreated => {
            let hosts = object.host.as_ref().zip(object.new_host.as_ref());
            let hosts = hosts.map(|(old, new)| format!(": {old} becomes {new}")).unwrap_or_default();
            format!("{name} is made again in the other mode{hosts}")
        }
    }
}
