//! The plan as a picture: for Mermaid, for Graphviz, and drawn already.

use std::fmt::Write as _;

use layout::backends::svg::SVGWriter;
use layout::core::base::Orientation;
use layout::core::color::Color;
use layout::core::style::StyleAttr;
use layout::std_shapes::render::get_shape_size;
use layout::std_shapes::shapes::{Arrow, Element, ShapeKind};
use layout::topo::layout::VisualGraph;

use super::one_line;
use crate::plan::{Stage, arrows};

const LEGEND: &str = "an arrow leads from a stage to one that starts after it; arrows that follow from others are left out";

/// A `flowchart` for Mermaid: GitHub, GitLab and many editors draw it.
pub fn plan_mermaid(stages: &[Stage]) -> String {
    let mut out = format!("%% quickstart plan: {LEGEND}\nflowchart LR\n");
    for (number, stage) in stages.iter().enumerate() {
        let (id, title) = words(stage);
        let _ = writeln!(out, "  s{number}[\"{}<br/>{}\"]", entities(&id), entities(&title));
    }
    for (from, to) in arrows(stages) {
        let _ = writeln!(out, "  s{from} --> s{to}");
    }
    out
}

/// A `digraph` for Graphviz.
pub fn plan_dot(stages: &[Stage]) -> String {
    let mut out = format!("// quickstart plan: {LEGEND}\ndigraph quickstart {{\n  rankdir=LR;\n  node [shape=box, style=rounded];\n");
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
    for (number, stage) in stages.iter().enumerate() {
        let (id, title) = words(stage);
        let _ = writeln!(out, "  s{number} [label=\"{}\\n{}\"];", quoted(&id), quoted(&title));
    }
    for (from, to) in arrows(stages) {
        let _ = writeln!(out, "  s{from} -> s{to};");
    }
    out + "}\n"
}

/// A picture that any browser shows.
pub fn plan_svg(stages: &[Stage]) -> String {
    const FONT: usize = 14;
    let look = StyleAttr::new(Color::new(0x33_41_55_ff), 1, Some(Color::new(0xf8_fa_fc_ff)), 6, FONT);
    let way = Orientation::LeftToRight;
    let mut graph = VisualGraph::new(way);
    let nodes: Vec<_> = stages
        .iter()
        .map(|stage| {
            let (id, title) = words(stage);
            let shape = ShapeKind::new_box(&format!("{id}\n{title}"));
            let size = get_shape_size(way, &shape, FONT, false);
            graph.add_node(Element::create(shape, look.clone(), way, size))
        })
        .collect();
    for (from, to) in arrows(stages) {
        graph.add_edge(Arrow { look: look.clone(), ..Arrow::simple("") }, nodes[from], nodes[to]);
    }
    let mut drawn = SVGWriter::new();
    // The layout takes no graph without a node.
    if !nodes.is_empty() {
        graph.do_it(false, false, false, &mut drawn);
    }
    drawn.finalize()
}

fn words(stage: &Stage) -> (String, String) {
    (one_line(&stage.id.to_string()), one_line(&stage.title))
}

/// Mermaid's own escape, `#34;`, for all that could end a label or be read as markup, a directive or a link.
fn entities(text: &str) -> String {
    let harmless = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '.' | ',' | '_');
    text.chars()
        .fold(String::new(), |all, c| if harmless(c) { all + c.encode_utf8(&mut [0; 4]) } else { all + &format!("#{};", u32::from(c)) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::plan::StageId;

    /// Titles that want to be something else.
    fn hostile() -> Vec<Stage> {
        let titles = [
            "\"]; click s0 href \"javascript:alert(1)\" %%{init: {\"securityLevel\": \"loose\"}}%% `x`",
            "\\\" URL=\"javascript:alert(2)\" \\N <b>",
            "</text><script>alert('3')</script>\n--> ]]> &amp; \u{1b}[2J",
        ];
        let ids = ["fetch", "cluster", "istio"].map(StageId::component);
        let stage = |number: usize| Stage {
            id: ids[number].clone(),
            title: titles[number].to_owned(),
            needs: ids[..number].to_vec(),
            checks: Vec::new(),
            timeout: 1,
        };
        (0..3).map(stage).collect()
    }

    proptest! {
        /// The layout has assertions of its own, and a plan that is not drawn would be a crash.
        #[test]
        fn every_graph_can_be_drawn(needs in prop::collection::vec(prop::collection::vec(any::<prop::sample::Index>(), 0..4), 0..20)) {
            let id = |number: usize| StageId::component(&format!("s{number}"));
            let stages: Vec<Stage> = needs
                .iter()
                .enumerate()
                .map(|(number, needs)| Stage {
                    id: id(number),
                    title: "t".repeat(number),
                    needs: needs.iter().filter(|_| number > 0).map(|need| id(need.index(number))).collect(),
                    checks: Vec::new(),
                    timeout: 1,
                })
                .collect();
            let svg = plan_svg(&stages);
            prop_assert_eq!(svg.matches("<rect").count(), stages.len());
        }
    }

    #[test]
    fn no_label_gets_out_of_its_quotes() {
        insta::assert_snapshot!("mermaid", plan_mermaid(&hostile()));
        insta::assert_snapshot!("dot", plan_dot(&hostile()));
        let svg = plan_svg(&hostile());
        assert!(!svg.contains("<script") && !svg.contains("<b>") && svg.contains("&lt;script&gt;"), "{svg}");
        assert!(!svg.contains('\u{1b}'), "{svg}");
    }
}
