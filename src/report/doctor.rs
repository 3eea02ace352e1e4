//! `doctor` for people: a sign and the words before a check say how it ended, colour says it once more.

use std::fmt::Write as _;

use super::{Cell, Palette, Table, Tone, one_line};
use crate::doctor::{CheckResult, Diagnosis, Outcome, Route};
use crate::rules::Rule;

/// Every check under its category, and the verdict.
pub fn doctor_table(diagnosis: &Diagnosis, palette: Palette) -> String {
    let mut out = mended(diagnosis, palette);
    for category in &diagnosis.categories {
        let _ = writeln!(out, "{}", palette.paint(Tone::Strong, &category.name));
        let _ = writeln!(out, "{}", "-".repeat(console::measure_text_width(&category.name)));
        for check in &category.checks {
            out.push_str(&lines(check, palette));
        }
        out.push('\n');
    }
    out + &verdict(diagnosis, palette)
}

/// Only what is not ok, and the verdict.
pub fn doctor_short(diagnosis: &Diagnosis, palette: Palette) -> String {
    let checks = diagnosis.categories.iter().flat_map(|category| &category.checks).filter(|check| check.result != Outcome::Ok);
    mended(diagnosis, palette) + &checks.map(|check| lines(check, palette)).collect::<String>() + &verdict(diagnosis, palette)
}

/// `doctor route`: the hops in the order of a request, and the verdict.
pub fn route_table(route: &Route, palette: Palette) -> String {
    let host = route.host.as_deref().map(|host| format!(" ({})", one_line(host))).unwrap_or_default();
    let title = format!("the way to {}/{}{host}", one_line(&route.namespace), one_line(&route.name));
    let mut out = format!("{}\n{}\n", palette.paint(Tone::Strong, &title), "-".repeat(console::measure_text_width(&title)));
    out.extend(route.hops.iter().map(|hop| lines(hop, palette)));
    let (tone, text) = match route.hops.last() {
        Some(hop) if !route.success => (Tone::Bad, format!("× the way ends here: {}", one_line(&hop.id))),
        _ => (Tone::Good, format!("✓ {} hops, a request gets through", route.hops.len())),
    };
    let _ = writeln!(out, "\n{}", palette.paint(tone, &text));
    out
}

/// What `--fix` did and what it left.
fn mended(diagnosis: &Diagnosis, palette: Palette) -> String {
    let mut out = String::new();
    let done = diagnosis.fixed.iter().flatten().map(|fix| (Tone::Good, "fixed", fix));
    for (tone, word, fix) in done.chain(diagnosis.left.iter().flatten().map(|fix| (Tone::Warn, "left", fix))) {
        let _ = writeln!(out, "{}: {}", palette.paint(tone, word), one_line(&fix.what));
    }
    match &diagnosis.fixed {
        Some(_) if out.is_empty() => "nothing to fix\n\n".to_owned(),
        _ if out.is_empty() => out,
        _ => out + "\n",
    }
}

/// `doctor --list`.
pub fn error_list(errors: &[Rule], palette: Palette) -> String {
    let mut table = Table::new(&["id", "exit", "meaning", "what to do"]);
    for error in errors {
        let exits: Vec<String> = error.exits.iter().map(|exit| exit.code().to_string()).collect();
        table.row([Cell::new(error.id), exits.join(", ").into(), error.meaning.into(), error.hint.into()]);
    }
    table.render(palette)
}

fn lines(check: &CheckResult, palette: Palette) -> String {
    let (sign, tone) = match check.result {
        Outcome::Ok => ("✓", Tone::Good),
        Outcome::Warning => ("‼", Tone::Warn),
        Outcome::Error => ("×", Tone::Bad),
    };
    let mut out = format!("{} {}: {}\n", palette.paint(tone, sign), one_line(&check.title), one_line(&check.saw));
    if check.result != Outcome::Ok {
        let kind = if check.result == Outcome::Error { "error" } else { "warning" };
        let id = check.error_id.as_deref().map(|id| format!("[{id}]")).unwrap_or_default();
        let hint = check.hint.as_deref().map(|hint| format!(": {}", one_line(hint))).unwrap_or_default();
        let _ = writeln!(out, "    {}{hint}", palette.paint(tone, &format!("{kind}{id}")));
    }
    out
}

fn verdict(diagnosis: &Diagnosis, palette: Palette) -> String {
    let number = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let (errors, warnings) = (diagnosis.count(Outcome::Error), diagnosis.count(Outcome::Warning));
    let warned = number(warnings, "warning");
    let (tone, text) = match (errors, warnings) {
        (0, 0) => (Tone::Good, format!("✓ {}, all ok", number(diagnosis.count(Outcome::Ok), "check"))),
        (0, _) => (Tone::Warn, format!("‼ nothing is in the way, {warned}")),
        _ => (Tone::Bad, format!("× {} to be cured, {warned}", number(errors, "error"))),
    };
    palette.paint(tone, &text) + "\n"
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::doctor::{Category, Fix};

    fn diagnosis() -> Diagnosis {
        let checks = vec![
            CheckResult::ok("engine-reachable", "a container engine answers", "version 28.2.2"),
            CheckResult::warning("engine-cpus", "the engine has at least 2 CPUs, better 4", "2 CPUs", "give it 4"),
        ];
        let port = CheckResult::error("port", "the ingress can listen", "taken by \u{1b}[2Jx", "stop it").named("PORT_BUSY");
        Diagnosis::new(vec![Category::new("container engine", checks), Category::new("this machine", vec![port])], false)
    }

    #[test]
    fn the_table_says_it_with_signs_and_words() {
        assert_eq!(
            doctor_table(&diagnosis(), Palette::plain()),
            "container engine\n\
             ----------------\n\
             ✓ a container engine answers: version 28.2.2\n\
             ‼ the engine has at least 2 CPUs, better 4: 2 CPUs\n    warning: give it 4\n\
             \n\
             this machine\n\
             ------------\n\
             × the ingress can listen: taken by x\n    error[PORT_BUSY]: stop it\n\
             \n\
             × 1 error to be cured, 1 warning\n"
        );
    }

    #[test]
    fn colour_changes_no_word() {
        assert_eq!(
            console::strip_ansi_codes(&doctor_table(&diagnosis(), Palette::coloured())),
            doctor_table(&diagnosis(), Palette::plain())
        );
    }

    #[test]
    fn short_leaves_out_what_is_ok() {
        let short = doctor_short(&diagnosis(), Palette::plain());
        assert!(!short.contains('✓') && short.starts_with('‼') && short.contains("× the ingress"), "{short}");
        let mut good = Diagnosis::new(vec![Category::new("x", vec![CheckResult::ok("a", "b", "c")])], false);
        assert_eq!(doctor_short(&good, Palette::plain()), "✓ 1 check, all ok\n");
        let fix = |what: &str| Fix { id: "kubeconfig-lock".into(), what: what.into() };
        (good.fixed, good.left) = (Some(vec![fix("removed a lock")]), Some(vec![fix("not yours")]));
        assert_eq!(doctor_short(&good, Palette::plain()), "fixed: removed a lock\nleft: not yours\n\n✓ 1 check, all ok\n");
        (good.fixed, good.left) = (Some(Vec::new()), Some(Vec::new()));
        assert_eq!(doctor_short(&good, Palette::plain()), "nothing to fix\n\n✓ 1 check, all ok\n");
    }

    #[test]
    fn the_document_has_the_promised_form() {
        let document = serde_json::to_value(diagnosis()).unwrap();
        assert_eq!((&document["version"], &document["success"], &document["exit"]), (&json!(1), &json!(false), &json!(3)));
        assert!(document.get("fixed").is_none(), "only --fix fixes");
        assert_eq!(
            document["categories"][1],
            json!({"name": "this machine", "checks": [{"id": "port", "title": "the ingress can listen", "result": "error",
                "saw": "taken by \u{1b}[2Jx", "hint": "stop it", "error_id": "PORT_BUSY", "settles": false}]})
        );
        assert_eq!(document["categories"][0]["checks"][0]["hint"], json!(null));
    }

    #[test]
    fn a_way_shows_its_hops_and_where_it_ends() {
        let hops = vec![
            CheckResult::ok("ready", "the InferenceService is Ready", "yes"),
            CheckResult::error("service", "the route leads to a Service", "none", "make one").named("NOT_READY"),
        ];
        let mut route =
            Route { version: 1, namespace: "ns".into(), name: "m".into(), host: Some("m.ns".into()), success: false, exit: 7, hops };
        assert_eq!(
            route_table(&route, Palette::plain()),
            "the way to ns/m (m.ns)\n\
             ----------------------\n\
             ✓ the InferenceService is Ready: yes\n\
             × the route leads to a Service: none\n    error[NOT_READY]: make one\n\
             \n\
             × the way ends here: service\n"
        );
        route.hops.pop();
        route.success = true;
        assert!(route_table(&route, Palette::plain()).ends_with("✓ 1 hops, a request gets through\n"));
    }

    #[test]
    fn the_list_has_a_line_for_each_id() {
        let rules = crate::rules::all();
        let list = error_list(&rules, Palette::plain());
        assert_eq!(list.lines().count(), rules.len() + 1);
        assert!(list.lines().any(|line| line.starts_with("PORT_BUSY ") && line.contains(" 3 ")), "{list}");
    }
}
