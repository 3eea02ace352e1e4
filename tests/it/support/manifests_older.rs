//! The same miniature as older sets have it: what upstream's files of KServe 0.15.2, 0.13.1 and 0.10.0 lack or hold elsewhere.

use super::{
    manifest_parts::namespace,
    manifests::{self},
};

/// `(component, file, text)` of every file of a set.
pub fn files(set: &str) -> Vec<(&'static str, &'static str, String)> {
    let (version, runtimes) = match set {
        "kserve-0.15" => ("0.15.2", "kserve-cluster-resources.yaml"),
        "kserve-0.13" => ("0.13.1", "kserve-cluster-resources.yaml"),
        "kserve-0.10" => ("0.10.0", "kserve-runtimes.yaml"),
        other => panic!("no such set here: {other}"),
    };
    let mut files = Vec::new();
    for (component, file, text) in manifests::files() {
        match (component, file) {
            ("knative" | "net-istio", _) if version == "0.10.0" => {}
            ("kserve", "kserve-crds.yaml") => {}
            ("kserve", "kserve.yaml") => files.push((component, file, kserve(&text, version))),
            ("kserve", _) => files.push((component, runtimes, text.replace("0.20.0", version) + &storage(version))),
            _ => files.push((component, file, text)),
        }
    }
    files
}

/// Definitions and namespace are in the file; the object of a cluster-scoped kind is not, and newer kinds and keys are not there at all.
fn kserve(text: &str, version: &str) -> String {
    let newer = |document: &&str| {
        let has = |part: &str| document.contains(part);
        has("llminference")
            || has("localmodel")
            || has("llmisvc")
            || has("kind: ClusterStorageContainer\nmetadata: {name: default")
            || (version == "0.10.0" && (has("servingruntime.kserve-webhook-server") || has("clusterstoragecontainers")))
    };
    let kept: Vec<&str> = text.split("---\n").filter(|document| !newer(document)).collect();
    let mut text = namespace("kserve") + &kept.join("---\n").replace("0.20.0", version);
    if version != "0.15.2" {
        let at = text.find("  inferenceService: |-\n").unwrap();
        let end = at + text[at..].find("  ingress: |-\n").unwrap();
        text.replace_range(at..end, "");
    }
    if version == "0.10.0" {
        text = text.replace("        readinessProbe: {httpGet: {path: /readyz, port: 8081}, initialDelaySeconds: 30}\n", "");
    }
    text
}

fn storage(version: &str) -> String {
    if version == "0.10.0" {
        return String::new();
    }
    format!(
        "---\napiVersion: serving.kserve.io/v1alpha1\nkind: ClusterStorageContainer\nmetadata: {{name: default}}\nspec:\n  container:\n    name: storage-initializer\n    image: kserve/storage-initializer:v{version}\n    resources: {{requests: {{cpu: 100m, memory: 100Mi}}}}\n  supportedUriFormats:\n  - {{prefix: 'gs://'}}\n"
    )
}
