//! `timeline.html`: one file without anything outside of it, readable in print and without script.

use std::fmt::Write as _;

use super::{link, svg, told, verdict};
use crate::report::seconds;
use crate::timeline::{Lane, Timeline};

const STYLE: &str = "\
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --faint: #57606a; --line: #d0d7de; --bar: #8a97a6; --critical: #0b57d0; --failed: #b3261e; --wait: #ffb300; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --paper: #0d1117; --faint: #9aa5b1; --line: #30363d; --bar: #6b7785; --critical: #7cacf8; --failed: #f2857d; --wait: #ffc94d; } }
body { font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 75rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; margin: 0 0 .25rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; } p { margin: .25rem 0; color: var(--faint); }
svg { width: 100%; height: auto; font-size: 12px; } svg text { fill: var(--ink); } svg .time { fill: var(--faint); }
.tick { stroke: var(--line); } .bar { fill: var(--bar); } .critical { fill: var(--critical); } .failed { fill: var(--failed); } .wait { fill: var(--wait); }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .25rem .6rem .25rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; } .scroll { overflow-x: auto; } td { overflow-wrap: anywhere; }
.key span { display: inline-block; width: .9em; height: .9em; margin: 0 .3em 0 1em; vertical-align: -.1em; }
@media print { body { margin: 0; max-width: none; } .bar, .critical, .failed, .wait { print-color-adjust: exact; } tr { break-inside: avoid; } }
";

/// The page.
pub fn timeline_html(run: &Timeline) -> String {
    let title = format!("quickstart {} {}", run.verb, run.cluster);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>{0}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{0}: {1}</h1>\n<p>{2}, profile {3}, started {4}</p>\n",
        escape(&title),
        escape(&verdict(run)),
        escape(&run.set),
        escape(&run.profile),
        escape(&run.at)
    );
    page.push_str(&svg::chart(run));
    page.push_str(
        "\n<p class=\"key\"><span style=\"background:var(--critical)\"></span>◆ critical path<span style=\"background:var(--bar)\"></span>other \
         stages<span style=\"background:var(--failed)\"></span>failed<span style=\"background:var(--wait)\"></span>waits (their causes are in the table)</p>\n",
    );
    critical(&mut page, run);
    stages(&mut page, run);
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

fn critical(page: &mut String, run: &Timeline) {
    page.push_str(
        "<h2>Critical path</h2>\n<p>Each stage started when the one above it ended; what is not in this list makes no run shorter.</p>\n",
    );
    page.push_str("<div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\">stage</th><th scope=\"col\" class=\"number\">took</th><th scope=\"col\">longest wait</th></tr></thead>\n<tbody>\n");
    for link in &run.critical {
        let bound = link.bound.as_ref().map_or_else(String::new, |what| format!("{} for {what}", seconds(link.bound_ms)));
        let _ = writeln!(
            page,
            "<tr><th scope=\"row\">{}</th><td class=\"number\">{}</td><td>{}</td></tr>",
            escape(&link.stage.to_string()),
            seconds(link.took_ms()),
            escape(&bound)
        );
    }
    page.push_str("</tbody>\n</table></div>\n");
}

fn stages(page: &mut String, run: &Timeline) {
    page.push_str("<h2>Stages</h2>\n<div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\">stage</th><th scope=\"col\" class=\"number\">start</th><th scope=\"col\" class=\"number\">took</th><th scope=\"col\">ended</th><th scope=\"col\">what it did, and what it waited for</th></tr></thead>\n<tbody>\n");
    for lane in &run.stages {
        let mark = if link(run, lane).is_some() { "◆ " } else { "" };
        let _ = writeln!(
            page,
            "<tr><th scope=\"row\">{mark}{}</th><td class=\"number\">{}</td><td class=\"number\">{}</td><td>{}</td><td>{}</td></tr>",
            escape(&lane.stage.to_string()),
            lane.began_ms.map_or_else(String::new, seconds),
            lane.began_ms.map_or_else(String::new, |_| seconds(lane.took_ms())),
            lane.ended.word(),
            details(lane)
        );
    }
    page.push_str("</tbody>\n</table></div>\n");
}

fn details(lane: &Lane) -> String {
    let mut text = escape(&told(lane));
    for wait in &lane.waits {
        let saw = wait.saw.as_deref().map_or_else(String::new, |saw| format!(": {saw}"));
        text.push_str(if text.is_empty() { "" } else { "<br>" });
        text.push_str(&escape(&format!("{} for {}{saw}", seconds(wait.took_ms()), wait.what)));
    }
    text
}

/// What a cluster said, on one line, as it may stand in HTML and in its attributes.
pub(super) fn escape(text: &str) -> String {
    crate::report::escape(&crate::report::one_line(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_cluster_said_stays_text() {
        assert_eq!(
            escape("<script>alert('x') & \"y\"\n</script>"),
            "&lt;script&gt;alert(&#39;x&#39;) &amp; &quot;y&quot;; &lt;/script&gt;"
        );
    }
}
