//! The text of a bundle's index, without its seal: read, described, planned with.
#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use quickstart::bundle::{Bundle, describe};
use quickstart::catalog::{Catalog, embedded};
use quickstart::plan;
use quickstart::report::{Palette, bundle_summary, document, plan_tree};
use quickstart_fuzz::{file, gzip, sealed, settings, tar};

fuzz_target!(|text: &str| {
    static CATALOG: OnceLock<Catalog> = OnceLock::new();
    let catalog = CATALOG.get_or_init(|| embedded::catalog().expect("the catalog inside"));
    let Some(index) = sealed(text) else { return };
    // Of a compressed bundle only the index is read at first.
    let path = file("bundle.tar.gz", &gzip(&tar("bundle.json", &index)));
    let Ok(bundle) = Bundle::open(&path) else { return };
    let summary = describe(bundle.index());
    bundle_summary(&summary, Palette::default());
    document(&summary).expect("a summary is JSON");
    let _ = bundle.check_architecture("amd64");
    let _ = bundle.verify(|_, _| {});
    if let Ok(plan) = plan::build(settings(), catalog, Some(bundle.index())) {
        let cost = plan::budget(&plan, catalog, Some(bundle.index()), &plan::Found::default());
        plan_tree(&plan, &cost, Palette::default());
        document(&plan).expect("a plan is JSON");
        quickstart::state::State::fresh(&plan);
    }
});
