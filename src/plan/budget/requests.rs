//! What the pods of a plan ask the scheduler for.

use serde::Serialize;
use serde_json::{Value, json};

use super::Amount;
use crate::catalog::Object;
use crate::plan::{Assembled, Plan};

/// What a node of kind asks for before anything is installed: etcd 100m/100Mi, API server 250m, controller manager 200m, scheduler 100m
/// (kubeadm's manifests), CoreDNS 2 × 100m/70Mi (kubeadm's addon, Deployment of two), kindnet 100m/50Mi (kind's own DaemonSet).
const KUBERNETES: Amount = Amount { cpu_millis: 950, memory: 290 << 20 };
/// Knative's default of `queue-sidecar-cpu-request` in `config-deployment`; memory has none.
const QUEUE_CPU: &str = "25m";

/// Requests of one part of the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Requests {
    /// `kubernetes`, a component, `demo`, `own`.
    pub of: String,
    /// Pods.
    pub pods: u64,
    /// Of all of them.
    #[serde(flatten)]
    pub amount: Amount,
}

/// What a pod keeps the scheduler from giving to others: the sum of its containers, or the largest moment of its start, whichever is
/// more. Init containers run one after the other; those with `restartPolicy: Always` (sidecars) stay beside all that follow. Named for the
/// whole pod, requests replace those of its containers. Kubernetes adds the runtime class's overhead.
pub(super) fn of_pod(spec: &Value) -> Amount {
    let list = |name: &str| spec.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let asked = |container: &Value| Amount::requested(container.get("resources"));
    let mut beside = Amount::default();
    let mut start = Amount::default();
    for container in list("initContainers") {
        let now = beside + asked(container);
        start = start.max(now);
        if container.get("restartPolicy").and_then(Value::as_str) == Some("Always") {
            beside = now;
        }
    }
    let running = beside + list("containers").iter().map(asked).sum();
    let all = running.max(start);
    let whole = spec.get("resources");
    let named = |name: &str| {
        ["requests", "limits"].iter().any(|list| whole.is_some_and(|whole| whole.pointer(&format!("/{list}/{name}")).is_some()))
    };
    let pod = Amount::requested(whole);
    let overhead = Amount::of(spec.pointer("/overhead/cpu"), spec.pointer("/overhead/memory"));
    let chosen = Amount {
        cpu_millis: if named("cpu") { pod.cpu_millis } else { all.cpu_millis },
        memory: if named("memory") { pod.memory } else { all.memory },
    };
    chosen + overhead
}

/// Part by part; Kubernetes' own first where the cluster is ours.
pub(super) fn requests(plan: &Plan, assembled: &Assembled) -> Vec<Requests> {
    let mut all = Vec::new();
    if plan.is_local() {
        all.push(Requests { of: "kubernetes".into(), pods: 8, amount: KUBERNETES });
    }
    let settings = Settings::read(assembled);
    for component in &plan.components {
        let objects = assembled.components.get(&component.name).map(Vec::as_slice).unwrap_or_default();
        all.push(of(&component.name, objects, plan, &settings));
    }
    all.push(of("demo", &assembled.demo, plan, &settings));
    all.push(of("own", &assembled.own, plan, &settings));
    all.retain(|part| part.pods > 0);
    all
}

fn of(name: &str, objects: &[Object], plan: &Plan, settings: &Settings<'_>) -> Requests {
    let mut part = Requests { of: name.into(), pods: 0, amount: Amount::default() };
    for object in objects {
        let (pods, each) = match (object.gvk.group.as_str(), object.gvk.kind.as_str()) {
            ("apps", "Deployment" | "StatefulSet" | "ReplicaSet") => (replicas(object, objects), template(object)),
            // One node; a Job's pods are counted as if all ran at once.
            ("apps", "DaemonSet") => (1, template(object)),
            ("batch", "Job") => (object.body.pointer("/spec/parallelism").and_then(Value::as_u64).unwrap_or(1), template(object)),
            ("", "Pod") => (1, object.body.get("spec").map(of_pod).unwrap_or_default()),
            ("serving.kserve.io", "InferenceService") => settings.model(object, &plan.profile),
            _ => continue,
        };
        part.pods += pods;
        part.amount = part.amount + each.times(pods);
    }
    part
}

fn template(object: &Object) -> Amount {
    object.body.pointer("/spec/template/spec").map(of_pod).unwrap_or_default()
}

/// As many as the object says, or its autoscaler's fewest.
fn replicas(object: &Object, objects: &[Object]) -> u64 {
    let own = object.body.pointer("/spec/replicas").and_then(Value::as_u64).unwrap_or(1);
    let scaled = objects.iter().filter(|other| {
        other.gvk.kind == "HorizontalPodAutoscaler"
            && other.namespace == object.namespace
            && other.text("/spec/scaleTargetRef/name") == Some(&object.name)
            && other.text("/spec/scaleTargetRef/kind") == Some(&object.gvk.kind)
    });
    scaled.map(|scaler| scaler.body.pointer("/spec/minReplicas").and_then(Value::as_u64).unwrap_or(1)).fold(own, u64::max)
}

/// What controllers add to an InferenceService that says nothing itself.
struct Settings<'a> {
    kserve: Option<&'a Object>,
    knative: Option<&'a Object>,
}

impl<'a> Settings<'a> {
    fn read(assembled: &'a Assembled) -> Self {
        let find = |name: &str| {
            let objects = assembled.components.values().flatten();
            objects.into_iter().find(|object| object.gvk.kind == "ConfigMap" && object.name == name)
        };
        Self { kserve: find("inferenceservice-config"), knative: find("config-deployment") }
    }

    /// Pods and what each asks for: the model's server, Knative's proxy beside it, and the download before it.
    fn model(&self, service: &Object, profile: &str) -> (u64, Amount) {
        let within = |key: &str| -> Value {
            let text = self.kserve.and_then(|config| config.text(&format!("/data/{key}")));
            text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
        };
        let Some(predictor) = service.body.pointer("/spec/predictor") else { return (0, Amount::default()) };
        let pods = predictor.get("minReplicas").and_then(Value::as_u64).unwrap_or(1);
        let fallback = within("inferenceService");
        let default = |name: &str| fallback.pointer(&format!("/resource/{name}")).cloned();
        let server = predictor.get("model").or_else(|| predictor.pointer("/containers/0"));
        let mut resources = server.and_then(|server| server.get("resources")).cloned().unwrap_or_else(|| json!({}));
        for (name, key) in [("cpu", "cpuRequest"), ("memory", "memoryRequest")] {
            let unnamed = ["requests", "limits"].iter().all(|list| resources.pointer(&format!("/{list}/{name}")).is_none());
            if let Some(quantity) = default(key).filter(|_| unnamed) {
                resources["requests"][name] = quantity;
            }
        }
        let mut pod = json!({"containers": [{"resources": resources}], "initContainers": []});
        if profile == "serverless" {
            let named = |key: &str| self.knative.and_then(|config| config.text(&format!("/data/queue-sidecar-{key}-request")));
            let mut requests = json!({"cpu": named("cpu").unwrap_or(QUEUE_CPU)});
            if let Some(memory) = named("memory") {
                requests["memory"] = memory.into();
            }
            pod["containers"].as_array_mut().into_iter().for_each(|list| list.push(json!({"resources": {"requests": requests}})));
        }
        let place = server.and_then(|server| server.get("storageUri")).and_then(Value::as_str);
        if place.is_some_and(|place| !place.starts_with("pvc://")) {
            let download = within("storageInitializer");
            let requests = json!({"cpu": download.get("cpuRequest"), "memory": download.get("memoryRequest")});
            pod["initContainers"] = json!([{"resources": {"requests": requests}}]);
        }
        (pods, of_pod(&pod))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn container(cpu: u64, memory: u64, sidecar: bool) -> Value {
        let mut container = json!({"resources": {"requests": {"cpu": format!("{cpu}m"), "memory": memory}}});
        if sidecar {
            container["restartPolicy"] = "Always".into();
        }
        container
    }

    /// The rule told as a film: every moment of the pod's life with what runs in it; the scheduler sets aside the largest.
    fn film(init: &[(u64, u64, bool)], main: &[(u64, u64)]) -> Amount {
        let amount = |cpu: u64, memory: u64| Amount { cpu_millis: cpu, memory };
        let mut moments = Vec::new();
        for at in 0..init.len() {
            let stayed = init[..at].iter().filter(|one| one.2).map(|one| amount(one.0, one.1)).sum::<Amount>();
            moments.push(stayed + amount(init[at].0, init[at].1));
        }
        let stayed = init.iter().filter(|one| one.2).map(|one| amount(one.0, one.1)).sum::<Amount>();
        moments.push(stayed + main.iter().map(|one| amount(one.0, one.1)).sum());
        moments.into_iter().fold(Amount::default(), Amount::max)
    }

    proptest! {
        #[test]
        fn a_pod_asks_for_the_largest_moment_of_its_life(
            init in prop::collection::vec((0_u64..2000, 0_u64..1 << 32, any::<bool>()), 0..5),
            main in prop::collection::vec((0_u64..2000, 0_u64..1 << 32), 0..5),
        ) {
            let spec = json!({
                "initContainers": init.iter().map(|one| container(one.0, one.1, one.2)).collect::<Vec<_>>(),
                "containers": main.iter().map(|one| container(one.0, one.1, false)).collect::<Vec<_>>(),
            });
            prop_assert_eq!(of_pod(&spec), film(&init, &main));
        }
    }

    #[test]
    fn the_pods_own_requests_replace_its_containers_and_overhead_is_added() {
        let spec = json!({"resources": {"requests": {"cpu": "1"}}, "overhead": {"cpu": "10m", "memory": "1Mi"},
            "containers": [container(100, 7, false)]});
        assert_eq!(of_pod(&spec), Amount { cpu_millis: 1010, memory: 7 + (1 << 20) });
    }

    fn object(body: Value) -> Object {
        Object::new(body, "t").unwrap()
    }

    #[test]
    fn an_autoscaler_keeps_its_fewest() {
        let deployment =
            object(json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a", "namespace": "n"}, "spec": {}}));
        let scaler =
            object(json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "x", "namespace": "n"},
            "spec": {"minReplicas": 3, "scaleTargetRef": {"kind": "Deployment", "name": "a"}}}));
        assert_eq!(replicas(&deployment, &[]), 1);
        assert_eq!(replicas(&deployment, &[scaler]), 3);
    }

    /// A model is a pod of three: its server, Knative's proxy, and before them the download that is larger than both.
    #[test]
    fn a_model_and_what_controllers_add() {
        let config = object(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "inferenceservice-config"}, "data": {
            "inferenceService": "{\"resource\": {\"cpuRequest\": \"100m\", \"memoryRequest\": \"256Mi\"}}",
            "storageInitializer": "{\"cpuRequest\": \"50m\", \"memoryRequest\": \"1Gi\"}"}}));
        let settings = Settings { kserve: Some(&config), knative: None };
        let service = |uri: &str| {
            object(json!({"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService", "metadata": {"name": "m"},
                "spec": {"predictor": {"minReplicas": 2, "model": {"storageUri": uri}}}}))
        };
        let amount = |cpu_millis, memory| Amount { cpu_millis, memory };
        assert_eq!(settings.model(&service("pvc://x/"), "serverless"), (2, amount(125, 256 << 20)));
        assert_eq!(settings.model(&service("gs://x/"), "serverless"), (2, amount(125, 1 << 30)));
        assert_eq!(settings.model(&service("pvc://x/"), "raw"), (2, amount(100, 256 << 20)));
    }
}
