//! Asking everybody at once.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::types::{ComponentStatus, ContainerStatus, DemoStatus, DeploymentStatus, ManifestStatus, NodeStatus, Report};
use crate::catalog::{Catalog, RestMap, embedded};
use crate::cluster::Cluster;
use crate::error::Explain as _;
use crate::forward::TunnelStatus;
use crate::gateway::{self, Authority};
use crate::health::{World, ask, rollout};
use crate::plan::{Check, DEMO, Probe, addon_checks, host};
use crate::state::State;

/// Asks the cluster what the state says should be there. `cluster` of `None`: nothing answers.
pub async fn gather(cluster: Option<&Cluster>, state: &State, tunnels: Vec<TunnelStatus>, catalog: &Catalog, probe: bool) -> Report {
    let mut report = Report {
        version: 1,
        cluster: state.name.clone(),
        running: false,
        ready: false,
        exit: 0,
        set: state.set.clone(),
        profile: state.profile.clone(),
        kubernetes: None,
        nodes: Vec::new(),
        url: state.port.map(|port| state.scheme().url(port)),
        ingress: state.ingress,
        ingress_ready: None,
        load_balancer: None,
        components: Vec::new(),
        adopted: state.adopted.clone(),
        demo: None,
        patches: state.patches.clone(),
        problems: tunnels.iter().filter_map(TunnelStatus::problem).collect(),
        tunnels,
    };
    if let Some(cluster) = cluster {
        match cluster.version().await {
            Ok(version) => {
                report.running = true;
                report.kubernetes = Some(version);
                fill(&mut report, cluster, state, catalog, probe).await;
            }
            Err(error) => report.problems.push(error.to_string()),
        }
    } else {
        report.problems.push(match state.context() {
            None => "the node's container does not run".to_owned(),
            Some(context) => format!("no kubeconfig leads to context {context}"),
        });
    }
    if let Some(was) = state.switching.as_ref().and_then(|switching| switching.from.last()) {
        report
            .problems
            .push(format!("the switch from profile {} to {} has not ended: `quickstart up` ends it", was.profile, state.profile));
    }
    report.ready = report.running && report.problems.is_empty();
    report.exit = report.exit().code();
    report
}

async fn fill(report: &mut Report, cluster: &Cluster, state: &State, catalog: &Catalog, probe: bool) {
    let components = catalog.components.iter().filter_map(|component| Some((component, state.components.get(&component.name)?)));
    let asked = components.map(|(component, version)| async move {
        let planned = component.versions.iter().find(|known| known.version == *version);
        let mut names: Vec<&str> = planned
            .into_iter()
            .flat_map(|version| &version.images)
            .flat_map(|image| image.used_by.split([',', ' ']))
            .filter_map(|user| user.trim().strip_prefix("Deployment/"))
            .collect();
        names.sort_unstable();
        names.dedup();
        let deployments = join_all(names.into_iter().map(|name| deployment(cluster, state, &component.namespace, name))).await;
        let manifests = planned.into_iter().flat_map(|version| &version.files).filter_map(|file| {
            let substitute = state.substitutes.get(&format!("{}/{}", component.name, file.name))?.clone();
            Some(ManifestStatus { file: file.name.clone(), substitute })
        });
        let why = lacking(cluster, &component.name).await;
        ComponentStatus {
            name: component.name.clone(),
            title: component.title.clone(),
            version: version.clone(),
            addon: component.addon,
            ready: why.is_none() && deployments.iter().all(|deployment| deployment.why.is_none()),
            why,
            manifests: manifests.collect(),
            deployments,
        }
    });
    let (nodes, components, ingress, demo, balancer) = tokio::join!(
        nodes(cluster, state),
        join_all(asked),
        ingress(cluster, state),
        demo(cluster, state, probe),
        load_balancer(cluster, state)
    );
    for deployment in components.iter().flat_map(|component| &component.deployments) {
        if let Some(why) = &deployment.why {
            report.problems.push(format!("{}/{}: {why}", deployment.namespace, deployment.name));
        }
    }
    report.problems.extend(components.iter().filter_map(|component| Some(format!("{}: {}", component.title, component.why.as_ref()?))));
    report.problems.extend(nodes.iter().filter(|node| !node.ready).map(|node| format!("node {} is not Ready", node.name)));
    if let Some(Err(why)) = &ingress {
        report.problems.push(why.clone());
    }
    report.problems.extend(demo.as_ref().and_then(|demo| Some(format!("{}/{}: {}", demo.namespace, demo.name, demo.why.as_ref()?))));
    report.ingress_ready = ingress.map(|answer| answer.is_ok());
    report.nodes = nodes;
    report.load_balancer = balancer;
    report.components = components;
    report.demo = demo;
}

/// What an add-on lacks beside its Deployments: the API that it registers, the objects that it is made of.
async fn lacking(cluster: &Cluster, component: &str) -> Option<String> {
    let rest = RestMap::default();
    for check in addon_checks(component) {
        let verdict = ask(World { cluster, rest: &rest, demo: None, waited: Duration::MAX, closely: true }, &check).await;
        if let Some(saw) = verdict.saw() {
            return Some(saw.to_owned());
        }
    }
    None
}

async fn nodes(cluster: &Cluster, state: &State) -> Vec<NodeStatus> {
    let listed = cluster.list("/api/v1/nodes", "").await.unwrap_or_default();
    let substitute = state.node_image.as_ref().and_then(|image| state.substitutes.get(image)).cloned();
    listed
        .iter()
        .map(|node| NodeStatus {
            name: node.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned(),
            ready: rollout::condition(node, "Ready").is_some_and(|(status, _)| status == "True"),
            image: state.node_image.clone(),
            substitute: substitute.clone(),
        })
        .collect()
}

/// Only a cloud has one, and ours is no cloud.
async fn load_balancer(cluster: &Cluster, state: &State) -> Option<String> {
    state.context()?;
    gateway::balanced(&cluster.find(gateway::SERVICE).await.ok()??)
}

async fn ingress(cluster: &Cluster, state: &State) -> Option<Result<(), String>> {
    let port = state.port?;
    let answered = async { gateway::answers(port, Authority::of(cluster, state.scheme()).await?.as_ref()).await };
    Some(answered.await.map_err(|error| error.to_string()))
}

async fn deployment(cluster: &Cluster, state: &State, namespace: &str, name: &str) -> DeploymentStatus {
    let path = format!("/apis/apps/v1/namespaces/{namespace}/deployments/{name}");
    let live = cluster.find(&path).await;
    let number = |pointer: &str| {
        live.as_ref().ok().and_then(Option::as_ref).and_then(|live| live.pointer(pointer)).and_then(Value::as_i64).unwrap_or(0)
    };
    let containers = live
        .as_ref()
        .ok()
        .and_then(Option::as_ref)
        .and_then(|live| live.pointer("/spec/template/spec/containers"))
        .and_then(Value::as_array);
    let containers = containers.into_iter().flatten().map(|container| {
        let text = |key: &str| container.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        ContainerStatus { name: text("name"), substitute: state.substitutes.get(&text("image")).cloned(), image: text("image") }
    });
    let rest = RestMap::default();
    let check = Check {
        id: name.to_owned(),
        probe: Probe::Rollout { namespace: namespace.to_owned(), name: name.to_owned() },
        hint: String::new(),
        deadline: 0,
    };
    let verdict = ask(World { cluster, rest: &rest, demo: None, waited: Duration::MAX, closely: true }, &check).await;
    DeploymentStatus {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        desired: live
            .as_ref()
            .ok()
            .and_then(Option::as_ref)
            .and_then(|live| live.pointer("/spec/replicas"))
            .and_then(Value::as_i64)
            .unwrap_or(1),
        ready: number("/status/readyReplicas"),
        available: number("/status/availableReplicas"),
        error_id: verdict.id().map(str::to_owned),
        why: verdict.saw().map(str::to_owned),
        containers: containers.collect(),
    }
}

async fn demo(cluster: &Cluster, state: &State, probe: bool) -> Option<DemoStatus> {
    state.demo_host.as_ref()?;
    let (namespace, name) = (state.namespace().to_owned(), DEMO.1);
    let path = format!("/apis/serving.kserve.io/v1beta1/namespaces/{namespace}/inferenceservices/{name}");
    let live = cluster.find(&path).await.ok().flatten();
    let host = host(live.as_ref(), state.names(), &namespace, name);
    let check = Check {
        id: "demo".into(),
        probe: Probe::InferenceServiceReady { namespace: namespace.clone(), name: name.to_owned() },
        hint: String::new(),
        deadline: 0,
    };
    let rest_map = RestMap::default();
    let verdict = ask(World { cluster, rest: &rest_map, demo: None, waited: Duration::MAX, closely: true }, &check).await;
    let (mut why, mut error_id) = (verdict.saw().map(str::to_owned), verdict.id().map(str::to_owned));
    let mut prediction = None;
    if let Some(port) = state.port.filter(|_| probe) {
        let input: Value = serde_json::from_str(embedded::SAMPLE_INPUT).unwrap_or_else(|_| json!({}));
        let asked = async {
            let authority = Authority::of(cluster, state.scheme()).await?;
            gateway::post(port, authority.as_ref(), &host, &format!("/v1/models/{name}:predict"), &input).await
        };
        match asked.await {
            Ok(answer) => prediction = Some(answer),
            Err(error) => (why, error_id) = (Some(error.to_string()), Some(error.id().to_owned())),
        }
    }
    Some(DemoStatus { namespace, name: name.to_owned(), host, ready: why.is_none(), why, error_id, prediction })
}
