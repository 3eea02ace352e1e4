//! The raw profile: KServe without Knative, its models behind Ingresses of class istio.

use serde_json::{Value, json};

use crate::{second_up::delete, small::Machine};

const HOST: &str = "sklearn-iris-kserve-test.example.com";
const NS: &str = "kserve-test";

/// The demo was asked for as `sklearn-iris.kserve-test.example.com`, a name that only Knative makes: every prediction was a 404.
#[tokio::test]
async fn up_ends_with_a_prediction_under_the_host_that_kserve_gives() {
    let machine = Machine::new().await;
    let output = machine.up(&["--profile", "raw"]).await.expect(0);
    assert!(output.stdout.contains("[1, 1]") && output.stdout.contains(&format!("-H 'Host: {HOST}'")), "{}", output.text());
    let asked = machine.gateway.requests();
    assert!(asked.contains(&(HOST.into(), "/v1/models/sklearn-iris:predict".into(), 200)), "{asked:?}");
    assert!(asked.iter().all(|(host, _, _)| host != "sklearn-iris.kserve-test.example.com"), "{asked:?}");
    assert_eq!(machine.state()["demo_host"], HOST);
    let loaded = machine.engine.node_images();
    assert!(loaded.iter().all(|image| !image.contains("knative")), "nobody asked for Knative's images: {loaded:?}");
    assert!(machine.server.objects().iter().all(|object| !object.contains("knative-serving")), "nor for its objects");

    let report = machine.quickstart(&["status", "--probe", "-o", "json"]).await.expect(0).json();
    assert_eq!((&report["demo"]["host"], &report["demo"]["prediction"]), (&json!(HOST), &json!({"predictions": [1, 1]})));
    let names: Vec<&str> = report["components"].as_array().unwrap().iter().filter_map(|one| one["name"].as_str()).collect();
    assert_eq!(names, ["cert-manager", "istio", "kserve"]);
    machine.quickstart(&["predict"]).await.expect(0);
    let v2 = machine.quickstart(&["predict", "--protocol", "v2", "-o", "json"]).await.expect(0).json();
    assert_eq!(v2["outputs"][0]["data"], json!([1, 1]));
    let route = machine.quickstart(&["doctor", "route", "sklearn-iris", "-o", "json"]).await.expect(0).json();
    let hops: Vec<&str> = route["hops"].as_array().unwrap().iter().filter_map(|hop| hop["id"].as_str()).collect();
    assert_eq!(hops, ["inferenceservice", "ready", "domain", "gateway", "route", "service", "endpoints", "pods"]);
    assert_eq!(route["host"], HOST);

    // A second `up` asks again under the same name, and `down` leaves nothing.
    let again = machine.up(&["--profile", "raw"]).await.expect(0);
    assert!(again.stdout.contains(HOST), "{}", again.text());
    machine.knows_everything();
    machine.quickstart(&["down"]).await.expect(0);
    assert!(!machine.state_folder().exists());
}

/// What KServe needs for it stands in its configuration, beside what upstream ships there.
#[tokio::test]
async fn its_configuration_says_standard_and_istio() {
    let machine = Machine::new().await;
    machine.up(&["--profile", "raw"]).await.expect(0);
    let map = machine.server.get("/api/v1/namespaces/kserve/configmaps/inferenceservice-config").unwrap();
    let inner = |key: &str| serde_json::from_str::<Value>(map["data"][key].as_str().unwrap()).unwrap();
    assert_eq!(inner("deploy")["defaultDeploymentMode"], "Standard");
    let ingress = inner("ingress");
    assert_eq!((&ingress["ingressClassName"], &ingress["enableGatewayApi"]), (&json!("istio"), &json!(false)));
    assert_eq!((&ingress["ingressDomain"], &ingress["urlScheme"]), (&json!("example.com"), &json!("http")));
    assert_eq!(ingress["disableIngressCreation"], false);
    assert!(machine.server.get("/apis/networking.k8s.io/v1/ingressclasses/istio").is_some());
}

/// Envoy opens no port before it has a Gateway or an Ingress: without the demo the ingress never answered.
#[tokio::test]
async fn without_the_demo_the_gateway_has_a_port_all_the_same() {
    let machine = Machine::new().await;
    machine.up(&["--profile", "raw", "--without-demo"]).await.expect(0);
    let gateway = machine.server.get("/apis/networking.istio.io/v1beta1/namespaces/istio-system/gateways/quickstart").unwrap();
    assert_eq!(gateway["spec"]["servers"][0]["port"]["number"], 80);
    machine.quickstart(&["status"]).await.expect(0);
}

/// A model of the user's own is reached where its status says it is, whatever the domain.
#[tokio::test]
async fn the_status_url_wins() {
    let machine = Machine::new().await;
    machine.up(&["--profile", "raw"]).await.expect(0);
    let service = format!("/apis/serving.kserve.io/v1beta1/namespaces/{NS}/inferenceservices/sklearn-iris");
    let ingress = format!("/apis/networking.k8s.io/v1/namespaces/{NS}/ingresses/sklearn-iris");
    delete(&machine, &ingress).await;
    let route = machine.quickstart(&["doctor", "route", "sklearn-iris", "-o", "json"]).await.expect(7).json();
    let last = route["hops"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&last["id"], &last["error_id"]), (&json!("route"), &json!("GATEWAY_404")));
    machine.server.world().domain = "models.test".into();
    machine.server.edit(&service, "manager", |object| object["status"]["url"] = json!("http://sklearn-iris-kserve-test.models.test"));
    machine.quickstart(&["predict"]).await.expect(0);
    let (host, _, _) = machine.gateway.requests().pop().unwrap();
    assert_eq!(host, "sklearn-iris-kserve-test.models.test");
}
