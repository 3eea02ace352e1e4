//! What stands behind Services, and the objects on the way to an InferenceService: the fake's endpoint, Knative and Istio controllers.

use serde_json::{Value, json};

use super::{
    components::{host, raw, without_istio},
    selectors::selects,
    store::{Key, World},
    workloads::{self, condition, conditions},
};

/// One round.
pub fn settle(world: &mut World) {
    for key in world.keys("", "services") {
        of_deployments(world, &key);
    }
    for key in world.keys("serving.kserve.io", "inferenceservices") {
        of_model(world, &key);
    }
}

/// A Service with a selector has the address of each available Deployment that it selects.
fn of_deployments(world: &mut World, key: &Key) {
    let Some(selector) = world.get(key).map(|service| service["spec"]["selector"].clone()).filter(Value::is_object) else { return };
    let selector = json!({"matchLabels": selector});
    let ready = world.keys("apps", "deployments").into_iter().any(|deployment| {
        deployment.namespace == key.namespace
            && world
                .get(&deployment)
                .is_some_and(|found| selects(&selector, &found["spec"]["template"]["metadata"]["labels"]) && found["spec"]["replicas"] != 0)
            && workloads::ready(world, &deployment.namespace, &deployment.name)
    });
    slice(world, &key.namespace, &key.name, ready);
}

/// KServe's and net-istio's VirtualServices, Knative's Ingress, the revision's Service.
fn of_model(world: &mut World, key: &Key) {
    let (namespace, name) = (key.namespace.as_str(), key.name.as_str());
    if world.get(key).and_then(|object| condition(object, "Ready")) != Some("True") {
        return;
    }
    let host = host(world, namespace, name);
    let entry = format!("{name}-predictor");
    if raw(world, namespace, name) {
        return of_raw_model(world, namespace, name, &host, &entry);
    }
    let (service, model) = (format!("{entry}-00001"), name);
    let own = if without_istio(world) { host.clone() } else { host.replacen(name, &entry, 1) };
    let at_gateway = json!({"spec": {"hosts": [host], "gateways": ["knative-serving/knative-local-gateway", "knative-serving/knative-ingress-gateway"]}});
    let istio = !without_istio(world);
    if istio {
        once(world, ("networking.istio.io", "virtualservices"), (namespace, model), "VirtualService", name, &at_gateway);
    }
    let of_route = json!({"spec": {"hosts": [own], "gateways": ["knative-serving/knative-ingress-gateway"]}});
    if istio {
        once(
            world,
            ("networking.istio.io", "virtualservices"),
            (namespace, model),
            "VirtualService",
            &format!("{entry}-ingress"),
            &of_route,
        );
    }
    let ingress = json!({"spec": {"rules": [{"hosts": [own], "http": {"paths": [{"splits": [{"serviceName": service, "percent": 100}]}]}}]},
        "status": {"conditions": conditions(&[("Ready", true, "", "")])}});
    once(world, ("networking.internal.knative.dev", "ingresses"), (namespace, model), "Ingress", &entry, &ingress);
    once(world, ("", "services"), (namespace, model), "Service", &service, &json!({"spec": {"ports": [{"port": 80}]}}));
    let ready = pod_ready(world, name);
    slice(world, namespace, &service, ready);
}

/// Without Knative: KServe's Ingress of class istio, and the component's Service.
fn of_raw_model(world: &mut World, namespace: &str, name: &str, host: &str, entry: &str) {
    let backend = |service: &str| json!({"http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": {"service": {"name": service, "port": {"number": 80}}}}]}});
    let rules: Vec<Value> = [host.to_owned(), host.replacen(name, entry, 1)]
        .into_iter()
        .map(|host| {
            let mut rule = backend(entry);
            rule["host"] = json!(host);
            rule
        })
        .collect();
    let model = name;
    let ingress = json!({"apiVersion": "networking.k8s.io/v1", "spec": {"ingressClassName": "istio", "rules": rules}});
    once(world, ("networking.k8s.io", "ingresses"), (namespace, model), "Ingress", name, &ingress);
    once(world, ("", "services"), (namespace, model), "Service", entry, &json!({"spec": {"ports": [{"port": 80, "targetPort": 8080}]}}));
    let ready = pod_ready(world, name);
    slice(world, namespace, entry, ready);
}

fn pod_ready(world: &World, name: &str) -> bool {
    world.keys("", "pods").iter().any(|pod| {
        let object = world.get(pod).cloned().unwrap_or_default();
        object["metadata"]["labels"]["serving.kserve.io/inferenceservice"] == json!(name) && condition(&object, "Ready") == Some("True")
    })
}

/// Made once for a model, and gone with it: a test that changes or deletes it has broken the hop for good.
fn once(world: &mut World, (group, plural): (&str, &str), (namespace, model): (&str, &str), kind: &str, name: &str, object: &Value) {
    let mark = format!("made/{group}/{plural}/{namespace}/{name}");
    if world.lag.contains_key(&mark) {
        return;
    }
    world.lag.insert(mark, 1);
    let mut object = object.clone();
    object["kind"] = json!(kind);
    let owner =
        json!({"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService", "name": name, "uid": "0", "controller": true});
    object["metadata"] = json!({"name": name, "ownerReferences": [owner]});
    object["metadata"]["annotations"] = json!({"test.quickstart/owner": format!("inferenceservices/{model}")});
    world.put(group, plural, namespace, object, "controller");
}

fn slice(world: &mut World, namespace: &str, service: &str, ready: bool) {
    let name = format!("{service}-x7k2p");
    let addresses = if ready { json!([{"addresses": ["10.244.0.7"], "conditions": {"ready": true}}]) } else { json!([]) };
    let key = Key::new("discovery.k8s.io", "endpointslices", namespace, &name);
    if world.get(&key).is_some() {
        world.edit(&key, "endpointslice-controller", |object| object["endpoints"] = addresses);
        return;
    }
    let object = json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": name, "labels": {"kubernetes.io/service-name": service}}, "endpoints": addresses, "ports": []});
    world.put("discovery.k8s.io", "endpointslices", namespace, object, "endpointslice-controller");
}
