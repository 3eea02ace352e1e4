//! Every byte out: stdout is data, stderr is talk. Nothing else in the program prints.

mod bundle;
mod closing;
mod doctor;
mod escape;
mod failure;
mod forward;
mod json;
mod log;
mod pending;
mod plain;
mod plan;
mod printer;
mod redraw;
mod sample;
mod sanitize;
mod status;
mod style;
mod table;
mod timeline;
mod trace;
mod units;
mod view;

pub use bundle::{bundle_difference, bundle_summary};
pub use doctor::{doctor_short, doctor_table, error_list, route_table};
pub use escape::escape;
pub use failure::{failure_json, failure_text};
pub use forward::tunnels;
pub use json::{document, document_line, line};
pub use log::EventLog;
pub use plain::{Line, Plain};
pub use plan::{plan_tree, settings_table};
pub use printer::{Captured, Printer};
pub use redraw::Redraw;
pub use sample::{lint_text, load_text, sample_table};
pub use sanitize::{one_line, sanitize};
pub use status::status_board;
pub use style::{Palette, Tone};
pub use table::{Cell, Table};
pub use timeline::{timeline_html, timeline_text, timeline_trace};
pub use trace::trace;
pub use units::{bytes, seconds, values};
pub use view::View;

#[cfg(test)]
mod tests;
