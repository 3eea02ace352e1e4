//! `--ingress kourier`: Knative without Istio.

use serde_json::{Value, json};

use crate::{
    small::{Machine, refused},
    support::manifests_kourier,
};

const HOST: &str = "sklearn-iris-predictor.kserve-test.example.com";

async fn bundle(machine: &Machine) -> String {
    let path = machine.bundle_spec();
    let mut spec: Value = serde_json::from_str(&fs_err::read_to_string(&path).unwrap()).unwrap();
    let folder = path.parent().unwrap().join("kourier");
    let mut files = Vec::new();
    for (component, file, text) in manifests_kourier::files() {
        let place = folder.join(component);
        fs_err::create_dir_all(&place).unwrap();
        fs_err::write(place.join(file), text).unwrap();
        files.push(json!({"component": component, "file": file, "path": place.join(file), "substitute": null}));
    }
    let mut images: Vec<Value> =
        spec["images"].as_array().unwrap().iter().filter(|one| !one["group"].to_string().contains("istio")).cloned().collect();
    for (at, (group, reference)) in manifests_kourier::IMAGES.into_iter().enumerate() {
        let name = format!("kourier/{at}:1");
        machine.engine.add_image(&name, "amd64");
        images.push(json!({"reference": reference, "local": name, "group": group, "substitute": null}));
    }
    (spec["manifests"], spec["images"]) = (json!(files), json!(images));
    fs_err::write(&path, spec.to_string()).unwrap();
    let out = machine.path().join("kourier.tar").display().to_string();
    machine.quickstart(&["bundle", "create", "--from", &path.display().to_string(), &out]).await.expect(0);
    out
}

/// KServe goes by VirtualServices unless it is told not to, and without Istio's kinds it refuses every serverless model.
#[tokio::test]
async fn a_prediction_without_istio() {
    let machine = Machine::new().await;
    let own = bundle(&machine).await;
    let port = machine.port.to_string();
    let output = machine.quickstart(&["up", "--bundle", &own, "--port", &port, "--ingress", "kourier"]).await.expect(0);
    assert!(output.stdout.contains("[1, 1]") && output.stdout.contains(HOST), "{}", output.text());
    assert!(machine.server.objects().iter().all(|object| !object.contains("istio")), "{:?}", machine.server.objects());
    let network = machine.server.get("/api/v1/namespaces/knative-serving/configmaps/config-network").unwrap();
    assert_eq!(network["data"]["ingress-class"], "kourier.ingress.networking.knative.dev");
    let map = machine.server.get("/api/v1/namespaces/kserve/configmaps/inferenceservice-config").unwrap();
    let ingress: Value = serde_json::from_str(map["data"]["ingress"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&ingress["disableIstioVirtualHost"], &ingress["ingressGateway"]),
        (&json!(true), &json!("knative-serving/knative-ingress-gateway"))
    );
    let service = machine.server.get("/api/v1/namespaces/kourier-system/services/kourier").unwrap();
    assert_eq!((&service["spec"]["type"], &service["spec"]["ports"][0]["nodePort"]), (&json!("NodePort"), &json!(31080)));

    machine.quickstart(&["status", "--probe"]).await.expect(0);
    machine.quickstart(&["predict"]).await.expect(0);
    let route = machine.quickstart(&["doctor", "route", "sklearn-iris", "-o", "json"]).await.expect(0).json();
    let hops: Vec<&str> = route["hops"].as_array().unwrap().iter().filter_map(|hop| hop["id"].as_str()).collect();
    assert_eq!(hops, ["inferenceservice", "ready", "domain", "gateway", "knative-route", "service", "endpoints", "pods"]);

    // Nobody says which ingress: it stays. Another one is another cluster.
    machine.server.forget_requests();
    machine.quickstart(&["up"]).await.expect(0);
    assert!(machine.server.writes().is_empty());
    let output = refused(machine.quickstart(&["up", "--ingress", "istio"]).await, 2, "CLUSTER_DIFFERS");
    assert!(output.stderr.contains("kourier"), "{}", output.text());
    machine.quickstart(&["reset", "--stack"]).await.expect(0);
    assert!(machine.server.objects().iter().all(|object| !object.contains("istio")));
}

/// The plan comes out of the catalog; Kourier knows Knative's routes and no others, and is not in every set.
#[tokio::test]
async fn its_plan_and_what_it_cannot() {
    let machine = Machine::new().await;
    let plan = machine.quickstart(&["plan", "--ingress", "kourier", "-o", "json"]).await.expect(0).json();
    let names: Vec<&str> = plan["components"].as_array().unwrap().iter().filter_map(|one| one["name"].as_str()).collect();
    assert_eq!(names, ["cert-manager", "kourier", "knative", "net-kourier", "kserve"]);
    assert_eq!(plan["demo"]["host"], HOST);
    let output = refused(machine.quickstart(&["plan", "--ingress", "kourier", "--profile", "raw"]).await, 2, "CONFIG_INVALID");
    assert!(output.stderr.contains("profile raw needs istio"), "{}", output.text());
    let output = refused(machine.quickstart(&["plan", "--ingress", "kourier", "--set", "kserve-0.13"]).await, 2, "CONFIG_INVALID");
    assert!(output.stderr.contains("kserve-0.13 has none"), "{}", output.text());
}
