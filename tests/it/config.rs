//! Bad input: refused before anything is touched, with the list, the place or the owner.

use std::fmt::Write as _;

use serde_json::json;

use crate::{
    small::{Machine, files, refused},
    support::faults::Logged,
};

/// Nothing was asked of kind or the engine that changes anything, and nothing was written.
#[track_caller]
fn untouched(machine: &Machine) {
    let calls: Vec<String> = machine.kind.calls().into_iter().filter(|call| !call.starts_with("version")).collect();
    assert_eq!(calls, Vec::<String>::new());
    let asked: Vec<String> =
        machine.engine.state().log.iter().filter(|one| !["GET", "HEAD"].contains(&one.method.as_str())).map(Logged::line).collect();
    assert_eq!(asked, Vec::<String>::new());
    assert!(machine.server.writes().is_empty());
}

/// Unknown profile, component or version: exit 2 with what there is.
#[tokio::test]
async fn unknown_names_are_refused_with_the_list() {
    let machine = Machine::new().await;
    let mut all = String::new();
    for (arguments, part) in [
        (["--profile", "serverles"], "raw"),
        (["--set", "kserv=0.20.0"], "cert-manager"),
        (["--set", "kserve=9.9.9"], "0.20.0"),
        (["--set", "kserve"], "COMPONENT=VERSION"),
    ] {
        let output = machine.up(&arguments).await.expect(2);
        assert!(output.stderr.starts_with("error[") && output.stderr.contains(part), "{arguments:?}: {}", output.text());
        writeln!(all, "{} {}\n{}", arguments[0], arguments[1], output.stderr).unwrap();
    }
    machine.snapshots().bind(|| insta::assert_snapshot!("unknown_names", all));
    machine.up(&["--timeout", "soon"]).await.expect(2);
    machine.up(&["--name", "Not A Name"]).await.expect(2);
    untouched(&machine);
}

/// No engine: exit 3, the address that was tried, and the next step.
#[tokio::test]
async fn no_engine() {
    let mut machine = Machine::new().await;
    machine.env("DOCKER_HOST", "unix:///nowhere/docker.sock");
    let output = refused(machine.up(&["-q"]).await, 3, "ENGINE_UNREACHABLE");
    assert!(output.stderr.contains("unix:///nowhere/docker.sock") && output.stderr.contains("DOCKER_HOST"), "{}", output.text());
    untouched(&machine);
}

/// An engine on which the pods could not be scheduled is refused before an hour of waiting.
#[tokio::test]
async fn an_engine_that_is_too_small() {
    for (key, value, id) in [("NCPU", json!(1), "INSUFFICIENT_CPU"), ("MemTotal", json!(3_u64 << 30), "INSUFFICIENT_MEMORY")] {
        let machine = Machine::new().await;
        machine.engine.state().info.insert(key.to_owned(), value);
        refused(machine.up(&[]).await, 3, id);
        untouched(&machine);
    }
}

/// A bundle that is cut, changed, of another architecture, or newer: exit 8, and nothing of it is used.
#[tokio::test]
async fn a_bundle_that_cannot_be_trusted() {
    let machine = Machine::new().await;
    let whole = fs_err::read(&machine.bundle).unwrap();
    let own = machine.home().join("own.tar");
    let up = |port: String| {
        let own = own.display().to_string();
        let machine = &machine;
        async move { machine.quickstart(&["up", "--bundle", &own, "--port", &port]).await }
    };
    let port = machine.port.to_string();
    fs_err::write(&own, &whole[..whole.len() / 2]).unwrap();
    refused(up(port.clone()).await, 8, "BUNDLE_DAMAGED");
    fs_err::write(&own, b"PK\x03\x04 something else").unwrap();
    refused(up(port.clone()).await, 8, "BUNDLE_DAMAGED");
    let mut changed = whole.clone();
    let at = find(&changed, b"name: kserve-controller-manager");
    changed[at + 6] ^= 1;
    fs_err::write(&own, &changed).unwrap();
    let output = refused(up(port.clone()).await, 8, "BUNDLE_DAMAGED");
    assert!(output.stderr.contains("sha256"), "{}", output.text());
    let mut newer = whole.clone();
    let at = find(&newer, b"\"version\"");
    let digit = at + newer[at..].iter().position(u8::is_ascii_digit).unwrap();
    newer[digit] = b'7';
    fs_err::write(&own, &newer).unwrap();
    refused(up(port.clone()).await, 8, "BUNDLE_VERSION");
    fs_err::write(&own, &whole).unwrap();
    machine.engine.state().info.insert("Architecture".into(), json!("aarch64"));
    let output = refused(up(port).await, 8, "BUNDLE_ARCH");
    assert!(output.stderr.contains("amd64") && output.stderr.contains("arm64"), "{}", output.text());
    untouched(&machine);
}

fn find(bytes: &[u8], part: &[u8]) -> usize {
    bytes.windows(part.len()).position(|window| window == part).unwrap()
}

/// A cluster of that name that we did not make: exit 3, and not a hair of it is touched.
#[tokio::test]
async fn a_foreign_cluster() {
    let machine = Machine::new().await;
    machine.kind.state.add("quickstart", "kindest/node:v1.31.0");
    let output = refused(machine.up(&[]).await, 3, "CLUSTER_FOREIGN");
    assert!(output.stderr.contains("--name") && output.stderr.contains("quickstart-control-plane"), "{}", output.text());
    assert_eq!(machine.kind.state.clusters().len(), 1);
    let calls: Vec<String> = machine.kind.calls().into_iter().filter(|call| !call.starts_with("version")).collect();
    assert_eq!(calls, Vec::<String>::new());
    assert!(machine.server.requests().is_empty());
    machine.quickstart(&["down"]).await;
    assert_eq!(machine.kind.state.clusters().len(), 1, "a refused run does not make it ours");
}

/// A port that was asked for is not swapped for another: exit 3, and the owner is named where that can be known.
#[tokio::test]
async fn a_port_that_is_taken_and_was_asked_for() {
    let machine = Machine::new().await;
    let held = std::net::TcpListener::bind(("127.0.0.1", machine.port)).unwrap();
    let output = refused(machine.up(&[]).await, 3, "PORT_BUSY");
    assert!(output.stderr.contains(&machine.port.to_string()), "{}", output.text());
    #[cfg(target_os = "linux")]
    assert!(output.stderr.contains(&format!("process {}", std::process::id())), "{}", output.text());
    untouched(&machine);
    drop(held);
}

/// The default port is only a wish: the next free one is taken, printed, and remembered.
#[tokio::test]
async fn a_default_port_that_is_taken() {
    let machine = Machine::new().await;
    // 8080 may be held by anything on this machine; both ways end in one port that is printed and kept.
    let held = std::net::TcpListener::bind(("127.0.0.1", 8080));
    let output = machine.quickstart(&["up", "--bundle", &machine.bundle]).await.expect(0);
    let port = machine.state()["port"].as_u64().unwrap();
    assert_ne!(port, 8080, "{}", output.text());
    assert!(output.stderr.contains("127.0.0.1:8080 is taken") && output.stderr.contains(&port.to_string()), "{}", output.text());
    assert!(output.stdout.contains(&format!("http://127.0.0.1:{port}")), "{}", output.text());
    drop(held);
    let again = machine.quickstart(&["up"]).await.expect(0);
    assert!(again.stdout.contains(&format!("http://127.0.0.1:{port}")), "our own listener is never taken: {}", again.text());
}

/// `quickstart.yaml`: a wrong key or broken YAML is named with its line and column.
#[tokio::test]
async fn a_bad_configuration_file() {
    let machine = Machine::new().await;
    let mut all = String::new();
    for text in ["nmae: x\n", "port: 8080\nprofile: fast\n", "port: [1\n", "port: 99999\n", "name: \"A B\"\n", "versions:\n  kserve: ''\n"]
    {
        fs_err::write(machine.home().join("quickstart.yaml"), text).unwrap();
        let output = machine.up(&[]).await.expect(2);
        assert!(output.stderr.starts_with("error[CONFIG_INVALID]: quickstart.yaml:"), "{text:?}: {}", output.text());
        writeln!(all, "{text}{}", output.stderr).unwrap();
    }
    machine.snapshots().bind(|| insta::assert_snapshot!("bad_configuration", all));
    let output = machine.up(&["--config", "nowhere.yaml"]).await.expect(2);
    assert!(output.stderr.contains("nowhere.yaml"), "{}", output.text());
    untouched(&machine);
}

/// A state of a newer program, and one that is damaged: exit 3 with the file, nothing overwritten.
#[tokio::test]
async fn a_state_that_cannot_be_read() {
    let machine = Machine::new().await;
    fs_err::create_dir_all(machine.state_folder()).unwrap();
    let path = machine.state_folder().join("state.json");
    for text in ["{\"version\": 2}", "{\"version\": 1", "{\"version\": 1}", "\u{0}"] {
        fs_err::write(&path, text).unwrap();
        for arguments in [&["up"][..], &["status"], &["plan"], &["predict"]] {
            let output = machine.quickstart(arguments).await.expect(3);
            assert!(output.stderr.contains("state.json") && output.stderr.contains("hint: "), "{arguments:?} {text}: {}", output.text());
        }
        assert_eq!(fs_err::read_to_string(&path).unwrap(), text);
    }
    untouched(&machine);
}

/// Environment variables are read as carefully as flags.
#[tokio::test]
async fn a_wrong_variable_is_named() {
    let mut machine = Machine::new().await;
    machine.env("QUICKSTART_PORT", "eighty");
    let output = refused(machine.quickstart(&["plan"]).await, 2, "USAGE");
    assert!(output.stderr.contains("QUICKSTART_PORT") && output.stderr.contains("eighty"), "{}", output.text());
}

/// What is refused leaves nothing behind that would be taken for a cluster.
#[tokio::test]
async fn a_refused_run_leaves_no_cluster_behind() {
    let mut machine = Machine::new().await;
    let engine = machine.engine.host();
    machine.env("DOCKER_HOST", "unix:///nowhere/docker.sock");
    machine.up(&[]).await.expect(3);
    machine.env("DOCKER_HOST", &engine);
    machine.quickstart(&["down"]).await.expect(0);
    assert_eq!(files(&machine.home().join(".local")), Vec::<std::path::PathBuf>::new());
}

/// A patch of the file is the last one; one that meets nothing is refused with what to do, before anything is made.
#[tokio::test]
async fn a_patch_of_the_file_reaches_the_object_and_one_that_meets_nothing_is_refused() {
    let machine = crate::small::Machine::new().await;
    let file = machine.path().join("patched.yaml");
    let patch = |name: &str| {
        format!(
            "patches:\n- component: knative\n  kind: ConfigMap\n  name: {name}\n  patch: {{data: {{kubernetes.podspec-nodeselector: enabled}}}}\n"
        )
    };
    fs_err::write(&file, patch("config-domain")).unwrap();
    let given = ["--config", &file.display().to_string(), "--bundle", &machine.bundle];
    let manifests = machine.quickstart(&[&["plan", "-o", "manifests"][..], &given].concat()).await.expect(0);
    assert!(manifests.stdout.contains("kubernetes.podspec-nodeselector: enabled"), "{}", manifests.text());
    let tree = machine.quickstart(&[&["plan"][..], &given].concat()).await.expect(0);
    assert!(tree.stdout.contains("your change: knative: ConfigMap config-domain"), "{}", tree.text());
    fs_err::write(&file, patch("config-unheard")).unwrap();
    let output = crate::small::refused(machine.up(&["--config", given[1]]).await, 2, "CONFIG_INVALID");
    assert!(output.stderr.contains("ConfigMap config-unheard"), "{}", output.text());
    assert!(machine.kind.state.clusters().is_empty(), "nothing was made");
    fs_err::write(&file, patch("x").replace("knative", "knativ")).unwrap();
    crate::small::refused(machine.up(&["--config", given[1]]).await, 2, "CONFIG_INVALID");
}

/// Figures for a container reach every workload of the component that has one of that name, and nothing else of it changes; those for a
/// container or component that is not there are refused at their place, before anything is made.
#[tokio::test]
async fn resources_reach_their_container_or_are_refused_at_their_place() {
    let machine = crate::small::Machine::new().await;
    let file = machine.path().join("lean.yaml");
    let given = ["--config", &file.display().to_string()];
    let text = "resources:\n  istio:\n    discovery:\n      requests: {cpu: 77m}\n      limits: {memory: 1Gi}\n";
    fs_err::write(&file, text).unwrap();
    let tree = machine.quickstart(&[&["plan", "--bundle", &machine.bundle][..], &given].concat()).await.expect(0);
    assert!(tree.stdout.contains("your resources: istio: discovery requests.cpu=77m limits.memory=1Gi"), "{}", tree.text());
    machine.up(&given).await.expect(0);
    let istiod = machine.server.get("/apis/apps/v1/namespaces/istio-system/deployments/istiod").unwrap();
    let resources = &istiod["spec"]["template"]["spec"]["containers"][0]["resources"];
    assert_eq!((&resources["requests"]["cpu"], &resources["limits"]["memory"]), (&"77m".into(), &"1Gi".into()), "{resources}");
    assert_eq!(resources["requests"]["memory"], "256Mi", "the overlay's figure stays: {resources}");
    machine.quickstart(&["down"]).await.expect(0);
    for (was, is, word) in [
        ("discovery:", "discover:", "there are discovery"),
        ("istio:", "istoi:", "there are cert-manager, istio"),
        ("77m", "77mb", "`77mb` is not a quantity"),
    ] {
        fs_err::write(&file, text.replacen(was, is, 1)).unwrap();
        let output = crate::small::refused(machine.up(&given).await, 2, "CONFIG_INVALID");
        assert!(output.stderr.contains(word), "{word}: {}", output.text());
        assert!(output.stderr.contains("lean.yaml:4:"), "{}", output.text());
        assert!(machine.kind.state.clusters().is_empty(), "nothing was made");
    }
}

/// Objects of the user's own come after everything that they may need; what is wrong with them is told before anything is made.
#[tokio::test]
async fn own_manifests_are_applied_last() {
    let machine = crate::small::Machine::new().await;
    let (file, mine) = (machine.path().join("q.yaml"), machine.path().join("mine.yaml"));
    fs_err::write(&file, "manifests: [mine.yaml]\n").unwrap();
    let config = ["--config", &file.display().to_string()].map(str::to_owned);
    let given: Vec<&str> = config.iter().map(String::as_str).collect();
    let up = async || machine.up(&given).await;
    let output = crate::small::refused(up().await, 2, "CONFIG_INVALID");
    assert!(output.stderr.contains("mine.yaml cannot be read"), "{}", output.text());
    for (text, place) in [
        ("apiVersion: v1\nkind: ConfigMap\n", "mine.yaml: a ConfigMap without metadata.name"),
        ("a: [\n", "mine.yaml"),
        ("apiVersion: example.org/v1\nkind: Thing\nmetadata: {name: t}\n", "knows kind Thing of example.org"),
    ] {
        fs_err::write(&mine, text).unwrap();
        let output = crate::small::refused(up().await, 2, "CONFIG_INVALID");
        assert!(output.stderr.contains(place), "{place}: {}", output.text());
        assert!(machine.kind.state.clusters().is_empty(), "nothing was made");
    }
    let text = "apiVersion: serving.kserve.io/v1beta1\nkind: InferenceService\nmetadata: {name: mine, namespace: team}\n\
                spec: {predictor: {model: {modelFormat: {name: sklearn}, storageUri: 'pvc://a/'}}}\n---\n\
                apiVersion: v1\nkind: Namespace\nmetadata: {name: team}\n";
    fs_err::write(&mine, text).unwrap();
    let events = machine.up(&[&given[..], &["-o", "json"]].concat()).await.expect(0).events();
    let order: Vec<&str> = crate::small::of(&events, "object_applied").iter().filter_map(|event| event["object"].as_str()).collect();
    let at = |object: &str| order.iter().position(|applied| *applied == object).unwrap_or_else(|| panic!("{object}: {order:?}"));
    assert!(at("Namespace team") < at("InferenceService team/mine"), "{order:?}");
    assert!(at("ClusterServingRuntime kserve-sklearnserver") < at("Namespace team"), "{order:?}");
    machine.server.forget_requests();
    machine.up(&given).await.expect(0);
    assert!(machine.server.writes().is_empty(), "{:?}", machine.server.writes());
    // A file that is gone is not needed to look or to leave.
    fs_err::remove_file(&mine).unwrap();
    machine.quickstart(&[&["down"][..], &given].concat()).await.expect(0);
}

/// `config show` tells who said what; `config schema` is what editors check the file with.
#[tokio::test]
async fn settings_are_shown_with_their_origin_and_the_schema_is_json() {
    let mut machine = crate::small::Machine::new().await;
    machine.env("QUICKSTART_NAME", "room-1");
    let shown = machine.quickstart(&["config", "show", "--port", "9999", "-o", "json"]).await.expect(0).json();
    let of = |key: &str| shown["settings"].as_array().unwrap().iter().find(|one| one["key"] == key).unwrap().clone();
    assert_eq!((&of("name")["value"], &of("name")["source"]), (&"room-1".into(), &"environment QUICKSTART_NAME".into()));
    assert_eq!((&of("port")["value"], &of("port")["source"]), (&"9999".into(), &"flag".into()));
    assert_eq!(of("profile")["source"], "default");
    let table = machine.quickstart(&["config", "show"]).await.expect(0);
    assert!(table.stdout.contains("QUICKSTART_NAME"), "{}", table.text());
    let schema = machine.quickstart(&["config", "schema"]).await.expect(0).json();
    assert_eq!(schema["title"], "quickstart.yaml");
}
