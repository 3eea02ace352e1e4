//! The fakes together: the small stack applied by hand, the engine through bollard, `kind` as a program.

use bollard::{
    Docker,
    exec::{CreateExecOptions, StartExecResults},
};
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use super::{
    api_server::Pace,
    docker_archive::{Image, save},
    manifests,
    resources::built_in,
    sandbox::{Sandbox, free_port},
    yaml,
};

/// A request as a client without any cleverness makes it.
async fn ask(client: &reqwest::Client, url: &str, method: &str, content_type: &str, body: &Value) -> (u16, Value) {
    let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
    let answer = client.request(method, url).header("content-type", content_type).body(body.to_string()).send().await.unwrap();
    let code = answer.status().as_u16();
    (code, serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default())
}

fn documents() -> Vec<Value> {
    manifests::files().into_iter().flat_map(|(_, _, text)| yaml::documents(&text).unwrap()).collect()
}

fn path(object: &Value, plurals: &[(String, String, bool)]) -> Option<String> {
    let (api, kind) = (object["apiVersion"].as_str().unwrap(), object["kind"].as_str().unwrap());
    let (group, version) = api.split_once('/').unwrap_or(("", api));
    let guess = [
        format!("{}s", kind.to_lowercase()),
        format!("{}es", kind.to_lowercase()),
        format!("{}ies", &kind.to_lowercase()[..kind.len() - 1]),
    ];
    let plural = plurals
        .iter()
        .find(|(known, _, _)| known == &format!("{group}/{kind}"))
        .map(|(_, plural, namespaced)| (plural.clone(), *namespaced));
    let (plural, namespaced) = plural.or_else(|| {
        guess
            .iter()
            .find_map(|one| built_in(group, version, one).filter(|found| found.kind == kind).map(|found| (found.plural, found.namespaced)))
    })?;
    let root = if group.is_empty() { "/api".to_owned() } else { format!("/apis/{group}") };
    let inside =
        if namespaced { format!("/namespaces/{}", object["metadata"]["namespace"].as_str().unwrap_or("default")) } else { String::new() };
    Some(format!("{root}/{version}{inside}/{plural}/{}", object["metadata"]["name"].as_str().unwrap()))
}

#[tokio::test]
async fn the_small_stack_comes_up_when_it_is_read_often_enough() {
    let sandbox = Sandbox::new().await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let kind = sandbox.kind.path.display().to_string();
    let config = format!(
        "kind: Cluster\nnodes:\n- extraPortMappings:\n  - {{listenAddress: 127.0.0.1, hostPort: {}, containerPort: 31080}}\n",
        sandbox.port
    );
    fs_err::write(sandbox.path().join("kind.yaml"), config).unwrap();
    run(
        &sandbox,
        &kind,
        &["create", "cluster", "--name", "quickstart", "--config", &sandbox.path().join("kind.yaml").display().to_string()],
    )
    .await
    .unwrap();
    sandbox.server.pace(Pace { webhook_lag: 2, ..Pace::default() });

    let all: Vec<Value> = documents();
    let plurals: Vec<(String, String, bool)> = all
        .iter()
        .filter(|one| one["kind"] == "CustomResourceDefinition")
        .map(|one| {
            let names = &one["spec"]["names"];
            (
                format!("{}/{}", one["spec"]["group"].as_str().unwrap(), names["kind"].as_str().unwrap()),
                names["plural"].as_str().unwrap().to_owned(),
                one["spec"]["scope"] == "Namespaced",
            )
        })
        .collect();
    let mut waiting: Vec<(String, Value)> = all
        .into_iter()
        .chain([json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kserve"}})])
        .filter_map(|mut one| {
            one["metadata"].as_object_mut().unwrap().retain(|_, value| !value.is_null());
            Some((path(&one, &plurals)?, one))
        })
        .collect();
    let isvc = json!({"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService", "metadata": {"name": "sklearn-iris", "namespace": "default"},
        "spec": {"predictor": {"model": {"runtime": "kserve-sklearnserver"}}}});
    waiting.push((path(&isvc, &plurals).unwrap(), isvc));
    let applied = waiting.clone();
    let base = sandbox.server.url();
    let mut webhook_refused = 0;
    for round in 0.. {
        assert!(round < 30, "not applied: {:?}", waiting.iter().map(|(path, _)| path).collect::<Vec<_>>());
        if waiting.is_empty() {
            break;
        }
        for (path, _) in &applied {
            ask(&client, &format!("{base}{path}"), "GET", "", &Value::Null).await;
        }
        let mut left = Vec::new();
        for (path, object) in waiting {
            let url = format!("{base}{path}?fieldManager=quickstart");
            let (code, said) = ask(&client, &url, "PATCH", "application/apply-patch+yaml", &object).await;
            webhook_refused += u32::from(said["message"].as_str().unwrap_or_default().contains("connection refused"));
            // A field that a controller has taken in the meantime is no failure here.
            if code >= 300 && code != 409 {
                left.push((path, object));
            }
        }
        waiting = left;
    }
    assert!(webhook_refused > 0, "the webhooks guard what they should");
    for _ in 0..4 {
        for (path, _) in &applied {
            ask(&client, &format!("{base}{path}"), "GET", "", &Value::Null).await;
        }
    }
    let get = |path: &str| sandbox.server.get(path).unwrap_or_else(|| panic!("{path} is missing"));
    let hooks = get("/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/istio-validator-istio-system");
    assert_eq!(hooks["webhooks"][0]["failurePolicy"], "Fail");
    let hooks = get("/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/inferenceservice.serving.kserve.io");
    assert!(hooks["webhooks"][0]["clientConfig"]["caBundle"].is_string(), "{hooks:#}");
    let isvc = get("/apis/serving.kserve.io/v1beta1/namespaces/default/inferenceservices/sklearn-iris");
    assert_eq!(isvc["status"]["url"], "http://sklearn-iris.default.example.com", "{isvc:#}");

    let refused = [
        (
            "/apis/cert-manager.io/v1/namespaces/default/issuers/probe",
            json!({"apiVersion": "cert-manager.io/v1", "kind": "Issuer", "spec": {}}),
            "webhook.cert-manager.io",
        ),
        (
            "/apis/serving.knative.dev/v1/namespaces/default/services/probe",
            json!({"apiVersion": "serving.knative.dev/v1", "kind": "Service", "spec": {}}),
            "validation.webhook.serving.knative.dev",
        ),
        (
            "/api/v1/namespaces/knative-serving/configmaps/config-autoscaler",
            json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"max-scale-limit": "nonsense"}}),
            "config.webhook.serving.knative.dev",
        ),
        (
            "/api/v1/namespaces/knative-serving/configmaps/config-istio",
            json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"external-gateways": "- name: [not a gateway"}}),
            "config.webhook.istio.networking.internal.knative.dev",
        ),
        (
            "/apis/serving.kserve.io/v1beta1/namespaces/default/inferenceservices/1bad",
            json!({"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService", "spec": {}}),
            "inferenceservice.kserve-webhook-server.validator",
        ),
        (
            "/apis/serving.kserve.io/v1alpha1/clusterservingruntimes/probe",
            json!({"apiVersion": "serving.kserve.io/v1alpha1", "kind": "ClusterServingRuntime", "spec": {"workerSpec": {"containers": [{"name": "a"}, {"name": "b"}]}}}),
            "clusterservingruntime.kserve-webhook-server.validator",
        ),
    ];
    for (path, object, webhook) in refused {
        let url = format!("{base}{path}?fieldManager=probe&dryRun=All&force=true");
        // Each webhook's lag has to be used up once.
        for _ in 0..2 {
            ask(&client, &url, "PATCH", "application/apply-patch+yaml", &object).await;
        }
        let (code, said) = ask(&client, &url, "PATCH", "application/apply-patch+yaml", &object).await;
        assert!(code == 400 || code == 403, "{webhook}: {said}");
        assert!(said["message"].as_str().unwrap().starts_with(&format!("admission webhook \"{webhook}\" denied the request: ")), "{said}");
    }

    let url = format!("http://127.0.0.1:{}/v1/models/sklearn-iris:predict", sandbox.port);
    let ask_model =
        || client.post(&url).header("host", "sklearn-iris.default.example.com").body(json!({"instances": [[1], [2]]}).to_string()).send();
    assert_eq!(ask_model().await.unwrap().text().await.unwrap(), r#"{"predictions":[1,1]}"#);
    run(&sandbox, &kind, &["delete", "cluster", "--name", "quickstart"]).await.unwrap();
    assert!(client.get(format!("{base}/version")).send().await.is_err(), "no cluster, no API server");
    sandbox.server.sync_gateway().await;
    assert!(!sandbox.gateway.listens().await);
}

async fn run(sandbox: &Sandbox, program: &str, args: &[&str]) -> Result<String, String> {
    let mut command = tokio::process::Command::new(program);
    command.args(args).env_clear().env("PATH", sandbox.path().join("bin")).env("HOME", sandbox.home());
    let output = command.stdin(std::process::Stdio::null()).output().await.unwrap();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    if output.status.success() { Ok(out) } else { Err(err) }
}

#[tokio::test]
async fn kind_keeps_a_users_own_contexts() {
    let sandbox = Sandbox::new().await;
    let kind = sandbox.kind.path.display().to_string();
    let theirs = sandbox.users_kubeconfig();
    let contexts = |path: &std::path::Path| {
        let config: kube::config::Kubeconfig = kube::config::Kubeconfig::read_from(path).unwrap();
        (config.contexts.iter().map(|one| one.name.clone()).collect::<Vec<_>>(), config.current_context)
    };
    assert_eq!(run(&sandbox, &kind, &["version"]).await.unwrap(), "kind v0.30.0 go1.24.6 linux/amd64\n");
    run(&sandbox, &kind, &["create", "cluster", "--name", "a"]).await.unwrap();
    assert_eq!(contexts(&theirs), (vec!["kind-a".to_owned(), "mine".to_owned()], Some("kind-a".to_owned())));
    assert!(run(&sandbox, &kind, &["create", "cluster", "--name", "a"]).await.unwrap_err().contains("already exist"));
    // The same file as another program would write it.
    let indented = fs_err::read_to_string(&theirs)
        .unwrap()
        .replace("\n- ", "\n  - ")
        .replace("\n  cluster:\n    server", "\n    cluster:\n      server");
    let indented = indented
        .replace("\n  context", "\n    context")
        .replace("\n  cluster: {", "\n    cluster: {")
        .replace("\n    cluster: mine\n    user: mine\n  name: mine", "\n      cluster: mine\n      user: mine\n    name: mine");
    let indented =
        indented.replace("\n  user", "\n    user").replace("\n    token", "\n      token").replace("6443\n  name", "6443\n    name");
    fs_err::write(&theirs, indented).unwrap();
    contexts(&theirs);
    run(&sandbox, &kind, &["export", "kubeconfig", "--name", "a"]).await.unwrap();
    assert_eq!(contexts(&theirs), (vec!["kind-a".to_owned(), "mine".to_owned()], Some("kind-a".to_owned())));
    run(&sandbox, &kind, &["delete", "cluster", "--name=a"]).await.unwrap();
    assert_eq!(contexts(&theirs), (vec!["mine".to_owned()], None));
    sandbox.kind.fail_create("ERROR: failed to create cluster: could not find a log line", true);
    assert!(run(&sandbox, &kind, &["create", "cluster", "--name", "b", "--retain"]).await.unwrap_err().contains("log line"));
    assert_eq!(sandbox.kind.state.clusters()[0].node(), "b-control-plane");
    assert_eq!(run(&sandbox, &kind, &["get", "clusters"]).await.unwrap(), "b\n");
    assert!(run(&sandbox, &kind, &["get", "kubeconfig", "--name", "b"]).await.unwrap().contains(&sandbox.server.url()));
}

#[tokio::test]
async fn bollard_understands_the_engine() {
    let sandbox = Sandbox::new().await;
    let docker = Docker::connect_with_unix(&sandbox.engine.host(), 5, bollard::API_DEFAULT_VERSION).unwrap();
    docker.ping().await.unwrap();
    assert_eq!(docker.info().await.unwrap().ncpu, Some(4));
    sandbox.kind.state.add("x", "kindest/node:v1.34.3");
    let filters = [("label".to_owned(), vec!["io.x-k8s.kind.cluster=x".to_owned()])].into();
    let options = bollard::query_parameters::ListContainersOptions { all: true, filters: Some(filters), ..Default::default() };
    assert_eq!(docker.list_containers(Some(options)).await.unwrap().len(), 1);
    docker.inspect_container("x-control-plane", None).await.unwrap();

    let archive = save(&[(Image::new("lab/a:1", "amd64"), vec!["lab/a:1".to_owned()])]);
    assert_eq!(execute(&docker, &["ctr", "-n", "k8s.io", "images", "import", "-"], &archive).await.1, Some(0));
    execute(&docker, &["ctr", "-n", "k8s.io", "images", "tag", "docker.io/lab/a:1", "quay.io/b@sha256:0"], b"").await;
    let (said, _) = execute(&docker, &["ctr", "-n", "k8s.io", "images", "ls", "-q"], b"").await;
    assert_eq!(said, "docker.io/lab/a:1\nquay.io/b@sha256:0\n");
    assert_eq!(sandbox.engine.ran()[0].stdin, super::faults::sha256(&archive));

    sandbox.engine.add_image("lab/c:1", "amd64");
    let id = docker.inspect_image("docker.io/lab/c:1").await.unwrap().id;
    let saved: Vec<_> = docker.export_image("lab/c:1").map(Result::unwrap).collect().await;
    sandbox.engine.state().images.clear();
    let saved: Vec<u8> = saved.concat();
    let body = bollard::body_full(saved.into());
    let loaded: Vec<_> = docker.import_image(bollard::query_parameters::ImportImageOptions::default(), body, None).collect().await;
    assert!(loaded.iter().all(Result::is_ok), "{loaded:?}");
    assert_eq!(docker.inspect_image("lab/c:1").await.unwrap().id, id);
    docker.remove_container("x-control-plane", None).await.unwrap();
    assert!(sandbox.kind.state.clusters().is_empty());
    assert_eq!(sandbox.engine.state().unknown, Vec::<String>::new());
}

async fn execute(docker: &Docker, argv: &[&str], stdin: &[u8]) -> (String, Option<i64>) {
    let options = CreateExecOptions {
        cmd: Some(argv.to_vec()),
        attach_stdin: Some(!stdin.is_empty()),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        ..Default::default()
    };
    let id = docker.create_exec("x-control-plane", options).await.unwrap().id;
    let StartExecResults::Attached { mut output, mut input } = docker.start_exec(&id, None).await.unwrap() else { panic!("detached") };
    input.write_all(stdin).await.unwrap();
    input.shutdown().await.unwrap();
    let mut said = String::new();
    while let Some(part) = output.next().await {
        said.push_str(&part.unwrap().to_string());
    }
    (said, docker.inspect_exec(&id).await.unwrap().exit_code)
}

#[test]
fn ports_are_given_once() {
    assert_ne!(free_port(), free_port());
}
