//! YAML of ours as somebody else may have it: a catalog (every bundle carries one), overlays, fields never claimed.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use quickstart::catalog::{Catalog, NeverClaimed, Overlays, yaml};
use quickstart::plan;
use quickstart_fuzz::{objects, settings};

fuzz_target!(|text: &str| {
    if let Ok(catalog) = yaml::ours::<Catalog>(text, "catalog.yaml") {
        for set in &catalog.sets {
            let _ = catalog.choose(set, &BTreeMap::new(), "serverless", "istio");
        }
        let _ = plan::build(settings(), &catalog, None);
    }
    if let Ok(overlays) = yaml::ours::<Overlays>(text, "overlay.yaml") {
        let _ = overlays.apply(&mut objects(), "0.20.0", true);
        let _ = overlays.apply(&mut objects(), "0.20.0", false);
    }
    if let Ok(never) = yaml::ours::<NeverClaimed>(text, "never.yaml") {
        for object in objects() {
            never.needs_live(&object);
            never.strip(&object, None);
            never.strip(&object, Some(&object.body));
        }
    }
});
