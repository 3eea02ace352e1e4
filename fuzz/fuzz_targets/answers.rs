//! What an API server may answer, as JSON: judged, explained, patched, printed. Nothing in it is believed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quickstart::catalog::{Object, RestMap, merge, served_collections, strip_nulls};
use quickstart::cluster::ClusterError;
use quickstart::error::{Explain, Failure};
use quickstart::forward::{container_port, target_port};
use quickstart::health::{conditions, pods, rollout, selector};
use quickstart::report::{Palette, failure_json, failure_text, values};
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    let Ok(value) = serde_json::from_slice::<Value>(data) else { return };
    pods::judge(&value);
    pods::name(&value);
    rollout::deployment(&value);
    rollout::condition(&value, "Ready");
    conditions(&value);
    selector(&value);
    served_collections(&value);
    values(&value);
    for port in [0, 80, 65535] {
        if let Some(wanted) = target_port(&value, port) {
            container_port(&value, &wanted);
        }
    }
    if let Ok(object) = Object::new(value.clone(), "answer") {
        let mut rest = RestMap::default();
        rest.learn([&object]);
        let _ = rest.path(&object);
    }
    let mut merged = value.clone();
    merge::merge(&mut merged, &value);
    strip_nulls(&mut merged);
    if let Ok(status) = serde_json::from_value(value) {
        let error = ClusterError::from_kube("apply x", &kube::Error::Api(Box::new(status)));
        let _ = (error.id(), error.exit(), error.hint(), error.is_transient(), error.is_conflict(), error.is_denied_by("w"));
        let failure = Failure::from(error);
        failure_text(&failure, Palette::default());
        failure_json(&failure);
    }
});
