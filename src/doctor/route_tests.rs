use serde_json::json;

use super::*;

const HOST: &str = "m.ns.example.com";

fn good() -> Facts {
    let slice = json!({"metadata": {"namespace": "ns", "labels": {"kubernetes.io/service-name": "m-predictor-00001"}},
        "endpoints": [{"addresses": ["10.244.0.9"], "conditions": {"ready": true}}]});
    Facts {
        namespace: "ns".into(),
        name: "m".into(),
        service: json!({"spec": {"predictor": {}}, "status": {"url": format!("http://{HOST}")}}),
        domains: vec!["example.com".into()],
        gateway: Some((8080, Ok(()))),
        virtual_services: vec![
            json!({"metadata": {"name": "m"}, "spec": {"hosts": [HOST], "gateways": ["knative-serving/knative-ingress-gateway"]}}),
            json!({"metadata": {"name": "m-predictor-ingress"}, "spec": {"hosts": ["m-predictor.ns.example.com"], "gateways": ["mesh", "g"]}}),
        ],
        knative: vec![json!({"metadata": {"name": "m-predictor"},
            "spec": {"rules": [{"hosts": ["m-predictor.ns.example.com"], "http": {"paths": [{"splits": [{"serviceName": "m-predictor-00001"}]}]}}]},
            "status": {"conditions": [{"type": "Ready", "status": "True"}]}})],
        services: vec![json!({"metadata": {"name": "m-predictor-00001"}})],
        slices: vec![slice],
        pods: vec![json!({"status": {"conditions": [{"type": "Ready", "status": "True"}]}})],
        ..Facts::default()
    }
}

/// The last hop's name, ID and words.
fn end(facts: &Facts) -> (String, Option<String>, String) {
    let mut route = route(facts);
    let last = route.hops.pop().unwrap();
    assert_eq!(route.success, last.result != Outcome::Error);
    assert!(route.hops.iter().all(|hop| hop.result != Outcome::Error), "it stops at the first one: {route:?}");
    assert!(last.result != Outcome::Error || last.hint.is_some());
    (last.id, last.error_id, last.saw)
}

#[test]
fn a_good_way_ends_at_the_pods() {
    let route = route(&good());
    let hops: Vec<&str> = route.hops.iter().map(|hop| hop.id.as_str()).collect();
    assert_eq!(
        hops,
        ["inferenceservice", "ready", "domain", "gateway", "virtual-service", "knative-route", "service", "endpoints", "pods"]
    );
    assert_eq!((route.code(), route.host.as_deref()), (Exit::Ok, Some(HOST)));
}

#[test]
fn each_broken_hop_ends_the_way_and_has_a_name() {
    let broken = |change: &dyn Fn(&mut Facts)| {
        let mut facts = good();
        change(&mut facts);
        let (hop, id, _) = end(&facts);
        (hop, id.unwrap_or_default())
    };
    let is = |hop: &str, id: &str| (hop.to_owned(), id.to_owned());
    assert_eq!(broken(&|f| f.unready = Some((Some("CRASH_LOOP".into()), "x".into(), None))), is("ready", "CRASH_LOOP"));
    assert_eq!(broken(&|f| f.unready = Some((None, "x".into(), None))), is("ready", "NOT_READY"));
    assert_eq!(broken(&|f| f.service = json!({})), is("domain", "GATEWAY_404"));
    assert_eq!(broken(&|f| f.domains = vec!["other.example".into()]), is("domain", "GATEWAY_404"));
    assert_eq!(broken(&|f| f.service["status"]["url"] = json!("http://m.ns.svc.cluster.local")), is("domain", "GATEWAY_404"));
    assert_eq!(broken(&|f| f.gateway = Some((8080, Err("refused".into())))), is("gateway", "GATEWAY_UNREACHABLE"));
    assert_eq!(broken(&|f| drop(f.virtual_services.remove(0))), is("virtual-service", "GATEWAY_404"));
    assert_eq!(broken(&|f| f.virtual_services[0]["spec"]["gateways"] = json!(["mesh"])), is("virtual-service", "GATEWAY_404"));
    assert_eq!(broken(&|f| f.knative.clear()), is("knative-route", "GATEWAY_404"));
    assert_eq!(broken(&|f| f.knative[0]["status"]["conditions"][0]["status"] = json!("False")), is("knative-route", "GATEWAY_404"));
    assert_eq!(broken(&|f| drop(f.virtual_services.remove(1))), is("knative-route", "GATEWAY_404"));
    assert_eq!(broken(&|f| f.services.clear()), is("service", "NOT_READY"));
    assert_eq!(broken(&|f| f.slices.clear()), is("endpoints", "NOT_READY"));
    assert_eq!(broken(&|f| f.pods[0]["status"]["conditions"][0]["status"] = json!("False")), is("pods", "NOT_READY"));
}

#[test]
fn a_pods_own_trouble_is_the_reason_for_missing_endpoints() {
    let facts = Facts { slices: Vec::new(), pod_trouble: Some((Some("OOM_KILLED".into()), "out of memory".into())), ..good() };
    let (hop, id, saw) = end(&facts);
    assert_eq!((hop.as_str(), id.as_deref()), ("endpoints", Some("OOM_KILLED")));
    assert!(saw.contains("out of memory"), "{saw}");
}

#[test]
fn a_model_that_was_scaled_to_zero_is_no_trouble_and_a_missing_port_only_a_warning() {
    let facts = Facts { pods: Vec::new(), gateway: None, ..good() };
    let route = route(&facts);
    assert!(route.success, "{route:?}");
    assert!(route.hops.last().unwrap().saw.contains("scaled to zero"));
}

/// `notexample.com` once passed for a name under `example.com`.
#[test]
fn a_domain_is_a_whole_part_of_the_host() {
    let mut facts = good();
    facts.service["status"]["url"] = json!("http://m.ns.notexample.com");
    assert_eq!(end(&facts).0, "domain");
}

#[test]
fn a_transformer_is_the_entry() {
    let mut facts = good();
    facts.service["spec"]["transformer"] = json!({});
    let (hop, _, saw) = end(&facts);
    assert!(hop == "knative-route" && saw.contains("m-transformer"), "{saw}");
}

#[test]
fn raw_mode_goes_by_an_ingress_or_an_http_route() {
    let raw = |ingress: Value| Facts {
        raw: true,
        ingresses: vec![ingress],
        services: vec![json!({"metadata": {"name": "m-predictor"}})],
        slices: vec![json!({"metadata": {"namespace": "ns", "labels": {"kubernetes.io/service-name": "m-predictor"}},
            "endpoints": [{"addresses": ["10.244.0.9"]}]})],
        virtual_services: Vec::new(),
        knative: Vec::new(),
        ..good()
    };
    let paths = json!([{"backend": {"service": {"name": "m-predictor"}}}]);
    let ingress = json!({"metadata": {"name": "m"}, "spec": {"rules": [{"host": HOST, "http": {"paths": paths}}]}});
    assert!(route(&raw(ingress)).success);
    let http = json!({"metadata": {"name": "m"}, "spec": {"hostnames": [HOST], "rules": [{"backendRefs": [{"name": "m-predictor"}]}]}});
    assert!(route(&raw(http)).success);
    assert_eq!(end(&raw(json!({}))).0, "route");
}
