//! The stages of a plan and the arrows between them.

use super::checks::{addon, rollout, webhooks};
use super::pulls::PulledGroup;
use super::stage::{Demo, PlannedComponent, Stage, Target};
use super::{Check, Probe, StageId};
use crate::bundle::{GROUPS, Index};
use crate::catalog::{Choice, embedded};
use crate::config::{Scheme, Settings};

const MINUTE: u64 = 60;
/// The check for it, a part of Knative's.
const ACTIVATOR: &str = "knative/rollout/activator";
/// Seconds for a group to be pulled; time in which its bytes arrive is not among them.
const PULL: u64 = 60 * MINUTE;

/// After everything that they may need: definitions, webhooks that guard them, runtimes.
pub(super) fn own(settings: &Settings, components: &[PlannedComponent]) -> Option<Stage> {
    let mut needs: Vec<StageId> = components.iter().map(|component| StageId::component(&component.name)).collect();
    needs.extend(components.iter().any(|component| component.name == "kserve").then_some(StageId::Runtimes));
    needs.extend(settings.on.is_none().then_some(StageId::Kubeconfig));
    let count = settings.manifests.len();
    let title = if count == 1 { "your manifest".to_owned() } else { format!("your {count} manifests") };
    (count > 0).then_some(Stage { id: StageId::Own, title, needs, checks: Vec::new(), timeout: 5 * MINUTE })
}

/// Everything but the user's own objects, in no order yet.
pub(super) fn stages(
    choices: &[Choice<'_>],
    components: &[PlannedComponent],
    bundle: Option<&Index>,
    pulls: &[PulledGroup],
    target: &Target,
    demo: Option<&Demo>,
    local_port: Option<u16>,
) -> Vec<Stage> {
    let mut stages = Vec::new();
    let mut add = |id: StageId, title: &str, needs: Vec<StageId>, checks: Vec<Check>, timeout: u64| {
        stages.push(Stage { id, title: title.to_owned(), needs, checks, timeout });
    };
    let local = matches!(target, Target::Kind { .. });
    let has = |name: &str| components.iter().any(|component| component.name == name);

    let mut before_cluster = Vec::new();
    if local {
        add(StageId::EngineCheck, "container engine", vec![], vec![], MINUTE);
        before_cluster.push(StageId::EngineCheck);
    }
    let fetch_needs = if bundle.is_some() && local { vec![StageId::EngineCheck] } else { vec![] };
    add(StageId::Fetch, if bundle.is_some() { "unpack the bundle" } else { "download manifests" }, fetch_needs, vec![], 15 * MINUTE);
    before_cluster.push(StageId::Fetch);
    let answers = Check {
        id: "cluster/api".into(),
        probe: Probe::ApiAnswers,
        hint: "`kind export logs` collects the node's own logs".into(),
        deadline: 3 * MINUTE,
    };
    add(StageId::Cluster, if local { "kind cluster" } else { "existing cluster" }, before_cluster, vec![answers], 10 * MINUTE);
    // What everything else stands on: a node that is Ready, or the leave to touch somebody else's cluster.
    let ground = if local { StageId::Nodes } else { StageId::Preflight };
    if !local {
        add(StageId::Preflight, "what is there, what may be done", vec![StageId::Fetch, StageId::Cluster], vec![], 4 * MINUTE);
    }

    let groups = image_groups(bundle, pulls, local, has);
    let mut previous = StageId::Cluster;
    for group in &groups {
        let mut needs = vec![previous];
        if pulls.iter().any(|pulled| pulled.group == *group) {
            // It may stand behind the groups before it for as long as those take: the run's own deadline bounds all of them.
            add(StageId::Pull(group.clone()), &format!("pull images of {group}"), vec![StageId::EngineCheck], vec![], PULL);
            needs.push(StageId::Pull(group.clone()));
        }
        add(StageId::Images(group.clone()), &format!("images of {group}"), needs, vec![], 10 * MINUTE);
        previous = StageId::Images(group.clone());
    }
    let images_of = |group: &str| groups.iter().any(|g| g == group).then(|| StageId::Images(group.to_owned()));

    // The node gets Ready while definitions are sent. What makes pods comes after both: pods without routed Services start in vain.
    let nodes = Check {
        id: "nodes/ready".into(),
        probe: Probe::NodesReady,
        hint: "`kubectl describe nodes` says what the node lacks".into(),
        deadline: 3 * MINUTE,
    };
    let services = Check {
        id: "nodes/services".into(),
        probe: Probe::ServicesRouted,
        hint: "`kubectl -n kube-system describe daemonset kube-proxy` says what it waits for".into(),
        deadline: 3 * MINUTE,
    };
    if local {
        add(StageId::Nodes, "node ready", vec![StageId::Cluster], vec![nodes, services], 4 * MINUTE);
        add(StageId::Kubeconfig, "access for kubectl", vec![StageId::Cluster], vec![], 4 * MINUTE);
    }
    let before_crds = if local { vec![StageId::Fetch, StageId::Cluster] } else { vec![StageId::Preflight] };
    add(StageId::Crds, "namespaces and CRDs", before_crds, vec![], 4 * MINUTE);
    // Knative's activator waits for its autoscaler, some seconds longer than all that a model needs: only requests go through it.
    let gateway = local_port.filter(|_| has("istio") || has("kourier"));
    let mut on_the_way = Vec::new();
    for (choice, component) in choices.iter().zip(components) {
        let mut needs = vec![ground.clone(), StageId::Crds];
        needs.extend(choice.component.needs.iter().filter(|name| has(name)).map(|name| StageId::component(name)));
        needs.extend(images_of(&component.name));
        let rollouts = component.deployments.iter().map(|name| rollout(&component.name, &component.namespace, name));
        let (later, mut checks): (Vec<Check>, Vec<Check>) = rollouts.partition(|check| gateway.is_some() && check.id == ACTIVATOR);
        on_the_way.extend(later);
        checks.extend(webhooks(component));
        checks.extend(addon(&component.name));
        add(StageId::component(&component.name), &format!("{} {}", component.title, component.version), needs, checks, 8 * MINUTE);
    }
    let scheme = Scheme::of(components.iter().map(|component| component.name.as_str()));
    if let Some(port) = gateway {
        let check = Check {
            id: "ingress/gateway".into(),
            probe: Probe::GatewayAnswers { port, scheme },
            hint: format!("is something else listening on 127.0.0.1:{port}? `quickstart doctor` tells"),
            deadline: 2 * MINUTE,
        };
        // Without a Gateway object the gateway's pod is Ready and listens nowhere: net-istio brings the first one, without it we do.
        let makers = ["istio", "kourier", "knative", "net-istio", "net-kourier", Scheme::ADDON];
        let needs = makers.into_iter().filter(|name| has(name)).map(StageId::component).collect();
        on_the_way.insert(0, check);
        add(StageId::Ingress, "ingress on localhost", needs, on_the_way, 6 * MINUTE);
    }
    if has("kserve") {
        let check = Check {
            id: "runtimes/present".into(),
            probe: Probe::Present { paths: vec!["/apis/serving.kserve.io/v1alpha1/clusterservingruntimes/kserve-sklearnserver".into()] },
            hint: "`quickstart up` applies the runtimes again".into(),
            deadline: MINUTE,
        };
        add(StageId::Runtimes, "model server runtimes", vec![StageId::component("kserve")], vec![check], 3 * MINUTE);
    }
    if let Some(demo) = demo {
        let mut needs = vec![ground, StageId::Runtimes];
        // The gateway comes while the model's server starts; the prediction waits for both. net-istio must be there: its webhook labels
        // a model's Deployment, and one that is older than the webhook is rolled out once more when it is touched.
        let makers = ["knative", "kserve", "net-istio", "net-kourier"];
        needs.extend(makers.into_iter().filter(|name| has(name)).map(StageId::component));
        needs.extend(images_of("demo"));
        let ready = Check {
            id: "demo/inferenceservice".into(),
            probe: Probe::InferenceServiceReady { namespace: demo.namespace.clone(), name: demo.name.clone() },
            hint: format!("kubectl -n {} describe inferenceservice {}", demo.namespace, demo.name),
            deadline: 5 * MINUTE,
        };
        add(StageId::Demo, "demo model sklearn-iris", needs, vec![ready], 8 * MINUTE);
        if let Some(port) = local_port {
            let check = Check {
                id: "predict/answer".into(),
                probe: Probe::Prediction {
                    namespace: demo.namespace.clone(),
                    name: demo.name.clone(),
                    host: demo.host.clone(),
                    port,
                    scheme,
                },
                hint: "`quickstart predict` asks again; `quickstart status` shows where the way ends".into(),
                deadline: 2 * MINUTE,
            };
            add(StageId::Predict, "a real prediction", vec![StageId::Demo, StageId::Ingress], vec![check], 3 * MINUTE);
        }
    }
    stages
}

/// Groups that the bundle brings or that are pulled, in stage order; groups that no stage waits for come last. Those of components that
/// the plan leaves out (Knative's in the raw profile, add-ons that were not asked for) stay in the bundle.
fn image_groups(bundle: Option<&Index>, pulls: &[PulledGroup], local: bool, has: impl Fn(&str) -> bool) -> Vec<String> {
    let needed = |group: &&str| *group == "demo" || has(group) || !(GROUPS.contains(group) || embedded::is_addon(group));
    let bundled = bundle.filter(|_| local).into_iter().flat_map(|index| &index.images).map(|image| image.group.as_str()).filter(needed);
    let present: Vec<&str> = bundled.chain(pulls.iter().map(|pulled| pulled.group.as_str())).collect();
    let mut groups: Vec<String> = GROUPS.iter().filter(|group| present.contains(group)).map(|group| (*group).to_owned()).collect();
    for group in present {
        if !groups.iter().any(|known| known == group) {
            groups.push(group.to_owned());
        }
    }
    groups
}
