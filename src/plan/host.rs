//! By which name the gateway knows an InferenceService.

use serde_json::Value;

/// What decides about hosts. Both profiles get the same domain: Knative by `config-domain`, KServe itself by `inferenceservice-config`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Names<'a> {
    /// `serverless` or `raw`.
    pub profile: &'a str,
    /// Without a leading dot.
    pub domain: &'a str,
    /// What follows the name with Knative: see [`Names::entry_of`].
    pub entry: &'a str,
}

impl Names<'_> {
    /// Without Istio's VirtualServices the host is that of the component which requests enter (`getHostBasedServiceUrl` of KServe 0.20 with
    /// `disableIstioVirtualHost`).
    pub const fn entry_of(kourier: bool) -> &'static str {
        if kourier { "-predictor" } else { "" }
    }
}

/// The host of an InferenceService: what its own status says where it says something, else the form of its mode.
///
/// Knative's form is `NAME.NAMESPACE.DOMAIN`. Without Knative it is KServe's `domainTemplate`, `NAME-NAMESPACE.DOMAIN` as shipped (0.20).
pub fn host(live: Option<&Value>, names: Names<'_>, namespace: &str, name: &str) -> String {
    let domain = names.domain;
    match live.and_then(said_host) {
        Some(host) => host.to_owned(),
        None if is_raw(live, names.profile) => format!("{name}-{namespace}.{domain}"),
        None => format!("{name}{}.{namespace}.{domain}", names.entry),
    }
}

/// The host in an InferenceService's `status.url`, without scheme, port and path.
pub fn said_host(live: &Value) -> Option<&str> {
    let (_, rest) = live.pointer("/status/url")?.as_str()?.split_once("://")?;
    rest.split(['/', ':']).next().filter(|host| !host.is_empty())
}

/// Without Knative? KServe's annotation (`RawDeployment`, and `Standard` since 0.16) decides, then its status, then the cluster's profile.
pub fn is_raw(live: Option<&Value>, profile: &str) -> bool {
    let annotation = live.and_then(|live| live.pointer("/metadata/annotations")?.get("serving.kserve.io/deploymentMode")?.as_str());
    let mode = annotation.or_else(|| live?.pointer("/status/deploymentMode")?.as_str());
    mode.map_or(profile == "raw", |mode| mode == "RawDeployment" || mode == "Standard")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The raw profile's demo was asked for under Knative's name: KServe's Ingress knows it by another one.
    #[test]
    fn the_status_decides_then_the_mode_then_the_profile() {
        let of = |live: Option<Value>, profile| host(live.as_ref(), Names { profile, domain: "example.com", entry: "" }, "ns", "m");
        assert_eq!(of(None, "serverless"), "m.ns.example.com");
        assert_eq!(of(None, "raw"), "m-ns.example.com");
        assert_eq!(of(Some(json!({"metadata": {}})), "raw"), "m-ns.example.com");
        let annotated = json!({"metadata": {"annotations": {"serving.kserve.io/deploymentMode": "Standard"}}});
        assert_eq!(of(Some(annotated), "serverless"), "m-ns.example.com");
        let knative = json!({"status": {"deploymentMode": "Knative"}});
        assert_eq!(of(Some(knative), "raw"), "m.ns.example.com");
        for url in ["http://mine.test", "https://mine.test:8443/v1", "http://mine.test/"] {
            assert_eq!(of(Some(json!({"status": {"url": url}})), "raw"), "mine.test");
        }
        assert_eq!(of(Some(json!({"status": {"url": "http://"}})), "serverless"), "m.ns.example.com");
    }
}
