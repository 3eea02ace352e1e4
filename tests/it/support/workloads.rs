//! Kubernetes' own controllers, as far as an installer sees them: Deployments and their pods, claims, nodes, definitions.

use serde_json::{Value, json};

use super::store::{Key, World};

/// Why a workload's pods do not start.
#[derive(Clone, Debug)]
pub enum Trouble {
    /// `state.waiting` with reason and message: ImagePullBackOff, ErrImagePull, CrashLoopBackOff, CreateContainerConfigError, …
    Waiting {
        /// Reason.
        reason: String,
        /// Message.
        message: String,
        /// `lastState.terminated`: reason and exit code.
        last: Option<(String, i32)>,
    },
    /// Condition PodScheduled=False/Unschedulable with this message.
    Unschedulable(String),
    /// The pod runs, and never gets ready.
    NeverReady,
    /// A volume cannot be mounted: ContainerCreating, and event FailedMount with this message.
    FailedMount(String),
    /// An init container that ends with this code again and again.
    Init {
        /// Its name.
        container: String,
        /// Exit code.
        code: i32,
    },
    /// An InferenceService without pods: its conditions are False, with reason and message.
    Unready {
        /// Reason.
        reason: String,
        /// Message.
        message: String,
    },
    /// An InferenceService without pods: `modelStatus.lastFailureInfo`, with reason and message.
    Model {
        /// Reason.
        reason: String,
        /// Message.
        message: String,
    },
}

impl Trouble {
    /// An image that cannot be pulled.
    pub fn image_pull(message: &str) -> Self {
        Self::Waiting { reason: "ImagePullBackOff".to_owned(), message: message.to_owned(), last: None }
    }

    /// A program that ends again and again.
    pub fn crash_loop(reason: &str, exit_code: i32) -> Self {
        let message = "back-off 10s restarting failed container".to_owned();
        Self::Waiting { reason: "CrashLoopBackOff".to_owned(), message, last: Some((reason.to_owned(), exit_code)) }
    }

    /// No room on the node.
    pub fn insufficient_cpu() -> Self {
        Self::insufficient("cpu")
    }

    /// No room on the node: `cpu`, `memory`.
    pub fn insufficient(what: &str) -> Self {
        let preemption = "preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.";
        Self::Unschedulable(format!("0/1 nodes are available: 1 Insufficient {what}. {preemption}"))
    }
}

/// Does that Deployment have a pod that answers, in its newest generation? Scaled to 0 it is Available, and nobody answers.
pub fn ready(world: &World, namespace: &str, name: &str) -> bool {
    world.find("apps", "deployments", namespace, name).is_some_and(|object| {
        object["status"]["observedGeneration"] == object["metadata"]["generation"]
            && condition(object, "Available") == Some("True")
            && object["status"]["readyReplicas"].as_u64().is_some_and(|ready| ready > 0)
    })
}

/// The status of a condition.
pub fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a str> {
    object["status"]["conditions"].as_array()?.iter().find(|one| one["type"] == kind)?["status"].as_str()
}

/// A condition.
pub fn conditions(all: &[(&str, bool, &str, &str)]) -> Value {
    all.iter()
        .map(|(kind, status, reason, message)| {
            json!({"type": kind, "status": if *status { "True" } else { "False" }, "reason": reason, "message": message,
                "lastTransitionTime": "2026-01-01T00:00:00Z", "lastUpdateTime": "2026-01-01T00:00:00Z"})
        })
        .collect()
}

/// One round of every controller of this file.
pub fn settle(world: &mut World) {
    for key in world.keys("apiextensions.k8s.io", "customresourcedefinitions") {
        definition(world, &key);
    }
    for key in world.keys("", "namespaces") {
        let ends = world.objects[&key].object["metadata"]["deletionTimestamp"].is_string();
        if ends && !super::webhooks::is_deaf(world, &key.name) {
            leaving(world, &key);
            continue;
        }
        world.edit(&key, "kube-controller-manager", |object| object["status"] = json!({"phase": "Active"}));
        if world.find("", "serviceaccounts", &key.name, "default").is_none() {
            let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}});
            world.put("", "serviceaccounts", &key.name, account, "kube-controller-manager");
        }
    }
    for key in world.keys("", "nodes") {
        node(world, &key);
    }
    for key in world.keys("apps", "daemonsets") {
        daemon_set(world, &key);
    }
    for key in world.keys("apps", "deployments") {
        deployment(world, &key);
    }
    for key in world.keys("apiregistration.k8s.io", "apiservices") {
        api_service(world, &key);
    }
    for key in world.keys("batch", "jobs") {
        let done = conditions(&[("Complete", true, "CompletionsReached", "")]);
        world.edit(&key, "kube-controller-manager", |object| object["status"] = json!({"succeeded": 1, "conditions": done}));
    }
    claims(world);
}

/// A namespace goes when it is looked at and has no pod that still ends. One that was looked at too early is looked at again only when it
/// changes: the real controller waits for half of the pod's grace, which is minutes.
fn leaving(world: &mut World, key: &Key) {
    let touched = world.objects[key].object["metadata"]["annotations"].to_string();
    let ending = |pod: &Key| pod.namespace == key.name && world.objects[pod].object["metadata"]["deletionTimestamp"].is_string();
    let busy = world.keys("", "pods").iter().any(ending);
    let seen = &world.objects[key].object["status"]["seen"];
    if busy {
        world.edit(key, "kube-controller-manager", |object| object["status"] = json!({"phase": "Terminating", "seen": touched}));
    } else if *seen != json!(touched) {
        world.delete(key);
    }
}

fn definition(world: &mut World, key: &Key) {
    let established = world.objects[key].reads > world.pace.crds;
    world.edit(key, "kube-apiserver", |object| {
        let names = object["spec"]["names"].clone();
        let stored: Vec<Value> = object["spec"]["versions"].as_array().into_iter().flatten().map(|one| one["name"].clone()).collect();
        let mut all = vec![("NamesAccepted", true, "NoConflicts", "no conflicts found")];
        if established {
            all.push(("Established", true, "InitialNamesAccepted", "the initial names have been accepted"));
        }
        object["status"] = json!({"acceptedNames": names, "storedVersions": stored, "conditions": conditions(&all)});
    });
}

fn node(world: &mut World, key: &Key) {
    let ready = world.objects[key].reads >= world.pace.nodes;
    let version = world.kubernetes.clone();
    world.edit(key, "kubelet", |object| {
        let size = json!({"cpu": "4", "memory": "8Gi", "pods": "110", "ephemeral-storage": "100Gi"});
        let message = if ready { "kubelet is posting ready status" } else { "container runtime network not ready: cni plugin not initialized" };
        object["status"] = json!({"capacity": size, "allocatable": size,
            "conditions": conditions(&[("Ready", ready, if ready { "KubeletReady" } else { "KubeletNotReady" }, message)]),
            "nodeInfo": {"kubeletVersion": version, "architecture": "amd64", "operatingSystem": "linux", "containerRuntimeVersion": "containerd://2.1.4"}});
    });
}

/// Its controller starts late: at the first look it has not seen it.
fn daemon_set(world: &mut World, key: &Key) {
    let (reads, pace) = (world.objects[key].reads, world.pace.nodes);
    let generation = world.objects[key].object["metadata"]["generation"].clone();
    if reads > 0 || pace == 0 {
        let up = u32::from(reads >= pace);
        world.edit(key, "kube-controller-manager", |object| {
            object["status"] = json!({"observedGeneration": generation, "desiredNumberScheduled": 1, "currentNumberScheduled": 1,
                "numberReady": up, "numberAvailable": up});
        });
    }
}

fn deployment(world: &mut World, key: &Key) {
    let stored = &world.objects[key];
    let object = stored.object.clone();
    let wanted = object["spec"]["replicas"].as_u64().unwrap_or(1);
    let trouble = world.troubles.get(&format!("{}/{}", key.namespace, key.name)).cloned();
    let mounts = missing_secret(world, key, &object);
    let held_back = key.name == "istio-ingressgateway" && !ready(world, &key.namespace, "istiod");
    let paced = stored.reads > world.pace.deployments;
    let up = wanted == 0 || (paced && trouble.is_none() && mounts.is_none() && !held_back);
    let generation = object["metadata"]["generation"].clone();
    world.edit(key, "kube-controller-manager", |object| {
        let ready = if up { wanted } else { 0 };
        let message = format!("Deployment {} minimum availability.", if up { "has" } else { "does not have" });
        let available = ("Available", up, if up { "MinimumReplicasAvailable" } else { "MinimumReplicasUnavailable" }, message.as_str());
        let progress = if up { "NewReplicaSetAvailable" } else { "ReplicaSetUpdated" };
        object["status"] = json!({"observedGeneration": generation, "replicas": wanted, "updatedReplicas": wanted, "unavailableReplicas": wanted - ready,
            "readyReplicas": ready, "availableReplicas": ready,
            "conditions": conditions(&[available, ("Progressing", true, progress, "ReplicaSet has been progressed.")])});
    });
    let leaving = world.find("", "namespaces", "", &key.namespace).is_some_and(|it| it["metadata"]["deletionTimestamp"].is_string());
    if wanted > 0 && !leaving {
        pod(world, key, &object["spec"]["template"], up, trouble.as_ref(), mounts.as_deref());
    }
}

/// An API behind another server is Available once that answers; its Deployment has the name of its Service here.
fn api_service(world: &mut World, key: &Key) {
    let service = world.objects[key].object["spec"]["service"].clone();
    let text = |field: &str| service[field].as_str().unwrap_or_default().to_owned();
    let up = ready(world, &text("namespace"), &text("name"));
    let reason = if up { "Passed" } else { "MissingEndpoints" };
    let message = if up { "all checks passed" } else { "endpoints for service have no addresses" };
    world.edit(key, "kube-apiserver", |object| object["status"] = json!({"conditions": conditions(&[("Available", up, reason, message)])}));
}

/// The Secret of a volume that is not there, which keeps a pod in ContainerCreating.
fn missing_secret(world: &World, key: &Key, object: &Value) -> Option<String> {
    let volumes = object["spec"]["template"]["spec"]["volumes"].as_array()?;
    volumes.iter().filter(|volume| volume["secret"]["optional"] != true).find_map(|volume| {
        let name = volume["secret"]["secretName"].as_str()?;
        world.find("", "secrets", &key.namespace, name).is_none().then(|| name.to_owned())
    })
}

/// The pod of a workload, in the state that belongs to it.
pub fn pod(world: &mut World, owner: &Key, template: &Value, up: bool, trouble: Option<&Trouble>, missing_secret: Option<&str>) {
    let mut labels = template["metadata"]["labels"].clone();
    labels["pod-template-hash"] = json!("7d9c5b8f64");
    let name = format!("{}-7d9c5b8f64-x2x4z", owner.name);
    let waiting = match (trouble, missing_secret) {
        _ if up => None,
        (Some(Trouble::Waiting { reason, message, last }), _) => Some((reason.clone(), message.clone(), last.clone())),
        (Some(Trouble::Init { .. }), _) => Some(("PodInitializing".to_owned(), String::new(), None)),
        (None | Some(Trouble::FailedMount(_)), _) => Some(("ContainerCreating".to_owned(), String::new(), None)),
        (Some(_), _) => None,
    };
    let init = match trouble {
        Some(Trouble::Init { container, code }) if !up => {
            let ended = json!({"terminated": {"reason": "Error", "exitCode": code}});
            let message = format!("back-off 20s restarting failed container={container}");
            json!([{"name": container, "image": "init", "imageID": "", "ready": false, "restartCount": 2,
                "state": {"waiting": {"reason": "CrashLoopBackOff", "message": message}}, "lastState": ended}])
        }
        _ => json!([]),
    };
    let containers = template["spec"]["containers"].as_array().cloned().unwrap_or_default();
    let statuses: Vec<Value> = containers
        .iter()
        .map(|container| {
            let state = match &waiting {
                Some((reason, message, _)) => json!({"waiting": {"reason": reason, "message": message}}),
                None => json!({"running": {"startedAt": "2026-01-01T00:00:00Z"}}),
            };
            let last = match waiting.as_ref().and_then(|(_, _, last)| last.as_ref()) {
                Some((reason, code)) => json!({"terminated": {"reason": reason, "exitCode": code}}),
                None => json!({}),
            };
            let restarts = u32::from(last != json!({})) * 3;
            json!({"name": container["name"], "image": container["image"], "imageID": "", "ready": up, "started": up, "restartCount": restarts,
                "state": state, "lastState": last})
        })
        .collect();
    let unschedulable = match trouble {
        Some(Trouble::Unschedulable(message)) if !up => Some(message.as_str()),
        _ => None,
    };
    let scheduled =
        unschedulable.map_or(("PodScheduled", true, "Scheduled", ""), |message| ("PodScheduled", false, "Unschedulable", message));
    let not_ready = if up { "" } else { "containers with unready status" };
    let phase = if waiting.is_none() && unschedulable.is_none() { "Running" } else { "Pending" };
    let statuses = if unschedulable.is_some() { json!([]) } else { json!(statuses) };
    let object = json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": owner.namespace, "labels": labels,
            "annotations": {"test.quickstart/owner": format!("{}/{}", owner.plural, owner.name)},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": format!("{}-7d9c5b8f64", owner.name), "uid": "0", "controller": true}]},
        "spec": template["spec"],
        "status": {"phase": phase, "initContainerStatuses": init, "containerStatuses": statuses, "podIP": "10.244.0.7",
            "conditions": conditions(&[scheduled, ("Ready", up, "", not_ready), ("ContainersReady", up, "", not_ready)])}});
    world.put("", "pods", &owner.namespace, object, "kubelet");
    let mount = match trouble {
        Some(Trouble::FailedMount(message)) if !up => Some(message.clone()),
        _ => missing_secret.map(|secret| format!("MountVolume.SetUp failed for volume \"cert\" : secret \"{secret}\" not found")),
    };
    if let Some(message) = mount {
        let event = json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": format!("{name}.mount"), "namespace": owner.namespace},
            "type": "Warning", "reason": "FailedMount", "message": message, "count": 1, "lastTimestamp": "2026-01-01T00:00:00Z",
            "involvedObject": {"kind": "Pod", "name": name, "namespace": owner.namespace}});
        world.put("", "events", &owner.namespace, event, "kubelet");
    }
}

/// Claims that name a volume are bound to it.
/// A claim that was made while the controller was starting stays as it is until somebody touches it (the real one: for 15 s).
fn claims(world: &mut World) {
    let started = world.keys("", "nodes").iter().all(|key| world.get(key).is_some_and(|node| condition(node, "Ready") == Some("True")));
    for key in world.keys("", "persistentvolumeclaims") {
        let claim = world.get(&key).cloned().unwrap_or_default();
        let touched = claim["metadata"]["annotations"]["quickstart/looked-at"].is_string();
        if !touched && claim["status"]["phase"] != "Bound" && (!started || claim["status"]["phase"] == "Pending") {
            world.edit(&key, "kube-controller-manager", |object| object["status"] = json!({"phase": "Pending"}));
            continue;
        }
        let Some(volume) = world.get(&key).and_then(|claim| claim["spec"]["volumeName"].as_str().map(str::to_owned)) else { continue };
        let volume = Key::new("", "persistentvolumes", "", &volume);
        if world.get(&volume).is_some() {
            world.edit(&key, "kube-controller-manager", |object| object["status"] = json!({"phase": "Bound"}));
            world.edit(&volume, "kube-controller-manager", |object| object["status"] = json!({"phase": "Bound"}));
        }
    }
}
