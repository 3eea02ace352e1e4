//! Admission webhooks: which configurations match a write, whether their server answers, and what it refuses.

use serde_json::{Value, json};

use super::{resources::Resource, selectors::selects, status::Refusal, store::World, workloads, yaml};

/// Asks every webhook that matches; `operation` is CREATE, UPDATE or DELETE.
pub fn admit(world: &mut World, resource: &Resource, operation: &str, object: &Value) -> Result<(), Refusal> {
    let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
    let namespace_labels = world.find("", "namespaces", "", namespace).map_or(Value::Null, |found| found["metadata"]["labels"].clone());
    let mut asked = Vec::new();
    for plural in ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"] {
        for key in world.keys("admissionregistration.k8s.io", plural) {
            let hooks = world.get(&key).and_then(|found| found["webhooks"].as_array().cloned()).unwrap_or_default();
            asked.extend(hooks.into_iter().map(|hook| (hook, plural == "validatingwebhookconfigurations")));
        }
    }
    for (hook, validating) in asked {
        let by_rule = hook["rules"].as_array().is_some_and(|rules| rules.iter().any(|rule| rule_matches(rule, resource, operation)));
        let by_namespace = namespace.is_empty() || selects(&hook["namespaceSelector"], &namespace_labels);
        if !by_rule || !by_namespace || !selects(&hook["objectSelector"], &object["metadata"]["labels"]) {
            continue;
        }
        let name = hook["name"].as_str().unwrap_or_default();
        match reach(world, &hook) {
            Err(_) if hook["failurePolicy"] == "Ignore" => continue,
            Err(why) => return Err(Refusal::webhook_failed(name, &why)),
            Ok(()) => {}
        }
        if validating
            && operation != "DELETE"
            && let Err((code, why)) = judge(name, resource, object)
        {
            return Err(Refusal::denied(code, name, &why));
        }
    }
    Ok(())
}

fn rule_matches(rule: &Value, resource: &Resource, operation: &str) -> bool {
    let lists = |key: &str, wanted: &str| {
        rule[key]
            .as_array()
            .is_some_and(|list| list.iter().any(|one| one == "*" || *one == json!(wanted) || (key == "resources" && one == "*/*")))
    };
    lists("apiGroups", &resource.group)
        && lists("apiVersions", &resource.version)
        && lists("resources", &resource.plural)
        && lists("operations", operation)
}

/// The webhooks whose pods are, or would be, in this namespace.
fn hooks_of(world: &World, namespace: &str) -> Vec<Value> {
    ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"]
        .iter()
        .flat_map(|plural| world.keys("admissionregistration.k8s.io", plural))
        .filter_map(|key| world.get(&key)?["webhooks"].as_array().cloned())
        .flatten()
        .filter(|hook| hook["clientConfig"]["service"]["namespace"] == namespace)
        .collect()
}

/// Does a webhook whose pods would be in this namespace not answer? Then what it guards cannot be deleted either.
pub fn is_deaf(world: &mut World, namespace: &str) -> bool {
    hooks_of(world, namespace).iter().any(|hook| hook["failurePolicy"] != "Ignore" && reach(world, hook).is_err())
}

/// Have all webhooks whose pods are in this namespace their pods and their authority? A call may still be too early.
pub fn can_answer(world: &World, namespace: &str) -> bool {
    hooks_of(world, namespace).iter().all(|hook| pods(world, hook) == Some(true) && has_authority(hook))
}

fn has_authority(hook: &Value) -> bool {
    !hook["clientConfig"]["caBundle"].as_str().unwrap_or_default().is_empty()
}

/// Is a Deployment that the hook's Service selects ready? `None`: there is no such Service.
fn pods(world: &World, hook: &Value) -> Option<bool> {
    let service = &hook["clientConfig"]["service"];
    let (namespace, name) = (service["namespace"].as_str().unwrap_or_default(), service["name"].as_str().unwrap_or_default());
    let selector = json!({"matchLabels": world.find("", "services", namespace, name)?["spec"]["selector"]});
    Some(world.keys("apps", "deployments").into_iter().any(|key| {
        key.namespace == namespace
            && world.get(&key).is_some_and(|found| selects(&selector, &found["spec"]["template"]["metadata"]["labels"]))
            && workloads::ready(world, &key.namespace, &key.name)
    }))
}

/// Follows the hook's Service to a Deployment; `Err` is what the API server's client would see.
fn reach(world: &mut World, hook: &Value) -> Result<(), String> {
    let service = &hook["clientConfig"]["service"];
    let (namespace, name) = (service["namespace"].as_str().unwrap_or_default(), service["name"].as_str().unwrap_or_default());
    let path = service["path"].as_str().unwrap_or("/");
    let post = format!("Post \"https://{name}.{namespace}.svc:443{path}?timeout=10s\"");
    let Some(serving) = pods(world, hook) else { return Err(format!("{post}: service \"{name}\" not found")) };
    let refused = format!("{post}: dial tcp 10.96.7.7:443: connect: connection refused");
    if !serving {
        return Err(refused);
    }
    let calls = world.lag.entry(format!("{namespace}/{name}")).or_default();
    if *calls < world.pace.webhook_lag {
        *calls += 1;
        return Err(refused);
    }
    if !has_authority(hook) {
        return Err(format!("{post}: tls: failed to verify certificate: x509: certificate signed by unknown authority"));
    }
    Ok(())
}

/// What the real webhooks refuse, as far as tests need it: HTTP code and text.
fn judge(webhook: &str, resource: &Resource, object: &Value) -> Result<(), (u16, String)> {
    let spec = &object["spec"];
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    match (webhook, resource.plural.as_str()) {
        ("webhook.cert-manager.io", "issuers" | "clusterissuers") => {
            let known = ["acme", "ca", "vault", "selfSigned", "venafi"];
            if known.iter().all(|kind| spec[*kind].is_null()) {
                return Err((403, "spec: Required value: at least one issuer must be configured".to_owned()));
            }
        }
        ("webhook.cert-manager.io", "certificates") if spec["secretName"].as_str().unwrap_or_default().is_empty() => {
            return Err((403, "spec.secretName: Required value: must be specified".to_owned()));
        }
        ("validation.webhook.serving.knative.dev", "services" | "configurations")
            if spec["template"]["spec"]["containers"].as_array().is_none_or(Vec::is_empty) =>
        {
            return Err((400, "validation failed: missing field(s): spec.template.spec.containers".to_owned()));
        }
        ("config.webhook.serving.knative.dev", "configmaps") => knative_config(object)?,
        ("config.webhook.istio.networking.internal.knative.dev", "configmaps") => istio_config(object)?,
        ("inferenceservice.kserve-webhook-server.validator", "inferenceservices") if !inference_service_name(name) => {
            return Err((
                403,
                format!(
                    "the InferenceService \"{name}\" is invalid: a InferenceService name must consist of lower case alphanumeric characters or '-', and must start with alphabetical character. (e.g. \"my-name\" or \"abc-123\", regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
                ),
            ));
        }
        // Two priorities for one model format are looked at only beside another runtime (KServe 0.20, seen on the real cluster: the
        // very first runtime is not refused for them), so the number of worker containers is what always counts.
        ("clusterservingruntime.kserve-webhook-server.validator" | "servingruntime.kserve-webhook-server.validator", _)
            if spec.pointer("/workerSpec/containers").and_then(Value::as_array).is_some_and(|containers| containers.len() > 1) =>
        {
            let text = format!("the ClusterServingRuntime {name:?} is invalid: setting multiple containers in workerSpec is not allowed");
            return Err((403, text));
        }
        _ => {}
    }
    Ok(())
}

fn knative_config(object: &Value) -> Result<(), (u16, String)> {
    let bad = |key: &str, value: &str| {
        Err((400, format!("validation failed: failed to parse {key:?}: strconv.ParseInt: parsing {value:?}: invalid syntax")))
    };
    for (key, value) in object["data"].as_object().into_iter().flatten() {
        let Some(text) = value.as_str() else { continue };
        let number = ["max-scale", "max-scale-limit", "min-scale", "initial-scale"].contains(&key.as_str());
        if number && text.parse::<i64>().is_err() {
            return bad(key, text);
        }
        if key == "enable-scale-to-zero" && text.parse::<bool>().is_err() {
            return bad(key, text);
        }
        if key == "domain-template" && (text.matches("{{").count() != text.matches("}}").count() || text.contains("{{{")) {
            return Err((
                400,
                format!("validation failed: error parsing domain-template: template: domain-template:1: unexpected {text:?}"),
            ));
        }
    }
    Ok(())
}

fn istio_config(object: &Value) -> Result<(), (u16, String)> {
    for (key, value) in object["data"].as_object().into_iter().flatten() {
        let text = value.as_str().unwrap_or_default().trim();
        let old_style = key.starts_with("gateway.") || key.starts_with("local-gateway.");
        let new_style = key == "external-gateways" || key == "local-gateways";
        let host_like = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b)) && text.contains('.');
        let listed = yaml::documents(text).is_some_and(|all| all.iter().all(Value::is_array));
        if (old_style && (key.split('.').count() < 3 || !host_like)) || (new_style && !listed) {
            return Err((400, format!("validation failed: failed to parse gateway configuration {key:?}: invalid value {text:?}")));
        }
    }
    Ok(())
}

fn inference_service_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && !name.ends_with('-')
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}
