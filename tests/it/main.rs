//! The whole program against fakes at the wire: no engine, no network, no cluster.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod layers;
mod small;
mod support;

mod bomb;
mod bundle;
mod bundle_artifact;
mod bundle_registry;
mod cancel;
mod chaos;
mod completions;
mod config;
mod doctor;
mod doctor_fix;
mod doctor_route;
mod down;
mod engines;
mod errors;
mod forward;
mod help;
mod image;
mod kubeconfig;
mod logs;
mod parsers;
mod plan;
mod predict;
mod proxy;
mod raw;
mod reset;
mod rules;
mod rules_late;
mod rules_machine;
mod rules_pods;
mod sample;
mod sample_lint;
mod second_up;
mod serve;
mod side_by_side;
mod status;
mod stop_start;
mod timeline;
mod up;
mod waves;
