//! Two clusters of one machine, with different profiles and ports: neither knows of the other.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::{
    small::{Machine, files},
    support::{beside::Beside, faults::Logged, sandbox::Output},
};

const SECOND: &str = "second";

/// Path → contents of what stands below a folder. The log of a tunnel that runs grows, and so does the record of its connections.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let still = |path: &PathBuf| !path.to_string_lossy().contains("forward") && path.extension().is_none_or(|extension| extension != "log");
    files(folder).into_iter().filter(still).map(|path| (path.clone(), fs_err::read(path).unwrap())).collect()
}

fn kubeconfig(machine: &Machine) -> String {
    fs_err::read_to_string(machine.home().join(".kube/config")).unwrap()
}

fn current(machine: &Machine) -> Option<String> {
    kube::config::Kubeconfig::from_yaml(&kubeconfig(machine)).unwrap().current_context
}

async fn second_up(machine: &Machine, second: &Beside) -> Output {
    let port = second.port.to_string();
    machine.quickstart(&["up", "--bundle", &machine.bundle, "--name", SECOND, "--profile", "raw", "--port", &port]).await
}

async fn predicts(machine: &Machine, name: &str) -> Value {
    machine.quickstart(&["predict", "--name", name, "-o", "json"]).await.expect(0).json()
}

/// The first one with a tunnel beside it; the second comes and goes.
#[tokio::test]
async fn down_of_one_leaves_the_other_untouched() {
    let machine = Machine::new().await;
    machine.users_kubeconfig();
    let second = Beside::of(&machine, SECOND).await;
    machine.up(&[]).await.expect(0);
    let tunnel = crate::support::sandbox::free_port().to_string();
    machine.quickstart(&["forward", "start", "--port", &tunnel]).await.expect(0);
    let (before, config) = (contents(&machine.state_folder()), kubeconfig(&machine));

    let made = second_up(&machine, &second).await.expect(0);
    let url = format!("http://127.0.0.1:{}/v1/models", second.port);
    assert!(made.stdout.contains(&url) && made.stdout.contains("sklearn-iris-kserve-test.example.com"), "{}", made.text());
    assert!(made.stdout.contains("quickstart down --name second"), "{}", made.text());
    assert_eq!(current(&machine).as_deref(), Some("kind-second"));
    let statuses = [("quickstart", machine.port, "serverless"), (SECOND, second.port, "raw")];
    for (name, port, profile) in statuses {
        let report = machine.quickstart(&["status", "--name", name, "-o", "json"]).await.expect(0).json();
        let told = (&report["cluster"], &report["profile"], &report["url"]);
        assert_eq!(told, (&json!(name), &json!(profile), &json!(format!("http://127.0.0.1:{port}"))));
        assert_eq!(predicts(&machine, name).await, json!({"predictions": [1, 1]}));
    }
    assert!(second.server.objects().iter().all(|object| !object.contains("knative-serving")));

    machine.server.forget_requests();
    machine.quickstart(&["down", "--name", SECOND]).await.expect(0);
    // The tunnel of the first one may look after its pod in this moment.
    let asked: Vec<String> = machine.server.requests().iter().filter(|one| one.method != "GET").map(Logged::line).collect();
    assert_eq!(asked, Vec::<String>::new(), "nobody changes the first cluster");
    let left: Vec<String> = machine.kind.state.clusters().into_iter().map(|cluster| cluster.name).collect();
    assert_eq!(left, ["quickstart"]);
    assert!(!machine.state_folder().with_file_name(SECOND).exists());
    assert_eq!(contents(&machine.state_folder()), before);
    assert_eq!(kubeconfig(&machine), config, "the entries, their order and the current context are what they were");
    let status = machine.quickstart(&["forward", "status", "-o", "json"]).await.expect(0).json();
    assert_eq!(status["tunnels"][0]["state"], "running", "{status:#}");
    assert_eq!(predicts(&machine, "quickstart").await, json!({"predictions": [1, 1]}));
    machine.quickstart(&["down"]).await.expect(0);
    assert_eq!(current(&machine).as_deref(), Some("mine"));
    machine.knows_everything();
}

/// The older one goes first: the younger's context stays the current one, and what it puts back afterwards is one that exists.
#[tokio::test]
async fn the_older_one_goes_first() {
    let machine = Machine::new().await;
    machine.users_kubeconfig();
    let before = kubeconfig(&machine);
    let second = Beside::of(&machine, SECOND).await;
    machine.up(&[]).await.expect(0);
    second_up(&machine, &second).await.expect(0);
    let other = machine.state_folder().with_file_name(SECOND);
    let kept = contents(&other);
    machine.quickstart(&["down"]).await.expect(0);
    assert_eq!(contents(&other), kept);
    assert_eq!(current(&machine).as_deref(), Some("kind-second"));
    assert_eq!(predicts(&machine, SECOND).await, json!({"predictions": [1, 1]}));
    machine.quickstart(&["down", "--name", SECOND]).await.expect(0);
    let config = kube::config::Kubeconfig::from_yaml(&kubeconfig(&machine)).unwrap();
    let known: Vec<&str> = config.contexts.iter().map(|context| context.name.as_str()).collect();
    assert_eq!(known, ["mine"]);
    assert_eq!(config.current_context.as_deref(), Some("mine"), "the user's own, as before both: {before}");
}

/// `down --all` takes both.
#[tokio::test]
async fn all_takes_both() {
    let machine = Machine::new().await;
    let second = Beside::of(&machine, SECOND).await;
    machine.up(&[]).await.expect(0);
    second_up(&machine, &second).await.expect(0);
    machine.quickstart(&["down", "--all"]).await.expect(0);
    assert!(machine.kind.state.clusters().is_empty() && !machine.home().join(".kube/config").exists());
    assert_eq!(machine.engine.state().volumes.iter().collect::<Vec<_>>(), ["quickstart-images"]);
}
