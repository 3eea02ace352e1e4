//! The page. It is made here as a whole; the script only fetches it again and puts the new parts in the place of the old ones, so that there
//! is one place where what a cluster said becomes HTML, and it works without the script too.

use std::fmt::Write as _;

use super::server::Seen;
use crate::error::Failure;
use crate::report::{escape, one_line};
use crate::status::{ComponentStatus, Model, Models};

pub(super) const SCRIPT: &str = include_str!("page.js");
pub(super) const STYLE: &str = include_str!("page.css");

/// The page of what was seen, or of why nothing was.
pub(super) fn html(seen: Result<&Seen, &Failure>) -> String {
    let name = seen.map_or_else(|_| "no cluster".to_owned(), |seen| text(&seen.report.cluster));
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{name}: quickstart</title>\n<link rel=\"stylesheet\" href=\"/page.css\">\n<script src=\"/page.js\" defer></script>\n</head>\n<body>\n"
    );
    match seen {
        Ok(seen) => whole(&mut out, seen),
        Err(failure) => {
            let _ = write!(
                out,
                "<header id=\"cluster\"><h1>quickstart</h1></header>\n<main>\n<p id=\"summary\" role=\"status\"><span class=\"bad\">✗ {}</span></p>\n\
                 <div id=\"problems\">{}</div>\n<div id=\"models\"></div>\n<div id=\"components\"></div>\n</main>\n",
                text(&failure.what),
                failure.hint.as_ref().map(|hint| format!("<p>{}</p>", text(hint))).unwrap_or_default(),
            );
        }
    }
    out.push_str("<footer><p id=\"age\">This page follows by itself. Without its script: load it again.</p></footer>\n</body>\n</html>\n");
    out
}

fn whole(out: &mut String, seen: &Seen) {
    let Seen { report, models } = seen;
    let url = report.url.as_ref().map(|url| format!(", gateway at <code>{}</code>", text(url))).unwrap_or_default();
    let _ = writeln!(
        out,
        "<header id=\"cluster\"><h1>Cluster {}</h1><p>{}, profile {}, Kubernetes {}{url}</p></header>\n<main>",
        text(&report.cluster),
        text(&report.set),
        text(&report.profile),
        text(report.kubernetes.as_deref().unwrap_or("not answering")),
    );
    let ready = models.models.iter().filter(|model| model.ready).count();
    let all_ready = ready == models.models.len();
    let state = match (report.running, report.ready && all_ready, models.alerts.len()) {
        (false, ..) => "<span class=\"bad\">✗ not running</span>".to_owned(),
        (true, false, _) => "<span class=\"bad\">✗ not as it should be</span>".to_owned(),
        (true, true, 0) => "<span class=\"good\">✓ all is well</span>".to_owned(),
        (true, true, 1) => "<span class=\"bad\">✗ an alert fires</span>".to_owned(),
        (true, true, alerts) => format!("<span class=\"bad\">✗ {alerts} alerts fire</span>"),
    };
    let _ = writeln!(out, "<p id=\"summary\" role=\"status\">{state}, {ready} of {} models ready</p>", models.models.len());
    let problems: Vec<&String> = report.problems.iter().chain(&models.trouble).chain(&models.alerts).collect();
    let items = problems.iter().fold(String::new(), |mut items, problem| {
        let _ = write!(items, "<li>{}</li>", text(problem));
        items
    });
    let list = if items.is_empty() { String::new() } else { format!("<ul>{items}</ul>") };
    let _ = writeln!(out, "<div id=\"problems\">{list}</div>");
    let _ = writeln!(out, "<div id=\"models\">{}</div>", models_table(models));
    let _ = writeln!(out, "<div id=\"components\">{}</div>\n</main>", components_table(&report.components));
}

fn models_table(models: &Models) -> String {
    let mut out = "<h2 id=\"models-title\">Models</h2>".to_owned();
    let why = match models.counted {
        None => Some("Requests, time and errors are shown with the add-on Prometheus: <code>quickstart up --with prometheus</code>"),
        Some(false) => Some("Prometheus does not answer: requests, time and errors are not known."),
        Some(true) => None,
    };
    if let Some(why) = why {
        let _ = write!(out, "<p class=\"quiet\">{why}</p>");
    }
    out.push_str("<div class=\"rows\" role=\"region\" aria-labelledby=\"models-title\" tabindex=\"0\"><table><thead><tr><th scope=\"col\">Model</th><th scope=\"col\">State</th><th scope=\"col\">Host</th><th scope=\"col\">Revisions and their share</th>");
    if models.counted == Some(true) {
        out.push_str("<th scope=\"col\">Requests</th><th scope=\"col\">p95</th><th scope=\"col\">Errors</th>");
    }
    out.push_str("</tr></thead><tbody>");
    if models.models.is_empty() {
        let columns = if models.counted == Some(true) { 7 } else { 4 };
        let _ = write!(
            out,
            "<tr><td colspan=\"{columns}\">There is none: <code>quickstart sample apply sklearn-iris</code> makes one.</td></tr>"
        );
    }
    for model in &models.models {
        model_row(&mut out, model, models.counted == Some(true));
    }
    out.push_str("</tbody></table></div>");
    out
}

fn model_row(out: &mut String, model: &Model, counted: bool) {
    let _ = write!(
        out,
        "<tr><th scope=\"row\">{}/{}</th>{}<td class=\"host\"><code>{}</code></td><td>",
        text(&model.namespace),
        text(&model.name),
        state(model.ready, model.why.as_deref()),
        text(&model.host),
    );
    for share in &model.traffic {
        let (revision, percent) = (text(&share.revision), share.percent.min(100));
        let _ = write!(
            out,
            "<span class=\"share\"><progress max=\"100\" value=\"{percent}\" aria-label=\"Share of {revision}\"></progress> {percent} % {revision}</span>"
        );
    }
    out.push_str("</td>");
    if counted {
        let or_none = |figure: Option<String>| figure.unwrap_or_else(|| "none".to_owned());
        let errors = model.errors.map(|errors| format!("{:.1} %", errors * 100.0));
        let class = if model.errors.is_some_and(|errors| errors > 0.05) { "number bad" } else { "number" };
        let _ = write!(
            out,
            "<td class=\"number\">{}</td><td class=\"number\">{}</td><td class=\"{class}\">{}</td>",
            or_none(model.requests.map(|requests| format!("{requests:.1} a second"))),
            or_none(model.p95.map(|seconds| if seconds < 1.0 { format!("{:.0} ms", seconds * 1000.0) } else { format!("{seconds:.1} s") })),
            or_none(errors),
        );
    }
    out.push_str("</tr>");
}

fn components_table(components: &[ComponentStatus]) -> String {
    let mut out = "<h2 id=\"components-title\">Components</h2><div class=\"rows\" role=\"region\" aria-labelledby=\"components-title\" tabindex=\"0\"><table><thead><tr><th scope=\"col\">Component</th><th scope=\"col\">State</th><th scope=\"col\">Version</th><th scope=\"col\">Pods</th></tr></thead><tbody>".to_owned();
    for component in components {
        let sum = |count: fn(&crate::status::DeploymentStatus) -> i64| component.deployments.iter().map(count).sum::<i64>();
        let why = component.deployments.iter().find_map(|deployment| deployment.why.as_deref()).or(component.why.as_deref());
        let pods = if component.deployments.is_empty() {
            "none".to_owned()
        } else {
            format!("{} of {}", sum(|one| one.available), sum(|one| one.desired))
        };
        let addon = if component.addon { " <span class=\"quiet\">(add-on)</span>" } else { "" };
        let _ = write!(
            out,
            "<tr><th scope=\"row\">{}{addon}</th>{}<td>{}</td><td class=\"number\">{pods}</td></tr>",
            text(&component.title),
            state(component.ready, why),
            text(&component.version),
        );
    }
    out.push_str("</tbody></table></div>");
    out
}

/// A cell: never the colour alone.
fn state(ready: bool, why: Option<&str>) -> String {
    match (ready, why) {
        (true, _) => "<td class=\"good\">✓ ready</td>".to_owned(),
        (false, why) => {
            let why = why.map(|why| format!("<p>{}</p>", text(why))).unwrap_or_default();
            format!("<td class=\"bad\">✗ not ready{why}</td>")
        }
    }
}

fn text(words: &str) -> String {
    escape(&one_line(words))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Share;

    const BAD: &str = "<script>alert(1)</script>\" onload='x'";

    #[test]
    fn what_a_cluster_says_stays_text() {
        let model = Model {
            namespace: BAD.into(),
            name: BAD.into(),
            ready: false,
            why: Some(BAD.into()),
            host: BAD.into(),
            traffic: vec![Share { revision: BAD.into(), percent: 900 }],
            requests: Some(1.0),
            p95: Some(0.25),
            errors: Some(0.5),
        };
        let models = Models { models: vec![model], counted: Some(true), alerts: Vec::new(), trouble: None };
        let table = models_table(&models);
        let failed = html(Err(&Failure::new("X", crate::error::Exit::Internal, BAD).hint(BAD)));
        for page in [&table, &failed] {
            assert!(!page.contains("<script>alert") && !page.contains("\" onload") && page.contains("&lt;script&gt;"), "{page}");
        }
        for part in ["250 ms", "50.0 %", "1.0 a second", "number bad", "✗ not ready", "value=\"100\""] {
            assert!(table.contains(part), "{part}: {table}");
        }
    }
}
