//! Waves: in what order the objects of one stage go, and what must be true between them.

use serde_json::Value;

use super::{Check, Probe};
use crate::catalog::{Object, RestMap, served_collections};

/// Objects that can go side by side, and what must be green before the next wave.
#[derive(Clone, Debug)]
pub struct Wave {
    /// For messages.
    pub name: &'static str,
    /// What is applied.
    pub objects: Vec<Object>,
    /// What must be green afterwards.
    pub checks: Vec<Check>,
}

impl Wave {
    /// The wave of what has no webhook and no controller to wait for.
    pub const BASE: &str = "base";
    /// The wave of a component's certificates.
    pub const CERTIFICATES: &str = "certificates";
    /// The wave in which a component's webhooks must answer.
    pub const WEBHOOKS: &str = "webhooks";
    /// What those webhooks guard.
    pub const GUARDED: &str = "guarded";
}

/// What a kind of object is to the order of things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Namespace,
    Definition,
    Base,
    Certificate,
    Workload,
    Webhook,
    Guarded,
}

fn rank(object: &Object) -> Rank {
    let gvk = &object.gvk;
    match (gvk.group.as_str(), gvk.kind.as_str()) {
        ("", "Namespace") => Rank::Namespace,
        ("apiextensions.k8s.io", "CustomResourceDefinition") => Rank::Definition,
        ("cert-manager.io", _) => Rank::Certificate,
        ("apps" | "batch", _) => Rank::Workload,
        ("admissionregistration.k8s.io", kind) if kind.ends_with("WebhookConfiguration") => Rank::Webhook,
        // A group whose server does not answer yet breaks discovery, and with it the deletion of namespaces: last.
        ("apiregistration.k8s.io", _) => Rank::Guarded,
        (group, _) if RestMap::is_built_in(group) => Rank::Base,
        _ => Rank::Guarded,
    }
}

/// The namespaces and definitions of all components: two waves that free everything else.
pub fn foundation<'a>(objects: impl IntoIterator<Item = &'a Object>) -> Vec<Wave> {
    let mut namespaces = Vec::new();
    let mut definitions: Vec<Object> = Vec::new();
    for object in objects {
        match rank(object) {
            Rank::Namespace => namespaces.push(object.clone()),
            Rank::Definition if !definitions.iter().any(|known| known.name == object.name) => definitions.push(object.clone()),
            _ => {}
        }
    }
    // One version a definition: they are established together.
    let collections: Vec<String> = definitions.iter().filter_map(|object| served_collections(&object.body).into_iter().next()).collect();
    let established = Check {
        id: "crds/served".into(),
        probe: Probe::CrdsServed { collections },
        hint: "kubectl get crd shows which one is not Established, and why".into(),
        deadline: 120,
    };
    let there = present("crds/namespaces", namespaces.iter().map(|object| format!("/api/v1/namespaces/{}", object.name)));
    let mut waves = vec![Wave { name: "namespaces", objects: namespaces, checks: vec![there] }];
    if !definitions.is_empty() {
        waves.push(Wave { name: "definitions", objects: definitions, checks: vec![established] });
    }
    waves
}

/// Objects that nothing else would miss when somebody deletes them: without this check their stage is skipped for ever.
pub(super) fn present(id: &str, paths: impl Iterator<Item = String>) -> Check {
    Check {
        id: id.into(),
        probe: Probe::Present { paths: paths.collect() },
        hint: "`quickstart up` applies them again; one that is being deleted is waited for".into(),
        deadline: 180,
    }
}

/// The waves of one component, without what [`foundation`] has: base objects → certificates (and their Secrets) → workloads with
/// their webhook configurations (then `ready` must be green, pods before webhooks) → workloads that mount what those make ([`awaits`]) →
/// webhook configurations that guard certificates ([`guards_certificates`]) → objects that the webhooks guard.
pub fn component(objects: &[Object], ready: &[Check]) -> Vec<Wave> {
    let of = |ranks: &[Rank]| objects.iter().filter(|object| ranks.contains(&rank(object))).cloned().collect::<Vec<_>>();
    let certificates = of(&[Rank::Certificate]);
    // A webhook cannot answer before its pod runs: asked in this order, a failure names the pod and not the webhook behind it.
    let (webhooks, rollouts): (Vec<Check>, Vec<Check>) =
        ready.iter().cloned().partition(|check| matches!(check.probe, Probe::Denied { .. }));
    let (registered, rollouts): (Vec<Check>, Vec<Check>) =
        rollouts.into_iter().partition(|check| matches!(check.probe, Probe::Condition { .. }));
    let (guards, workloads): (Vec<Object>, Vec<Object>) = of(&[Rank::Workload, Rank::Webhook]).into_iter().partition(guards_certificates);
    let (late, workloads): (Vec<Object>, Vec<Object>) = workloads.into_iter().partition(|object| awaits(object, objects));
    let (after, rollouts): (Vec<Check>, Vec<Check>) = rollouts
        .into_iter()
        .partition(|check| matches!(&check.probe, Probe::Rollout { name, .. } if late.iter().any(|object| object.name == *name)));
    let secrets = certificates.iter().filter(|object| object.gvk.kind == "Certificate").filter_map(secret).collect();
    let waves = [
        Wave { name: Wave::BASE, objects: of(&[Rank::Base]), checks: Vec::new() },
        Wave { name: Wave::CERTIFICATES, objects: certificates, checks: secrets },
        Wave { name: "workloads", objects: workloads, checks: rollouts },
        Wave { name: "workloads that mount what others make", objects: late, checks: after },
        Wave { name: Wave::WEBHOOKS, objects: guards, checks: webhooks },
        Wave { name: Wave::GUARDED, objects: of(&[Rank::Guarded]), checks: registered },
    ];
    waves.into_iter().filter(|wave| !wave.objects.is_empty() || !wave.checks.is_empty()).collect()
}

/// Does it guard cert-manager's own objects? To issue a certificate cert-manager makes a CertificateRequest, which this webhook sees too:
/// made with the workloads it would hold up every certificate until its pods answer, some seconds after the controller does.
fn guards_certificates(object: &Object) -> bool {
    let webhooks = object.body.get("webhooks").and_then(Value::as_array).into_iter().flatten();
    let mut rules = webhooks.filter_map(|webhook| webhook.get("rules")?.as_array()).flatten();
    rank(object) == Rank::Webhook
        && rules.any(|rule| {
            rule.get("apiGroups").and_then(Value::as_array).is_some_and(|groups| groups.iter().any(|group| group == "cert-manager.io"))
        })
}

/// Does it mount a ConfigMap that none of these objects is? Then another workload makes it (istiod: istio-ca-root-cert), and a pod that is
/// there earlier finds its mount failing: the kubelet tries again after 0.5, 1, 2 and 4 s, which the gateway's start then waits for.
fn awaits(workload: &Object, objects: &[Object]) -> bool {
    let volumes = workload.body.pointer("/spec/template/spec/volumes").and_then(Value::as_array);
    volumes.into_iter().flatten().filter_map(|volume| volume.get("configMap")).any(|map| {
        let name = map.get("name").and_then(Value::as_str).unwrap_or_default();
        let optional = map.get("optional").and_then(Value::as_bool) == Some(true);
        !optional && !objects.iter().any(|object| object.gvk.kind == "ConfigMap" && object.name == name)
    })
}

/// The Secret that a Certificate must bring before the Deployment that mounts it starts; applied the other way round, as upstream's
/// file has it, the mount fails and backs off (kserve#1867, #1710).
fn secret(certificate: &Object) -> Option<Check> {
    let namespace = certificate.namespace.clone()?;
    let name = certificate.text("/spec/secretName")?.to_owned();
    Some(Check {
        id: format!("secret/{name}"),
        hint: format!("kubectl -n {namespace} describe certificate {}", certificate.name),
        probe: Probe::Secret { namespace, name, key: "tls.crt".into() },
        deadline: 120,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(api_version: &str, kind: &str, name: &str) -> Object {
        let spec = json!({"secretName": "cert"});
        Object::new(json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": "n"}, "spec": spec}), "t")
            .unwrap()
    }

    /// In kserve.yaml the Certificate stands behind the Deployment that mounts its Secret.
    #[test]
    fn certificate_then_secret_then_deployment_then_what_its_webhook_guards() {
        let objects = [
            object("apps/v1", "Deployment", "manager"),
            object("serving.kserve.io/v1alpha1", "ClusterStorageContainer", "default"),
            object("cert-manager.io/v1", "Certificate", "serving-cert"),
            object("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "w"),
            object("v1", "ConfigMap", "c"),
            object("v1", "Namespace", "n"),
            object("apiextensions.k8s.io/v1", "CustomResourceDefinition", "d"),
        ];
        let waves = component(&objects, &[]);
        let names: Vec<&str> = waves.iter().map(|wave| wave.name).collect();
        assert_eq!(names, ["base", "certificates", "workloads", "guarded"]);
        assert_eq!(waves[1].checks[0].id, "secret/cert");
        assert_eq!(waves[2].objects.len(), 2);
        let first = foundation(&objects);
        assert_eq!((first[0].objects.len(), first[1].objects.len()), (1, 1));
    }

    /// With cert-manager's own webhook in place before its pods, no certificate was issued until they answered: 2 s of every `up`.
    #[test]
    fn the_webhook_that_guards_certificates_comes_after_the_pods() {
        let guard = |name: &str, group: &str| {
            let webhooks = json!([{"rules": [{"apiGroups": [group], "resources": ["certificaterequests"]}]}]);
            let kind = "MutatingWebhookConfiguration";
            Object::new(
                json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": name}, "webhooks": webhooks}),
                "t",
            )
            .unwrap()
        };
        let objects = [guard("late", "cert-manager.io"), guard("early", "serving.knative.dev"), object("apps/v1", "Deployment", "d")];
        let waves: Vec<(&str, usize)> = component(&objects, &[]).iter().map(|wave| (wave.name, wave.objects.len())).collect();
        assert_eq!(waves, [("workloads", 2), (Wave::WEBHOOKS, 1)]);
    }

    /// istio-ingressgateway was made beside istiod, whose ConfigMap it mounts: the kubelet's fourth look came seconds after the ConfigMap.
    #[test]
    fn a_workload_that_mounts_what_another_makes_comes_after_it() {
        let gateway = |optional: bool| {
            let volumes = json!([{"configMap": {"name": "istio-ca-root-cert", "optional": optional}}, {"configMap": {"name": "istio"}}]);
            Object::new(
                json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "gateway", "namespace": "n"},
                    "spec": {"template": {"spec": {"volumes": volumes}}}}),
                "t",
            )
            .unwrap()
        };
        let rollout = |name: &str| Check {
            id: name.into(),
            probe: Probe::Rollout { namespace: "n".into(), name: name.into() },
            hint: String::new(),
            deadline: 1,
        };
        let ready = [rollout("gateway"), rollout("istiod")];
        let objects = [gateway(false), object("apps/v1", "Deployment", "istiod"), object("v1", "ConfigMap", "istio")];
        let waves = component(&objects, &ready);
        let seen: Vec<(&str, &str)> =
            waves.iter().skip(1).map(|wave| (wave.objects[0].name.as_str(), wave.checks[0].id.as_str())).collect();
        assert_eq!(seen, [("istiod", "istiod"), ("gateway", "gateway")]);
        let objects = [gateway(true), object("apps/v1", "Deployment", "istiod"), object("v1", "ConfigMap", "istio")];
        assert_eq!(component(&objects, &ready)[1].objects.len(), 2, "an optional one is not waited for");
    }

    /// serving-core.yaml repeats the twelve CRDs of serving-crds.yaml.
    #[test]
    fn a_definition_that_two_files_hold_is_applied_once() {
        let crd = object("apiextensions.k8s.io/v1", "CustomResourceDefinition", "same");
        assert_eq!(foundation([&crd, &crd])[1].objects.len(), 1);
    }
}
