//! What cert-manager, Istio, Knative, net-istio and KServe write once they run.

use serde_json::{Value, json};

use super::{
    discovery, endpoints, gateway_tls,
    store::{Key, World},
    webhooks,
    workloads::{self, Trouble, condition, conditions, ready},
};

/// Base64 of a certificate that nobody checks.
const AUTHORITY: &str = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t";
const MODE: &str = "serving.kserve.io/deploymentMode";
const HOOKS: [&str; 2] = ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"];

/// Runs every controller until nothing changes.
pub fn settle(world: &mut World) {
    for _ in 0..20 {
        if !world.dirty {
            return;
        }
        world.dirty = false;
        workloads::settle(world);
        cert_manager(world);
        istio(world);
        knative(world);
        inference_services(world);
        endpoints::settle(world);
    }
    panic!("the fake controllers fight over an object");
}

fn cert_manager(world: &mut World) {
    let controller = ready(world, "cert-manager", "cert-manager");
    if ready(world, "cert-manager", "cert-manager-webhook") {
        secret(world, "cert-manager", "cert-manager-webhook-ca", "cert-manager-webhook");
    }
    if controller {
        let issuers = [world.keys("cert-manager.io", "issuers"), world.keys("cert-manager.io", "clusterissuers")].concat();
        for key in issuers {
            world.edit(&key, "cert-manager-issuers", |object| {
                object["status"] = json!({"conditions": conditions(&[("Ready", true, "IsReady", "")])});
            });
        }
        // A certificate is issued by way of a CertificateRequest, which cert-manager's own webhook sees, where there is one.
        let heard = webhooks::can_answer(world, "cert-manager");
        for key in world.keys("cert-manager.io", "certificates").into_iter().filter(|_| heard) {
            let spec = world.objects[&key].object["spec"].clone();
            let issuer = spec["issuerRef"]["name"].as_str().unwrap_or_default();
            let found = world.find("cert-manager.io", "issuers", &key.namespace, issuer).or(world.find(
                "cert-manager.io",
                "clusterissuers",
                "",
                issuer,
            ));
            let Some(found) = found else { continue };
            let signed = found["spec"]["ca"].is_object().then(gateway_tls::signed);
            let (name, manager) = (spec["secretName"].as_str().unwrap_or_default(), "cert-manager-certificates-issuing");
            secret_of(world, &key.namespace, name, manager, signed.unwrap_or_else(nobodys));
            let up_to_date = conditions(&[("Ready", true, "Ready", "Certificate is up to date and has not expired")]);
            world.edit(&key, "cert-manager-certificates-readiness", |object| object["status"] = json!({"conditions": up_to_date}));
        }
    }
    if ready(world, "cert-manager", "cert-manager-cainjector") {
        for key in hook_keys(world) {
            let notes = world.objects[&key].object["metadata"]["annotations"].clone();
            let from_secret = notes["cert-manager.io/inject-ca-from-secret"].as_str().and_then(|name| name.split_once('/'));
            let from_certificate = notes["cert-manager.io/inject-ca-from"].as_str().and_then(|name| name.split_once('/'));
            let known = from_secret.is_some_and(|(namespace, name)| world.find("", "secrets", namespace, name).is_some())
                || from_certificate.is_some_and(|(namespace, name)| {
                    world
                        .find("cert-manager.io", "certificates", namespace, name)
                        .is_some_and(|found| condition(found, "Ready") == Some("True"))
                });
            if known {
                each_hook(world, &key, "cainjector", |hook| hook["clientConfig"]["caBundle"] = json!(AUTHORITY));
            }
        }
    }
}

fn istio(world: &mut World) {
    if !ready(world, "istio-system", "istiod") {
        return;
    }
    discovery::root_certificates(world);
    for key in hook_keys(world) {
        each_hook(world, &key, "pilot-discovery", |hook| {
            if hook["clientConfig"]["service"]["name"] == "istiod" {
                hook["clientConfig"]["caBundle"] = json!(AUTHORITY);
                if hook["name"] == "rev.validation.istio.io" {
                    hook["failurePolicy"] = json!("Fail");
                }
            }
        });
    }
}

/// Knative's webhooks write rules, selector and authority of their own configurations when they start.
fn knative(world: &mut World) {
    for (deployment, certificates) in [("webhook", "webhook-certs"), ("net-istio-webhook", "net-istio-webhook-certs")] {
        if !ready(world, "knative-serving", deployment) {
            continue;
        }
        secret(world, "knative-serving", certificates, "webhook");
        for key in hook_keys(world) {
            each_hook(world, &key, "webhook", |hook| {
                let service = &hook["clientConfig"]["service"];
                if service["name"] != deployment || service["namespace"] != "knative-serving" {
                    return;
                }
                hook["clientConfig"]["caBundle"] = json!(AUTHORITY);
                hook["namespaceSelector"] =
                    json!({"matchExpressions": [{"key": "webhooks.knative.dev/exclude", "operator": "DoesNotExist"}]});
                hook["rules"] = knative_rules(hook["name"].as_str().unwrap_or_default());
            });
        }
    }
}

fn knative_rules(hook: &str) -> Value {
    let rule = |group: &str, versions: &[&str], operations: &[&str], resources: &[&str]| json!({"apiGroups": [group], "apiVersions": versions, "operations": operations, "resources": resources, "scope": "*"});
    match hook {
        "config.webhook.serving.knative.dev" | "config.webhook.istio.networking.internal.knative.dev" => {
            json!([rule("", &["v1"], &["CREATE", "UPDATE"], &["configmaps"])])
        }
        "webhook.istio.networking.internal.knative.dev" => {
            json!([rule("networking.istio.io", &["v1beta1"], &["CREATE", "UPDATE"], &["virtualservices"])])
        }
        _ => json!([
            rule("autoscaling.internal.knative.dev", &["v1alpha1"], &["CREATE", "UPDATE", "DELETE"], &["metrics", "podautoscalers"]),
            rule(
                "networking.internal.knative.dev",
                &["v1alpha1"],
                &["CREATE", "UPDATE", "DELETE"],
                &["certificates", "ingresses", "serverlessservices"]
            ),
            rule("serving.knative.dev", &["v1"], &["CREATE", "UPDATE", "DELETE"], &["configurations", "revisions", "routes", "services"]),
        ]),
    }
}

fn inference_services(world: &mut World) {
    for key in world.keys("serving.kserve.io", "inferenceservices") {
        let object = world.objects[&key].object.clone();
        let runtime = object["spec"]["predictor"]["model"]["runtime"].as_str().unwrap_or("kserve-sklearnserver");
        let known = world.find("serving.kserve.io", "clusterservingruntimes", "", runtime).is_some()
            || world.find("serving.kserve.io", "servingruntimes", &key.namespace, runtime).is_some();
        if !ready(world, "kserve", "kserve-controller-manager") {
            continue;
        }
        let mode = mode(world, &object);
        // Without Istio's kinds it refuses to go on, unless it was told to do without (controller.go of 0.20: `VirtualServiceAvailable`).
        let routes = world.custom("networking.istio.io", "v1beta1", "virtualservices").is_some() || without_istio(world);
        let served = mode == "Standard" || (routes && knative_is_watched(world));
        let trouble = world.troubles.get(&format!("{}/{}", key.namespace, key.name)).cloned();
        let up = known && served && trouble.is_none() && world.objects[&key].reads > world.pace.inference_services;
        let url = format!("{}://{}", scheme(world), host_in(world, mode, &key.namespace, &key.name));
        let model = json!({"transitionStatus": if up { "UpToDate" } else { "InProgress" }, "states": {"targetModelState": if up { "Loaded" } else { "Pending" }}});
        let unready = if !served {
            ("ServerlessModeRejected", "It is not possible to use Knative deployment mode when Knative Services are not available")
        } else if known {
            ("RevisionMissing", "Configuration is waiting for a Revision to become ready.")
        } else {
            ("RuntimeNotFound", "no runtime found")
        };
        let (reason, message) = match &trouble {
            _ if up => ("", ""),
            Some(Trouble::Unready { reason, message }) => (reason.as_str(), message.as_str()),
            _ => unready,
        };
        let model = match &trouble {
            Some(Trouble::Model { reason, message }) => {
                json!({"transitionStatus": "InvalidSpec", "lastFailureInfo": {"reason": reason, "message": message}})
            }
            _ => model,
        };
        let components = revisions(world, &key, &object["spec"]["predictor"], up);
        world.edit(&key, "manager", |object| {
            if mode == "Standard" {
                object["metadata"]["annotations"][MODE] = json!(mode);
            }
            object["status"] = json!({"deploymentMode": mode, "observedGeneration": object["metadata"]["generation"], "modelStatus": model, "components": components, "conditions": conditions(&[
                ("IngressReady", up, reason, message), ("PredictorReady", up, reason, message), ("Ready", up, reason, message)])});
            if up {
                object["status"]["url"] = json!(url);
            }
        });
        if known && !matches!(trouble, Some(Trouble::Unready { .. } | Trouble::Model { .. })) {
            let template = json!({"metadata": {"labels": {"serving.kserve.io/inferenceservice": key.name, "component": "predictor", "app": format!("{}-predictor-00001", key.name)}},
                "spec": {"containers": [{"name": "kserve-container", "image": "kserve/sklearnserver:v0.20.0",
                    "resources": object["spec"]["predictor"]["model"]["resources"]}, {"name": "queue-proxy", "image": "queue"}]}});
            workloads::pod(world, &key, &template, up, trouble.as_ref(), None);
        }
    }
}

/// The traffic of a predictor's revisions: a change of anything but the share makes one, and the one before keeps what the share leaves.
fn revisions(world: &mut World, key: &Key, predictor: &Value, up: bool) -> Value {
    let mut template = predictor.clone();
    let percent = template.as_object_mut().and_then(|fields| fields.remove("canaryTrafficPercent")).and_then(|percent| percent.as_u64());
    let (known, rolled_out) = world.revisions.entry(format!("{}/{}", key.namespace, key.name)).or_default();
    if known.last() != Some(&template) {
        known.push(template);
    }
    let newest = known.len() - 1;
    if percent.is_none() && up {
        *rolled_out = newest;
    }
    let name = |at: usize| format!("{}-predictor-{:05}", key.name, at + 1);
    let traffic = match percent {
        Some(percent) if *rolled_out != newest => json!([{"revisionName": name(newest), "percent": percent, "latestRevision": true},
            {"revisionName": name(*rolled_out), "percent": 100 - percent, "tag": "prev"}]),
        _ => json!([{"revisionName": name(newest), "percent": 100, "latestRevision": true}]),
    };
    let ready = if up { name(newest) } else { String::new() };
    json!({"predictor": {"latestCreatedRevision": name(newest), "latestReadyRevision": ready, "traffic": traffic}})
}

/// What was written into the status first stays, then the annotation decides, then the configuration (`GetDeploymentMode` of KServe 0.20).
fn mode(world: &World, object: &Value) -> &'static str {
    let deploy = world.find("", "configmaps", "kserve", "inferenceservice-config").and_then(|found| found["data"]["deploy"].as_str());
    let said = object["status"]["deploymentMode"].as_str().or(object["metadata"]["annotations"][MODE].as_str());
    let raw = said.or(deploy).is_some_and(|text| text.contains("Standard") || text.contains("RawDeployment"));
    if raw { "Standard" } else { "Knative" }
}

/// KServe's controller remembers from its start which kinds are served.
fn knative_is_watched(world: &mut World) -> bool {
    let served = world.custom("serving.knative.dev", "v1", "services").is_some();
    let deployment = world.find("apps", "deployments", "kserve", "kserve-controller-manager");
    let generation = deployment.and_then(|found| found["metadata"]["generation"].as_u64()).unwrap_or(0);
    if world.kserve.0 != generation {
        world.kserve = (generation, served);
    }
    world.kserve.1 && served
}

/// Is this InferenceService one without Knative?
pub fn raw(world: &World, namespace: &str, name: &str) -> bool {
    world.find("serving.kserve.io", "inferenceservices", namespace, name).is_some_and(|found| mode(world, found) == "Standard")
}

/// The host under which the gateway knows an InferenceService: Knative's form, or KServe's own in raw mode.
pub fn host(world: &World, namespace: &str, name: &str) -> String {
    host_in(world, if raw(world, namespace, name) { "Standard" } else { "Knative" }, namespace, name)
}

/// As Knative's or KServe's own configuration says.
fn domain(world: &World, mode: &str) -> String {
    let found = if mode == "Standard" {
        let text = world.find("", "configmaps", "kserve", "inferenceservice-config").and_then(|found| found["data"]["ingress"].as_str());
        text.and_then(|text| serde_json::from_str::<Value>(text).ok())
            .and_then(|ingress| ingress["ingressDomain"].as_str().map(str::to_owned))
    } else {
        let keys = world.find("", "configmaps", "knative-serving", "config-domain").and_then(|found| found["data"].as_object());
        keys.and_then(|keys| keys.keys().find(|key| !key.starts_with('_')).cloned())
    };
    found.unwrap_or_else(|| "example.com".to_owned())
}

fn host_in(world: &World, mode: &str, namespace: &str, name: &str) -> String {
    let said = domain(world, mode);
    let domain = if world.domain.is_empty() { &said } else { &world.domain };
    match mode {
        "Standard" => format!("{name}-{namespace}.{domain}"),
        _ if without_istio(world) => format!("{name}-predictor.{namespace}.{domain}"),
        _ => format!("{name}.{namespace}.{domain}"),
    }
}

/// KServe's `urlScheme`.
fn scheme(world: &World) -> String {
    ingress(world)["urlScheme"].as_str().unwrap_or("http").to_owned()
}

/// KServe's `disableIstioVirtualHost`: the component's own host is the model's.
pub fn without_istio(world: &World) -> bool {
    ingress(world)["disableIstioVirtualHost"] == true
}

fn ingress(world: &World) -> Value {
    let text = world.find("", "configmaps", "kserve", "inferenceservice-config").and_then(|found| found["data"]["ingress"].as_str());
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

fn hook_keys(world: &World) -> Vec<Key> {
    HOOKS.into_iter().flat_map(|plural| world.keys("admissionregistration.k8s.io", plural)).collect()
}

fn each_hook(world: &mut World, key: &Key, manager: &str, change: impl Fn(&mut Value)) {
    world.edit(key, manager, |object| object["webhooks"].as_array_mut().into_iter().flatten().for_each(&change));
}

fn nobodys() -> Value {
    json!({"tls.crt": AUTHORITY, "tls.key": AUTHORITY, "ca.crt": AUTHORITY})
}

fn secret(world: &mut World, namespace: &str, name: &str, manager: &str) {
    secret_of(world, namespace, name, manager, nobodys());
}

fn secret_of(world: &mut World, namespace: &str, name: &str, manager: &str, data: Value) {
    let key = Key::new("", "secrets", namespace, name);
    if world.get(&key).is_some() {
        world.edit(&key, manager, |object| object["data"] = data);
    } else {
        world.put(
            "",
            "secrets",
            namespace,
            json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": {"name": name}, "data": data}),
            manager,
        );
    }
}
