//! Every byte out: stdout is data, stderr is talk. Nothing else in the program prints.

mod board;
mod budget;
mod bundle;
mod closing;
mod difference;
mod doctor;
mod drawing;
mod escape;
mod failure;
mod forward;
mod json;
mod live;
mod log;
mod manifests;
mod pending;
mod plain;
mod plan;
mod printer;
mod redraw;
mod sanitize;
mod status;
mod style;
mod table;
mod timeline;
mod trace;
mod units;
mod view;

pub use board::{Board, Size};
pub use budget::budget_lines;
pub use bundle::{bundle_difference, bundle_summary};
pub use difference::plan_difference;
pub use doctor::{doctor_short, doctor_table, error_list, route_table};
pub use drawing::{plan_dot, plan_mermaid, plan_svg};
pub use escape::escape;
pub use failure::{failure_json, failure_text};
pub use forward::tunnels;
pub use json::{document, document_line, line};
pub use live::Live;
pub use log::EventLog;
pub use manifests::manifests;
pub use plain::{Line, Plain};
pub use plan::{plan_tree, settings_table};
pub use printer::{Captured, Printer};
pub use redraw::Redraw;
pub use sanitize::{one_line, sanitize};
pub use status::status_board;
pub use style::{Palette, Tone};
pub use table::{Cell, Table};
pub use timeline::{timeline_html, timeline_text, timeline_trace};
pub use trace::trace;
pub use units::{bytes, seconds, values, whole_seconds};
pub use view::View;

#[cfg(test)]
mod tests;
