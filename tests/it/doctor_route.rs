//! `doctor route`: the whole way, and each hop of it broken.

use serde_json::{Value, json};

use crate::{
    second_up::delete,
    small::{Machine, refused},
};

const NS: &str = "kserve-test";

async fn route(machine: &Machine, code: i32) -> Value {
    machine.quickstart(&["doctor", "route", "sklearn-iris", "-o", "json"]).await.expect(code).json()
}

/// The hop at which the way ends, and its ID.
async fn end(machine: &Machine) -> (String, String) {
    let document = route(machine, 7).await;
    let last = document["hops"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&document["success"], &last["result"]), (&json!(false), &json!("error")), "{document:#}");
    assert!(last["hint"].is_string(), "{last:#}");
    (last["id"].as_str().unwrap().to_owned(), last["error_id"].as_str().unwrap_or_default().to_owned())
}

fn is(hop: &str, id: &str) -> (String, String) {
    (hop.to_owned(), id.to_owned())
}

#[tokio::test]
async fn the_whole_way() {
    let machine = Machine::up_and_running().await;
    let document = route(&machine, 0).await;
    machine.snapshots().bind(|| insta::assert_json_snapshot!("doctor_route", document));
    let table = machine.quickstart(&["doctor", "route", "sklearn-iris", "-n", NS]).await.expect(0);
    machine.snapshots().bind(|| insta::assert_snapshot!("doctor_route_table", table.stdout));
    assert!(machine.server.writes().is_empty(), "looking changes nothing");
    machine.knows_everything();
}

#[tokio::test]
async fn nothing_of_that_name_and_no_cluster() {
    let machine = Machine::new().await;
    refused(machine.quickstart(&["doctor", "route", "sklearn-iris"]).await, 6, "NOT_RUNNING");
    machine.up(&[]).await.expect(0);
    refused(machine.quickstart(&["doctor", "route", "nothing"]).await, 6, "ISVC_MISSING");
    refused(machine.quickstart(&["doctor", "route"]).await, 2, "USAGE");
}

/// From the far end to the near one: each new break stands before the ones that are there already.
#[tokio::test]
async fn each_hop_that_breaks_is_the_last_one() {
    let machine = Machine::up_and_running().await;
    let of = |group: &str, plural: &str, name: &str| format!("{group}/namespaces/{NS}/{plural}/{name}");
    let slice = of("/apis/discovery.k8s.io/v1", "endpointslices", "sklearn-iris-predictor-00001-x7k2p");
    machine.server.edit(&slice, "kubectl", |object| object["metadata"]["labels"] = json!({}));
    assert_eq!(end(&machine).await, is("endpoints", "NOT_READY"));
    delete(&machine, &of("/api/v1", "services", "sklearn-iris-predictor-00001")).await;
    assert_eq!(end(&machine).await, is("service", "NOT_READY"));
    let ingress = of("/apis/networking.internal.knative.dev/v1alpha1", "ingresses", "sklearn-iris-predictor");
    machine.server.edit(&ingress, "kubectl", |object| object["status"]["conditions"][0]["status"] = json!("Unknown"));
    assert_eq!(end(&machine).await, is("knative-route", "GATEWAY_404"));
    delete(&machine, &of("/apis/networking.istio.io/v1beta1", "virtualservices", "sklearn-iris")).await;
    assert_eq!(end(&machine).await, is("virtual-service", "GATEWAY_404"));
    machine.gateway.set(false, &machine.server).await;
    machine.server.trouble("istio-system/istio-ingressgateway", crate::support::workloads::Trouble::NeverReady);
    assert_eq!(end(&machine).await, is("gateway", "GATEWAY_UNREACHABLE"));
    let domain = "/api/v1/namespaces/knative-serving/configmaps/config-domain";
    // KServe has not looked at the model since.
    machine.server.world().domain = "example.com".into();
    machine.server.edit(domain, "kubectl", |object| object["data"] = json!({"other.example": ""}));
    assert_eq!(end(&machine).await, is("domain", "GATEWAY_404"));
    machine.server.trouble("kserve-test/sklearn-iris", crate::support::workloads::Trouble::crash_loop("OOMKilled", 137));
    assert_eq!(end(&machine).await, is("ready", "OOM_KILLED"));
}

/// Without Knative the way goes by an Ingress.
#[tokio::test]
async fn raw_mode() {
    let machine = Machine::up_and_running().await;
    let service = format!("/apis/serving.kserve.io/v1beta1/namespaces/{NS}/inferenceservices/sklearn-iris");
    machine.server.edit(&service, "kubectl", |object| {
        object["metadata"]["annotations"]["serving.kserve.io/deploymentMode"] = json!("RawDeployment");
    });
    assert_eq!(end(&machine).await, is("route", "GATEWAY_404"));
    let paths = json!([{"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "sklearn-iris-predictor-00001"}}}]);
    let ingress = json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "sklearn-iris", "namespace": NS},
        "spec": {"rules": [{"host": "sklearn-iris.kserve-test.example.com", "http": {"paths": paths}}]}});
    machine.server.world().put("networking.k8s.io", "ingresses", NS, ingress, "kserve");
    let document = route(&machine, 0).await;
    let hops: Vec<&str> = document["hops"].as_array().unwrap().iter().filter_map(|hop| hop["id"].as_str()).collect();
    assert_eq!(hops, ["inferenceservice", "ready", "domain", "gateway", "route", "service", "endpoints", "pods"]);
}
