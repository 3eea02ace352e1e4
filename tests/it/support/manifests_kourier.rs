//! The miniature with Kourier in the place of Istio: one file, of which two components take their parts.

use super::{
    manifest_parts::{autoscaling, config_map, deployment, namespace},
    manifests,
};

/// Kourier's images: `(group, reference)`.
pub const IMAGES: [(&str, &str); 2] = [
    ("kourier", "docker.io/envoyproxy/envoy:v1.36-latest"),
    (
        "net-kourier",
        "gcr.io/knative-releases/knative.dev/net-kourier/cmd/kourier@sha256:964ac95786974ebacaf3c67563fb358f4e848712b72b36da0b23cc4a4b451f78",
    ),
];

/// `(component, file, text)` of every file.
pub fn files() -> Vec<(&'static str, &'static str, String)> {
    let mut files: Vec<_> = manifests::files().into_iter().filter(|(component, ..)| !component.contains("istio")).collect();
    files.extend(["kourier", "net-kourier"].map(|component| (component, "kourier.yaml", kourier())));
    files
}

fn kourier() -> String {
    let mut out = namespace("kourier-system");
    out += &config_map("kourier-system", "kourier-bootstrap", "net-kourier", "  envoy-bootstrap.yaml: nothing\n");
    out += &config_map("knative-serving", "config-kourier", "net-kourier", "  _example: nothing\n");
    out += &deployment("knative-serving", "net-kourier-controller", "controller", IMAGES[1].1, Some(18000), true);
    out += &deployment("kourier-system", "3scale-kourier-gateway", "kourier-gateway", IMAGES[0].1, None, false);
    out += "---\napiVersion: v1\nkind: Service\nmetadata: {name: kourier, namespace: kourier-system}\nspec:\n  type: LoadBalancer\n  selector: {app: 3scale-kourier-gateway}\n  ports:\n  - {name: http2, port: 80, protocol: TCP, targetPort: 8080}\n  - {name: https, port: 443, protocol: TCP, targetPort: 8443}\n";
    out += &autoscaling("kourier-system", "3scale-kourier-gateway");
    out
}
