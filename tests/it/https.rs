//! HTTPS at the gateway: planned without anything, proven at the wire with the cluster's own authority, refused with another one.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::{
    rules::three_lines,
    rules_late::late,
    small::{Machine, error_id, of, refused},
    support::{gateway_tls, yaml::documents},
    up::needs,
};

const HTTPS: &str = "gateway: {protocol: https}\n";
const SERVICE: &str = "/api/v1/namespaces/istio-system/services/istio-ingressgateway";

fn write(machine: &Machine, text: &str) {
    fs_err::write(machine.home().join("quickstart.yaml"), text).unwrap();
}

fn node_port(machine: &Machine, port: u64) -> Value {
    let service = machine.server.get(SERVICE).unwrap();
    let ports = service["spec"]["ports"].as_array().unwrap();
    ports.iter().find(|one| one["port"] == port).unwrap()["nodePort"].clone()
}

fn scheme_of_kserve(machine: &Machine) -> Value {
    let map = machine.server.get("/api/v1/namespaces/kserve/configmaps/inferenceservice-config").unwrap();
    serde_json::from_str::<Value>(map["data"]["ingress"].as_str().unwrap()).unwrap()["urlScheme"].clone()
}

/// Nothing is asked, and everything that HTTPS takes is seen: its objects, the names of its certificate, what changes elsewhere.
#[tokio::test]
async fn the_plan_has_all_of_it() {
    let mut machine = Machine::new().await;
    machine.env("DOCKER_HOST", "unix:///nowhere/docker.sock");
    write(&machine, "gateway:\n  protocol: https\ndomain: models.test\nnamespace: lessons\n");
    let plan = machine.quickstart(&["plan", "-o", "json"]).await.expect(0).json();
    let from = plan["settings"].as_array().unwrap().iter().find(|one| one["key"] == "gateway.protocol").unwrap();
    assert_eq!(*from, json!({"key": "gateway.protocol", "value": "https", "source": "file quickstart.yaml"}));
    let needs = needs(&plan);
    for (stage, other) in [("https", "cert-manager"), ("https", "istio"), ("ingress", "https")] {
        assert!(needs[stage].iter().any(|need| need == other), "{stage} waits for {other}: {needs:?}");
    }
    let probe = |stage: &str| plan["stages"].as_array().unwrap().iter().find(|one| one["id"] == stage).unwrap()["checks"][0].clone();
    assert_eq!(probe("predict")["probe"]["scheme"], "https");
    machine.snapshots().bind(|| {
        insta::assert_snapshot!("checks", serde_json::to_string_pretty(&[probe("https"), probe("ingress")]).unwrap());
    });
    let text = machine.quickstart(&["plan", "-o", "manifests", "--bundle", &machine.bundle]).await.expect(0).stdout;
    assert!(text.contains("HTTPS at the gateway"), "why an object differs is said");
    let all: Vec<Value> = documents(&text).unwrap();
    let find = |kind: &str, name: &str| {
        all.iter().find(|one| one["kind"] == kind && one["metadata"]["name"] == name).unwrap_or_else(|| panic!("{kind} {name} is missing"))
    };
    let names = &find("Certificate", "quickstart-gateway")["spec"]["dnsNames"];
    assert_eq!(*names, json!(["*.models.test", "*.lessons.models.test", "localhost"]));
    assert_eq!(find("Gateway", "quickstart-https")["spec"]["servers"][0]["tls"]["credentialName"], "quickstart-gateway");
    let bare =
        machine.quickstart(&["plan", "-o", "manifests", "--config", "/dev/null", "--bundle", &machine.bundle]).await.expect(0).stdout;
    assert!(!bare.contains("quickstart-https"), "nobody asked for it");
}

/// What cannot be is told before anything is done.
#[tokio::test]
async fn what_does_not_go_together_is_refused() {
    let machine = Machine::new().await;
    write(&machine, "name: demo\ngateway:\n  protocol: htps\n");
    let output = refused(machine.quickstart(&["plan"]).await, 2, "CONFIG_INVALID");
    assert!(output.stderr.contains("quickstart.yaml:3:13: `protocol`: `htps` is not one of the values"), "{}", output.text());
    assert!(output.stderr.contains("did you mean `https`?"), "{}", output.text());
    write(&machine, HTTPS);
    let output = refused(machine.quickstart(&["plan", "--ingress", "kourier"]).await, 2, "CONFIG_INVALID");
    assert!(output.stderr.contains("HTTPS at the gateway needs istio"), "{}", output.text());
    write(&machine, "gateway: {protocol: http}\nwith: [https]\n");
    refused(machine.quickstart(&["plan"]).await, 2, "CONFIG_INVALID");
}

/// The same port, the same verbs: only `s` more, in both profiles, and a line of curl that names the authority.
#[tokio::test]
async fn a_prediction_over_https() {
    for (profile, host) in [("serverless", "sklearn-iris.kserve-test.example.com"), ("raw", "sklearn-iris-kserve-test.example.com")] {
        let machine = Machine::new().await;
        write(&machine, &format!("{HTTPS}profile: {profile}\n"));
        let output = machine.up(&[]).await.expect(0);
        let (port, file) = (machine.port, machine.state_folder().join("ca.crt"));
        let curl = format!("--cacert '{}' --resolve {host}:{port}:127.0.0.1 ", file.display());
        assert!(output.stdout.contains("[1, 1]") && output.stdout.contains(&curl), "{}", output.text());
        assert!(output.stdout.contains(&format!("https://{host}:{port}/v1/models/sklearn-iris:predict")), "{}", output.text());
        assert!(output.stdout.contains(&format!("https://127.0.0.1:{port}")), "{}", output.text());
        assert_eq!(fs_err::read_to_string(&file).unwrap(), gateway_tls::authority());
        assert_eq!(fs_err::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!((node_port(&machine, 443), node_port(&machine, 80)), (json!(31080), json!(31443)));
        assert_eq!(scheme_of_kserve(&machine), "https");

        // Another folder: the cluster keeps what it has.
        fs_err::remove_file(machine.home().join("quickstart.yaml")).unwrap();
        machine.server.forget_requests();
        let again = machine.up(&["-o", "json"]).await.expect(0).events();
        assert!(of(&again, "object_applied").is_empty() && machine.server.changes().is_empty(), "the second one changes nothing");
        assert_eq!(machine.quickstart(&["predict"]).await.expect(0).stdout, "[1, 1]\n");
        let report = machine.quickstart(&["status", "--probe", "-o", "json"]).await.expect(0).json();
        assert_eq!(report["url"], format!("https://127.0.0.1:{port}"));
        assert_eq!((&report["ingress_ready"], &report["demo"]["prediction"]), (&json!(true), &json!({"predictions": [1, 1]})));
        let route = machine.quickstart(&["doctor", "route", "sklearn-iris", "-o", "json"]).await.expect(0).json();
        assert_eq!(route["success"], true, "{route}");
        // No wildcard reaches into the sample's namespace.
        machine.quickstart(&["sample", "test", "sklearn-iris-v2"]).await.expect(0);
        // gRPC goes the same way.
        machine.quickstart(&["sample", "apply", "grpc"]).await.expect(0);
        let arguments = ["predict", "sklearn-iris-grpc", "-n", "samples", "--protocol", "grpc"];
        assert_eq!(machine.quickstart(&arguments).await.expect(0).stdout, "[1, 1]\n");
        let line = machine.quickstart(&[&arguments[..], &["-o", "curl"]].concat()).await.expect(0).stdout;
        assert!(line.starts_with(&format!("grpcurl -cacert '{}' -proto ", file.display())), "{line}");
        machine.quickstart(&["down"]).await.expect(0);
        assert!(!machine.state_folder().exists());
    }
}

/// Somebody else on the port, with a certificate of his own, gets no request; nor does a cluster whose authority cannot be read send one.
#[tokio::test]
async fn another_authority_is_refused() {
    let machine = Machine::new().await;
    write(&machine, HTTPS);
    machine.up(&[]).await.expect(0);
    machine.gateway.pretend();
    let asked = machine.gateway.requests().len();
    let output = refused(machine.quickstart(&["predict"]).await, 8, "GATEWAY_CERTIFICATE");
    let told = three_lines(&output, 8, "GATEWAY_CERTIFICATE");
    refused(machine.quickstart(&["predict", "--protocol", "grpc"]).await, 8, "GATEWAY_CERTIFICATE");
    assert!(told.cause.contains("127.0.0.1") && told.cause.contains("sklearn-iris.kserve-test.example.com"), "{told:?}");
    let status = machine.quickstart(&["status"]).await.expect(7);
    assert!(status.stdout.contains("has no certificate of this cluster"), "{}", status.text());
    assert_eq!(machine.gateway.requests().len(), asked, "nothing was sent to it");
    let output = machine.up(&["--timeout", "4s"]).await;
    late(&output, "GATEWAY_CERTIFICATE", &["has no certificate of this cluster"]);
    // Nobody makes it again.
    machine.server.edit("/apis/apps/v1/namespaces/cert-manager/deployments/cert-manager", "kubectl", |object| {
        object["spec"]["replicas"] = json!(0);
    });
    crate::second_up::delete(&machine, "/api/v1/namespaces/istio-system/secrets/quickstart-gateway").await;
    let output = refused(machine.quickstart(&["predict"]).await, 8, "GATEWAY_CERTIFICATE");
    assert!(output.stderr.contains("Secret istio-system/quickstart-gateway has no ca.crt"), "{}", output.text());
}

/// A cluster that runs is turned by one more `up`, on the port that it has; back to HTTP it is made anew.
#[tokio::test]
async fn a_cluster_that_runs_gets_https() {
    let machine = Machine::up_and_running().await;
    assert_eq!(scheme_of_kserve(&machine), "http");
    write(&machine, HTTPS);
    let output = machine.quickstart(&["up"]).await.expect(0);
    assert!(output.stdout.contains("[1, 1]") && output.stdout.contains("--cacert"), "{}", output.text());
    assert_eq!((node_port(&machine, 443), scheme_of_kserve(&machine)), (json!(31080), json!("https")));
    assert_eq!(machine.state()["components"]["https"], "1");
    write(&machine, "gateway: {protocol: http}\n");
    let output = refused(machine.quickstart(&["up"]).await, 2, "CONFIG_INVALID");
    assert!(output.stderr.contains("`down` and a new `up`"), "{}", output.text());
    fs_err::remove_file(machine.home().join("quickstart.yaml")).unwrap();
    machine.quickstart(&["reset"]).await.expect(0);
    assert_eq!(machine.quickstart(&["predict"]).await.expect(0).stdout, "[1, 1]\n");
    assert_eq!(node_port(&machine, 443), json!(31080), "a fresh cluster of the same kind");
}

/// Where nothing is mapped, the tunnel leads to the port for HTTPS.
#[tokio::test]
async fn the_tunnel_leads_to_the_port_for_https() {
    let machine = Machine::new().await;
    write(&machine, HTTPS);
    let output = machine.up(&["--forward", "tunnel"]).await;
    assert_eq!(error_id(&output), None, "{}", output.text());
    assert!(output.stdout.contains("--cacert") && output.stdout.contains("[1, 1]"), "{}", output.text());
    assert_eq!(machine.quickstart(&["predict"]).await.expect(0).stdout, "[1, 1]\n");
    let tunnels = machine.quickstart(&["forward", "status", "-o", "json"]).await.expect(0).json();
    let first = &tunnels["tunnels"][0];
    assert_eq!(first["service"], "istio-system/istio-ingressgateway:443");
    assert!(first["url"].as_str().unwrap().starts_with("https://127.0.0.1:"), "{first}");
    let started = machine.quickstart(&["forward", "start"]).await.expect(0);
    assert!(started.stdout.contains("--cacert") && started.stdout.starts_with("https://"), "{}", started.text());
    machine.quickstart(&["down"]).await.expect(0);
    assert!(!machine.state_folder().exists());
}
