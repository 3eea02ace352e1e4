//! The admission webhooks of the components: one that nobody answers stops every write it is asked about.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

use super::check::CheckResult;

/// What the API server holds about webhooks.
#[derive(Clone, Debug, Default)]
pub(super) struct Webhooks {
    /// Mutating and validating configurations.
    pub(super) configurations: Vec<Value>,
    /// EndpointSlices of all namespaces.
    pub(super) slices: Vec<Value>,
}

/// One hook of a configuration.
struct Hook<'a> {
    configuration: &'a str,
    name: &'a str,
    has_authority: bool,
    /// Without it writes go through unchecked.
    required: bool,
}

/// One check for each Service of these namespaces that hooks ask.
pub(super) fn webhooks(found: &Webhooks, namespaces: &[&str]) -> Vec<CheckResult> {
    let mut services: BTreeMap<(&str, &str), Vec<Hook<'_>>> = BTreeMap::new();
    for configuration in &found.configurations {
        for hook in configuration.get("webhooks").and_then(Value::as_array).into_iter().flatten() {
            let (namespace, service) = (text(hook, "/clientConfig/service/namespace"), text(hook, "/clientConfig/service/name"));
            if namespaces.contains(&namespace) {
                services.entry((namespace, service)).or_default().push(Hook {
                    configuration: text(configuration, "/metadata/name"),
                    name: text(hook, "/name"),
                    has_authority: !text(hook, "/clientConfig/caBundle").is_empty(),
                    required: text(hook, "/failurePolicy") != "Ignore",
                });
            }
        }
    }
    services.into_iter().map(|((namespace, service), hooks)| one(namespace, service, &hooks, &found.slices)).collect()
}

fn one(namespace: &str, service: &str, hooks: &[Hook<'_>], slices: &[Value]) -> CheckResult {
    let (id, title) = (format!("webhook-{namespace}-{service}"), format!("webhook {namespace}/{service} can be asked"));
    let ready = ready_endpoints(slices, namespace, service);
    let required = hooks.iter().any(|hook| hook.required);
    if ready == 0 {
        let names: Vec<&str> = hooks.iter().map(|hook| hook.name).collect();
        let saw = format!("no ready endpoint stands behind it; asked by {}", listed(&names));
        let hint = format!(
            "`kubectl -n {namespace} get deployments,pods` shows what does not run behind it; `quickstart up` puts it back; until then every write it is asked about fails"
        );
        let check = CheckResult::error(&id, &title, saw, hint).named("WEBHOOK_UNREACHABLE").settling();
        return if required { check } else { check.as_warning() };
    }
    let unsigned: Vec<&Hook<'_>> = hooks.iter().filter(|hook| !hook.has_authority).collect();
    if !unsigned.is_empty() {
        let mut names: Vec<&str> = unsigned.iter().map(|hook| hook.configuration).collect();
        names.dedup();
        let saw = format!("no caBundle in {}", listed(&names));
        let hint = "who writes it does not run or has not yet: cert-manager-cainjector for KServe and cert-manager, the webhook's own pod for the others; `quickstart up` again";
        let check = CheckResult::error(&id, &title, saw, hint).named("WEBHOOK_CERT").settling();
        return if unsigned.iter().any(|hook| hook.required) { check } else { check.as_warning() };
    }
    let number = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    CheckResult::ok(&id, &title, format!("{}, {}", number(hooks.len(), "hook"), number(ready, "ready endpoint")))
}

/// Addresses behind a Service that take requests; a missing `ready` means yes (`discovery.k8s.io/v1`).
pub(super) fn ready_endpoints(slices: &[Value], namespace: &str, service: &str) -> usize {
    let own = slices.iter().filter(|slice| {
        let label = slice.pointer("/metadata/labels").and_then(|labels| labels.get("kubernetes.io/service-name")).and_then(Value::as_str);
        label == Some(service) && text(slice, "/metadata/namespace") == namespace
    });
    own.filter_map(|slice| slice.get("endpoints").and_then(Value::as_array))
        .flatten()
        .filter(|endpoint| endpoint.pointer("/conditions/ready").and_then(Value::as_bool).unwrap_or(true))
        .map(|endpoint| endpoint.get("addresses").and_then(Value::as_array).map_or(0, Vec::len))
        .sum()
}

pub(super) fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn listed(names: &[&str]) -> String {
    const SHOWN: usize = 3;
    let mut all = names[..names.len().min(SHOWN)].join(", ");
    if names.len() > SHOWN {
        let _ = write!(all, " and {} more", names.len() - SHOWN);
    }
    all
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::doctor::Outcome;

    fn configuration(policy: &str, authority: &str) -> Value {
        json!({"metadata": {"name": "inferenceservice.serving.kserve.io"}, "webhooks": [{"name": "a.b", "failurePolicy": policy,
            "clientConfig": {"caBundle": authority, "service": {"namespace": "kserve", "name": "hook"}}}]})
    }

    fn slice(ready: Option<bool>) -> Value {
        json!({"metadata": {"namespace": "kserve", "labels": {"kubernetes.io/service-name": "hook"}},
            "endpoints": [{"addresses": ["10.244.0.7"], "conditions": {"ready": ready}}]})
    }

    fn check(policy: &str, authority: &str, slices: Vec<Value>) -> CheckResult {
        let found = Webhooks { configurations: vec![configuration(policy, authority)], slices };
        webhooks(&found, &["kserve"]).remove(0)
    }

    #[test]
    fn a_webhook_needs_an_endpoint_and_an_authority() {
        assert_eq!(check("Fail", "Q0E=", vec![slice(None)]).result, Outcome::Ok);
        let silent = check("Fail", "Q0E=", vec![slice(Some(false))]);
        assert_eq!((silent.result, silent.error_id.as_deref(), silent.settles), (Outcome::Error, Some("WEBHOOK_UNREACHABLE"), true));
        let unsigned = check("Fail", "", vec![slice(Some(true))]);
        assert_eq!((unsigned.result, unsigned.error_id.as_deref()), (Outcome::Error, Some("WEBHOOK_CERT")));
        assert!(unsigned.saw.contains("inferenceservice.serving.kserve.io"), "{unsigned:?}");
    }

    #[test]
    fn a_webhook_that_may_be_silent_is_a_warning_and_a_strangers_none_of_ours() {
        assert_eq!(check("Ignore", "Q0E=", Vec::new()).result, Outcome::Warning);
        let found = Webhooks { configurations: vec![configuration("Fail", "")], slices: Vec::new() };
        assert!(webhooks(&found, &["istio-system"]).is_empty());
    }

    #[test]
    fn a_long_list_is_cut() {
        assert_eq!(listed(&["a", "b", "c", "d", "e"]), "a, b, c and 2 more");
    }
}
