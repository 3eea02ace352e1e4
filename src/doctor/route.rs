//! `doctor route NAME`: the way of a request to an InferenceService, hop by hop, up to the first one that fails.
//!
//! With Knative (KServe 0.20, net-istio 1.21): KServe's VirtualService for the host → Knative's Ingress of the entry component and the
//! VirtualService that net-istio makes of it → the revision's Service → its endpoints → pods. In raw mode: an Ingress or HTTPRoute for
//! the host → the component's Service → endpoints → pods.

use serde::Serialize;
use serde_json::Value;

use super::check::{CheckResult, Outcome};
use super::webhooks::{ready_endpoints, text};
use crate::error::Exit;
use crate::health::rollout;
use crate::plan::said_host;

/// `doctor route -o json`, version 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Route {
    /// Format version; 1.
    pub version: u32,
    /// Namespace of the InferenceService.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its host, once it has one.
    pub host: Option<String>,
    /// Every hop is as it should be.
    pub success: bool,
    /// The exit code: 0 or 7.
    pub exit: u8,
    /// The hops in the order of a request; the first that fails is the last one here.
    pub hops: Vec<CheckResult>,
}

impl Route {
    /// The exit code.
    pub fn code(&self) -> Exit {
        if self.success { Exit::Ok } else { Exit::Degraded }
    }
}

/// What the cluster says about the way to an InferenceService.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    pub(super) namespace: String,
    pub(super) name: String,
    /// The InferenceService.
    pub(super) service: Value,
    /// Why it is not Ready: rule, words, hint.
    pub(super) unready: Option<(Option<String>, String, Option<String>)>,
    /// Without Knative.
    pub(super) raw: bool,
    /// Kourier goes by Knative's Ingress, and nobody makes VirtualServices.
    pub(super) kourier: bool,
    /// Domains that the cluster serves to the outside; empty: nothing says.
    pub(super) domains: Vec<String>,
    /// The gateway's port of 127.0.0.1, and what asking there gave; `None`: none is mapped.
    pub(super) gateway: Option<(u16, Result<(), String>)>,
    /// Istio's VirtualServices of the namespace.
    pub(super) virtual_services: Vec<Value>,
    /// Knative's Ingresses of the namespace.
    pub(super) knative: Vec<Value>,
    /// Kubernetes' Ingresses and HTTPRoutes of the namespace.
    pub(super) ingresses: Vec<Value>,
    /// Services of the namespace.
    pub(super) services: Vec<Value>,
    /// EndpointSlices of the namespace.
    pub(super) slices: Vec<Value>,
    /// Pods of the InferenceService.
    pub(super) pods: Vec<Value>,
    /// What keeps its first pod from being Ready.
    pub(super) pod_trouble: Option<(Option<String>, String)>,
}

impl Facts {
    /// Without scheme and path.
    fn host(&self) -> Option<&str> {
        said_host(&self.service)
    }

    /// The component that requests enter: a transformer stands before the predictor.
    fn entry(&self) -> String {
        let part = if self.service.pointer("/spec/transformer").is_some_and(Value::is_object) { "transformer" } else { "predictor" };
        format!("{}-{part}", self.name)
    }
}

/// The hops, up to the first that fails.
pub(super) fn route(facts: &Facts) -> Route {
    let mut hops = Vec::new();
    let success = walk(facts, &mut hops).is_ok();
    Route {
        version: 1,
        namespace: facts.namespace.clone(),
        name: facts.name.clone(),
        host: facts.host().map(str::to_owned),
        success,
        exit: if success { Exit::Ok } else { Exit::Degraded }.code(),
        hops,
    }
}

/// A hop failed: it is the last one.
struct Stop;

fn walk(facts: &Facts, hops: &mut Vec<CheckResult>) -> Result<(), Stop> {
    let mut push = |hop: CheckResult| {
        let failed = hop.result == Outcome::Error;
        hops.push(hop);
        if failed { Err(Stop) } else { Ok(()) }
    };
    push(CheckResult::ok("inferenceservice", "the InferenceService is there", format!("{}/{}", facts.namespace, facts.name)))?;
    push(ready(facts))?;
    let Some(host) = facts.host() else { return push(no_host(facts)) };
    push(domain(facts, host))?;
    push(gateway(facts))?;
    let backend = if facts.raw {
        let (hop, backend) = raw_route(facts, host);
        push(hop)?;
        backend
    } else {
        if !facts.kourier {
            push(virtual_service(facts, host))?;
        }
        let (hop, backend) = knative_route(facts);
        push(hop)?;
        backend
    };
    push(service(facts, &backend))?;
    push(endpoints(facts, &backend))?;
    push(pods(facts))
}

fn ready(facts: &Facts) -> CheckResult {
    let (id, title) = ("ready", "the InferenceService is Ready");
    let Some((rule, saw, hint)) = &facts.unready else { return CheckResult::ok(id, title, "yes") };
    let describe = format!("`kubectl -n {} describe inferenceservice {}` shows its conditions", facts.namespace, facts.name);
    CheckResult::error(id, title, saw, hint.clone().unwrap_or(describe)).named(rule.as_deref().unwrap_or("NOT_READY"))
}

fn no_host(facts: &Facts) -> CheckResult {
    let hint = format!(
        "KServe's controller writes it: `kubectl -n kserve logs deploy/kserve-controller-manager` and `kubectl -n {} get inferenceservice {} -o yaml`",
        facts.namespace, facts.name
    );
    CheckResult::error("domain", "its host is under a domain that the gateway serves", "it is Ready and has no URL", hint)
        .named("GATEWAY_404")
}

fn domain(facts: &Facts, host: &str) -> CheckResult {
    let (id, title) = ("domain", "its host is under a domain that the gateway serves");
    if host.ends_with(".svc.cluster.local") {
        let hint = "it is for the inside of the cluster only: remove the label networking.kserve.io/visibility (or networking.knative.dev/visibility), or set a domain in config-domain";
        return CheckResult::error(id, title, host, hint).named("GATEWAY_404");
    }
    let under = |domain: &&String| host == domain.as_str() || host.strip_suffix(domain.as_str()).is_some_and(|rest| rest.ends_with('.'));
    match facts.domains.iter().find(under) {
        Some(domain) => CheckResult::ok(id, title, format!("{host} under {domain}")),
        None if facts.domains.is_empty() => CheckResult::ok(id, title, host),
        None => {
            let map = if facts.raw {
                "ConfigMap kserve/inferenceservice-config (ingressDomain)"
            } else {
                "ConfigMap knative-serving/config-domain"
            };
            let saw = format!("{host} is under none of {}", facts.domains.join(", "));
            let hint = format!(
                "the domain changed after the model was made, in {map}: put it back with `quickstart up`, or make the InferenceService anew"
            );
            CheckResult::error(id, title, saw, hint).named("GATEWAY_404")
        }
    }
}

fn gateway(facts: &Facts) -> CheckResult {
    let (id, title) = ("gateway", "the gateway answers on localhost");
    match &facts.gateway {
        Some((port, Ok(()))) => CheckResult::ok(id, title, format!("127.0.0.1:{port}")),
        Some((port, Err(why))) => {
            let hint = "`quickstart status` tells whether istio-ingressgateway runs; `quickstart up` puts it back";
            CheckResult::error(id, title, format!("127.0.0.1:{port}: {why}"), hint).named("GATEWAY_UNREACHABLE")
        }
        None => CheckResult::warning(id, title, "this cluster has no port on localhost", "`quickstart forward run` opens one")
            .named("NO_INGRESS"),
    }
}

fn virtual_service(facts: &Facts, host: &str) -> CheckResult {
    let (id, title) = ("virtual-service", "the gateway has a route for the host");
    let found = facts.virtual_services.iter().find(|object| {
        // `mesh` alone is for sidecars, not for the gateway.
        let gateways = strings(object, "/spec/gateways");
        strings(object, "/spec/hosts").contains(&host) && gateways.iter().any(|gateway| *gateway != "mesh")
    });
    if let Some(object) = found {
        let gateways = strings(object, "/spec/gateways").join(", ");
        return CheckResult::ok(id, title, format!("VirtualService {} on {gateways}", text(object, "/metadata/name")));
    }
    let saw = format!("no VirtualService of {} names {host}", facts.namespace);
    let hint = "KServe's controller makes it: `kubectl -n kserve logs deploy/kserve-controller-manager`; \
                `kubectl -n kserve rollout restart deploy/kserve-controller-manager` makes it look again";
    CheckResult::error(id, title, saw, hint).named("GATEWAY_404")
}

/// Knative's part, and the Service that it leads to.
fn knative_route(facts: &Facts) -> (CheckResult, String) {
    let (id, title) = ("knative-route", "Knative's route is ready");
    let entry = facts.entry();
    let failed = |saw: String, hint: String| (CheckResult::error(id, title, saw, hint).named("GATEWAY_404"), String::new());
    let Some(object) = facts.knative.iter().find(|object| text(object, "/metadata/name") == entry) else {
        let hint = format!("`kubectl -n {} get ksvc,route {entry}` tells why Knative has not made it", facts.namespace);
        return failed(format!("there is no Ingress {entry} (networking.internal.knative.dev)"), hint);
    };
    let condition = rollout::condition(object, "Ready");
    if condition.as_ref().is_none_or(|(status, _)| status != "True") {
        let why = condition.map(|(_, why)| why).filter(|why| !why.is_empty()).unwrap_or_else(|| "no condition Ready yet".into());
        let hint = "net-istio makes the gateway's routes of it: `kubectl -n knative-serving logs deploy/net-istio-controller`";
        return failed(format!("Ingress {entry} is not Ready: {why}"), hint.into());
    }
    let hosts: Vec<&str> = array(object, "/spec/rules").iter().flat_map(|rule| strings(rule, "/hosts")).collect();
    let routed = facts.virtual_services.iter().any(|service| {
        let named = strings(service, "/spec/hosts");
        hosts.iter().any(|host| named.contains(host))
    });
    if !routed && !facts.kourier {
        let hint = "net-istio makes it: `kubectl -n knative-serving logs deploy/net-istio-controller`; `kubectl -n knative-serving rollout restart deploy/net-istio-controller` makes it look again";
        return failed(format!("no VirtualService carries the hosts of Ingress {entry}"), hint.into());
    }
    let backend = array(object, "/spec/rules")
        .iter()
        .flat_map(|rule| array(rule, "/http/paths"))
        .flat_map(|path| array(path, "/splits"))
        .map(|split| text(split, "/serviceName"))
        .find(|name| !name.is_empty());
    let backend = backend.unwrap_or(&entry).to_owned();
    (CheckResult::ok(id, title, format!("Ingress {entry}, to Service {backend}")), backend)
}

/// Raw mode: the object that carries the host, and the Service that it leads to.
fn raw_route(facts: &Facts, host: &str) -> (CheckResult, String) {
    let (id, title) = ("route", "the gateway has a route for the host");
    let entry = facts.entry();
    for object in &facts.ingresses {
        let name = text(object, "/metadata/name");
        if strings(object, "/spec/hostnames").contains(&host) {
            let backend =
                array(object, "/spec/rules").iter().flat_map(|rule| array(rule, "/backendRefs")).map(|to| text(to, "/name")).next();
            return (CheckResult::ok(id, title, format!("HTTPRoute {name}")), backend.unwrap_or(&entry).to_owned());
        }
        if let Some(rule) = array(object, "/spec/rules").iter().find(|rule| text(rule, "/host") == host) {
            let backend = array(rule, "/http/paths").first().map(|path| text(path, "/backend/service/name"));
            return (CheckResult::ok(id, title, format!("Ingress {name}")), backend.unwrap_or(&entry).to_owned());
        }
    }
    let saw = format!("neither an Ingress nor an HTTPRoute of {} names {host}", facts.namespace);
    let hint = "KServe's controller makes it: `kubectl -n kserve logs deploy/kserve-controller-manager`";
    (CheckResult::error(id, title, saw, hint).named("GATEWAY_404"), String::new())
}

fn service(facts: &Facts, name: &str) -> CheckResult {
    let (id, title) = ("service", "the route leads to a Service");
    if facts.services.iter().any(|object| text(object, "/metadata/name") == name) {
        return CheckResult::ok(id, title, name);
    }
    let hint = format!("`kubectl -n {} get revisions,services` shows what there is; `quickstart up` puts the demo's back", facts.namespace);
    CheckResult::error(id, title, format!("there is no Service {}/{name}", facts.namespace), hint).named("NOT_READY")
}

fn endpoints(facts: &Facts, service: &str) -> CheckResult {
    let (id, title) = ("endpoints", "the Service has ready endpoints");
    match ready_endpoints(&facts.slices, &facts.namespace, service) {
        0 => {
            let (rule, why) = facts.pod_trouble.clone().unwrap_or((None, "no pod is ready behind it".into()));
            let pods =
                format!("`kubectl -n {} get pods -l serving.kserve.io/inferenceservice={}` shows its pods", facts.namespace, facts.name);
            CheckResult::error(id, title, format!("Service {service} has none: {why}"), pods).named(rule.as_deref().unwrap_or("NOT_READY"))
        }
        count => CheckResult::ok(id, title, count.to_string()),
    }
}

fn pods(facts: &Facts) -> CheckResult {
    let (id, title) = ("pods", "its pods are ready");
    let ready = facts.pods.iter().filter(|pod| rollout::condition(pod, "Ready").is_some_and(|(status, _)| status == "True")).count();
    if facts.pods.is_empty() {
        // The endpoints are the activator's then.
        return CheckResult::ok(id, title, "none: scaled to zero, the next request starts one");
    }
    if ready == 0 {
        let (rule, why) = facts.pod_trouble.clone().unwrap_or((None, "none of them is ready".into()));
        let hint = format!(
            "`kubectl -n {} logs -l serving.kserve.io/inferenceservice={} --all-containers` says more",
            facts.namespace, facts.name
        );
        return CheckResult::error(id, title, why, hint).named(rule.as_deref().unwrap_or("NOT_READY"));
    }
    CheckResult::ok(id, title, format!("{ready} of {}", facts.pods.len()))
}

fn array<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn strings<'a>(object: &'a Value, pointer: &str) -> Vec<&'a str> {
    array(object, pointer).iter().filter_map(Value::as_str).collect()
}

#[cfg(test)]
#[path = "route_tests.rs"]
mod tests;
