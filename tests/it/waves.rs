//! The order of requests on the wire, from the API server's own log of one `up`.

use serde_json::Value;

use crate::{
    small::Machine,
    support::{api_server::Pace, faults::Logged},
};

/// A cluster that is slow enough for every wrong order to show.
async fn log() -> (Machine, Vec<Logged>) {
    let machine = Machine::new().await;
    machine.server.pace(Pace { crds: 2, deployments: 2, inference_services: 1, nodes: 3, webhook_lag: 1 });
    machine.up(&[]).await.expect(0);
    let log = machine.server.requests();
    (machine, log)
}

fn applies(log: &[Logged]) -> impl Iterator<Item = (usize, &Logged)> {
    log.iter().enumerate().filter(|(_, one)| one.method == "PATCH" && !one.query.contains("dryRun"))
}

#[track_caller]
fn first(log: &[Logged], what: &str, holds: impl Fn(&Logged) -> bool) -> usize {
    log.iter().position(holds).unwrap_or_else(|| panic!("never on the wire: {what}"))
}

#[track_caller]
fn applied(log: &[Logged], path: &str) -> usize {
    applies(log).find(|(_, one)| one.path.ends_with(path) && one.code < 300).unwrap_or_else(|| panic!("never applied: {path}")).0
}

/// What must be, of one run: looked at together, since the run is the expensive part.
#[tokio::test]
async fn the_order_on_the_wire() {
    let (machine, log) = log().await;
    all_definitions_before_the_controller(&machine, &log);
    services_are_routed_before_the_first_pod(&log);
    the_certificate_and_its_secret_before_the_deployment(&log);
    certificates_before_the_webhook_that_guards_them(&log);
    guarded_objects_only_after_a_denial(&log);
    the_manner_of_the_requests(&log);
}

/// Pods that started before kube-proxy did not find the API server: they ended, or waited half a minute (2 of 3 runs on the real cluster).
fn services_are_routed_before_the_first_pod(log: &[Logged]) {
    let proxy = |one: &Logged| one.method == "GET" && one.path.ends_with("/daemonsets/kube-proxy");
    let looks: Vec<usize> = log.iter().enumerate().filter(|(_, one)| proxy(one)).map(|(at, _)| at).collect();
    let first_pods = applies(log).find(|(_, one)| one.path.contains("/deployments/")).expect("a Deployment").0;
    assert!(
        looks.len() >= 3 && looks.iter().all(|look| *look < first_pods),
        "kube-proxy was looked at {looks:?}, the first Deployment sent at {first_pods}"
    );
}

/// The KServe controller decides at its start what it watches: a CRD that comes later is not seen until it is restarted.
fn all_definitions_before_the_controller(machine: &Machine, log: &[Logged]) {
    let controller = applied(log, "/namespaces/kserve/deployments/kserve-controller-manager");
    let definitions: Vec<(usize, &Logged)> = applies(log).filter(|(_, one)| one.path.contains("/customresourcedefinitions/")).collect();
    let outline = names_before_schemas(log, &definitions);
    let definitions: Vec<usize> = definitions.into_iter().map(|(at, _)| at).filter(|at| *at != outline).collect();
    let there = machine.server.objects().iter().filter(|object| object.starts_with("customresourcedefinitions")).count();
    assert_eq!(definitions.len(), there, "each CRD is sent once, whole");
    let looks = log.iter().enumerate().filter(|(_, one)| one.method == "GET" && one.query.contains("limit=1") && one.code == 200);
    let looks: Vec<usize> = looks.map(|(at, _)| at).filter(|at| *at < controller).collect();
    assert!(looks.len() >= definitions.len(), "{} of {} custom resources were seen served", looks.len(), definitions.len());
    let last_look = *looks.iter().max().unwrap();
    let last_definition = *definitions.iter().max().unwrap();
    assert!(last_definition < last_look, "CRDs at {last_definition}, looked at {last_look}, controller at {controller}");
    let custom =
        first(log, "a custom object", |one| one.method == "PATCH" && !one.query.contains("dryRun") && one.path.contains(".istio.io/"));
    assert!(last_definition < custom, "no custom object before its definition");
}

const LARGE: &str = "/customresourcedefinitions/inferenceservices.serving.kserve.io";

fn has_schema(one: &Logged) -> bool {
    one.body.as_ref().is_some_and(|body| body.pointer("/spec/versions/0/schema/openAPIV3Schema/properties").is_some())
}

/// The API server writes a new definition three times, each time with all of its schemas: InferenceService's took it 6 s, while the node
/// waited to become ready. Answers where the one without schemas is.
fn names_before_schemas(log: &[Logged], definitions: &[(usize, &Logged)]) -> usize {
    let [(outline, first), (whole, second)] = definitions.iter().filter(|(_, one)| one.path.ends_with(LARGE)).collect::<Vec<_>>()[..]
    else {
        panic!("{LARGE} is sent twice");
    };
    assert!(!has_schema(first) && has_schema(second), "its names first, its schemas then");
    let is_served = |look: &Logged| look.method == "GET" && look.code == 200 && look.path.ends_with("/inferenceservices");
    assert!(log[*outline..*whole].iter().any(is_served), "its names are served before its schemas come");
    *outline
}

/// In upstream's file the Certificate stands behind the Deployment that mounts its Secret; the pod then hangs in ContainerCreating.
fn the_certificate_and_its_secret_before_the_deployment(log: &[Logged]) {
    let controller = applied(log, "/namespaces/kserve/deployments/kserve-controller-manager");
    let certificate = applied(log, "/namespaces/kserve/certificates/serving-cert");
    let secret = first(log, "the Secret, filled", |one| {
        one.method == "GET" && one.path.ends_with("/namespaces/kserve/secrets/kserve-webhook-server-cert") && one.code == 200
    });
    assert!(certificate < secret && secret < controller, "certificate {certificate}, secret {secret}, deployment {controller}");
}

/// cert-manager's webhook came with its pods and held up every certificate until it answered, 2 s after the controller did.
fn certificates_before_the_webhook_that_guards_them(log: &[Logged]) {
    let secret = first(log, "the Secret, filled", |one| {
        one.method == "GET" && one.path.ends_with("/namespaces/kserve/secrets/kserve-webhook-server-cert") && one.code == 200
    });
    for object in ["/issuers/selfsigned-issuer", "/certificates/serving-cert"] {
        let sent = applies(log).filter(|(_, one)| one.path.ends_with(object)).count();
        assert_eq!(sent, 1, "{object} is sent once");
    }
    for guard in ["/mutatingwebhookconfigurations/cert-manager-webhook", "/validatingwebhookconfigurations/cert-manager-webhook"] {
        assert!(secret < applied(log, guard), "{guard} before the Secret was there");
    }
}

/// Where cert-manager's webhook may be there already, it must answer first: a certificate sent before is refused until it does.
#[tokio::test]
async fn on_a_cluster_that_was_there_the_issuer_answers_first() {
    let machine = Machine::up_and_running().await;
    {
        let mut world = machine.server.world();
        let key = world.keys("cert-manager.io", "certificates").into_iter().find(|key| key.namespace == "kserve").unwrap();
        world.objects.remove(&key);
        let key = world
            .keys("apiextensions.k8s.io", "customresourcedefinitions")
            .into_iter()
            .find(|key| key.name.starts_with("trained"))
            .unwrap();
        world.objects.remove(&key);
    }
    machine.up(&[]).await.expect(0);
    let log = machine.server.requests();
    let large: Vec<bool> = applies(&log).filter(|(_, one)| one.path.ends_with(LARGE)).map(|(_, one)| has_schema(one)).collect();
    assert_eq!(large, [true], "no schema is taken away from a cluster that was there");
    let certificate = applied(&log, "/namespaces/kserve/certificates/serving-cert");
    let asked = first(&log, "the issuer's webhook", |one| one.query.contains("dryRun=All") && one.path.contains("/issuers"));
    assert!(asked < certificate, "asked at {asked}, certificate at {certificate}");
}

/// A Deployment that is Available is not yet a webhook that answers: what it guards was refused or, worse, not checked.
fn guarded_objects_only_after_a_denial(log: &[Logged]) {
    let denial =
        |path: &str| first(log, path, |one| one.query.contains("dryRun=All") && one.path.contains(path) && matches!(one.code, 400 | 403));
    for (probe, guarded) in [
        ("/inferenceservices", "/namespaces/kserve-test/inferenceservices/sklearn-iris"),
        ("/serving.knative.dev/v1/namespaces/default/services", "/namespaces/kserve-test/inferenceservices/sklearn-iris"),
    ] {
        let (denied, sent) = (denial(probe), applied(log, guarded));
        assert!(denied < sent, "{guarded} at {sent}, {probe} denied at {denied}");
    }
    let kept = log.iter().find(|one| one.query.contains("dryRun") && one.changed);
    assert!(kept.is_none(), "a dry run has changed something: {kept:?}");
}

fn the_manner_of_the_requests(log: &[Logged]) {
    for one in log.iter().filter(|one| one.method != "GET" && !one.query.contains("dryRun")) {
        // A Service whose node ports we chose is made by a POST, and applied after it.
        let node_ports = one.path.ends_with("/istio-system/services");
        assert_eq!(one.method, if node_ports { "POST" } else { "PATCH" }, "{}", one.line());
        // A claim is touched, so that it is looked at again.
        let touch = one.path.ends_with("/persistentvolumeclaims/sklearn-iris") && one.content_type == "application/merge-patch+json";
        assert!(node_ports || touch || one.content_type == "application/apply-patch+yaml", "{}", one.line());
        assert!(one.query.contains("fieldManager=quickstart"), "{}", one.line());
        let Some(body) = &one.body else { continue };
        assert!(body.get("status").is_none(), "status is the controllers': {}", one.line());
        assert!(body["metadata"].get("creationTimestamp").is_none(), "{}", one.line());
        assert!(!has(body, "caBundle"), "caBundle is cainjector's and istiod's: {}", one.line());
        assert!(!has_null(body), "a null would delete: {}", one.line());
        assert!(!["HorizontalPodAutoscaler", "PodDisruptionBudget"].contains(&body["kind"].as_str().unwrap_or_default()), "{}", one.line());
    }
    let discovery = log.iter().find(|one| one.method == "GET" && ["/api", "/apis"].contains(&one.path.as_str()));
    assert!(discovery.is_none(), "kinds come from the CRDs themselves, not from discovery");
}

fn has(value: &Value, key: &str) -> bool {
    match value {
        Value::Object(map) => map.iter().any(|(name, value)| name == key || has(value, key)),
        Value::Array(list) => list.iter().any(|value| has(value, key)),
        _ => false,
    }
}

fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.values().any(has_null),
        Value::Array(list) => list.iter().any(has_null),
        _ => false,
    }
}
