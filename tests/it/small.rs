//! A machine with the small stack's bundle at hand: what most tests start from.

use std::{
    ops::{Deref, DerefMut},
    path::{Path, PathBuf},
};

use serde_json::Value;
use tokio::sync::OnceCell;

use crate::support::{
    api_server::Pace,
    sandbox::{Output, Sandbox},
};

/// A sandbox, a bundle, and the cluster's pace turned up: what is read once is ready.
pub(crate) struct Machine {
    sandbox: Sandbox,
    /// The bundle's path.
    pub(crate) bundle: String,
}

impl Deref for Machine {
    type Target = Sandbox;
    fn deref(&self) -> &Sandbox {
        &self.sandbox
    }
}

impl DerefMut for Machine {
    fn deref_mut(&mut self) -> &mut Sandbox {
        &mut self.sandbox
    }
}

impl Machine {
    pub(crate) async fn new() -> Self {
        let sandbox = Sandbox::new().await;
        sandbox.server.pace(Pace { crds: 0, deployments: 0, inference_services: 0, nodes: 0, webhook_lag: 0 });
        Self { sandbox, bundle: bundle().await.display().to_string() }
    }

    /// A machine on which `up` has run; the requests that it made are forgotten.
    pub(crate) async fn up_and_running() -> Self {
        let machine = Self::new().await;
        machine.up(&[]).await.expect(0);
        machine.server.forget_requests();
        machine
    }

    /// `up --bundle B --port P` and what else is said.
    pub(crate) async fn up(&self, more: &[&str]) -> Output {
        let arguments = self.arguments(more);
        self.quickstart(&texts(&arguments)).await
    }

    /// The same, not waited for.
    pub(crate) fn start(&self, more: &[&str]) -> tokio::process::Child {
        self.spawn(&texts(&self.arguments(more)))
    }

    /// `up` from a bundle of its own, which is gone afterwards.
    pub(crate) async fn up_from_a_bundle_that_goes(&self) {
        let own = self.home().join("own.tar");
        fs_err::copy(&self.bundle, &own).unwrap();
        let port = self.port.to_string();
        self.quickstart(&["up", "--bundle", &own.display().to_string(), "--port", &port]).await.expect(0);
        fs_err::remove_file(own).unwrap();
    }

    fn arguments(&self, more: &[&str]) -> Vec<String> {
        let port = self.port.to_string();
        ["up", "--bundle", &self.bundle, "--port", &port].iter().chain(more).map(|word| (*word).to_owned()).collect()
    }

    /// Creates an object as `kubectl create` would; the request is not counted as the program's.
    pub(crate) async fn create(&self, collection: &str, body: &Value) {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client.post(format!("{}{collection}", self.server.url())).header("content-type", "application/json");
        let answer = request.header("user-agent", "kubectl/v1.34").body(body.to_string()).send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{status}: {text}");
        self.server.forget_requests();
    }

    /// An InferenceService of the user's, ready when the controller says so.
    pub(crate) async fn model(&self, namespace: &str, name: &str, more: &Value) {
        let mut predictor = serde_json::json!({"minReplicas": 1,
            "model": {"modelFormat": {"name": "sklearn"}, "storageUri": "s3://models/mine", "runtime": "kserve-sklearnserver"}});
        for (key, value) in more.as_object().into_iter().flatten() {
            predictor[key] = value.clone();
        }
        let body = serde_json::json!({"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService",
            "metadata": {"name": name, "namespace": namespace, "annotations": {"mine": "kept"}}, "spec": {"predictor": predictor}});
        let collection = format!("/apis/serving.kserve.io/v1beta1/namespaces/{namespace}/inferenceservices");
        self.create(&collection, &body).await;
        // A read makes it ready.
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        client.get(format!("{}{collection}/{name}", self.server.url())).send().await.unwrap();
        self.server.forget_requests();
    }

    /// A bundle that brings everything but `kind`.
    pub(crate) async fn without_kind_in_bundle(&self) -> String {
        let spec = self.bundle_spec();
        let mut value: Value = serde_json::from_str(&fs_err::read_to_string(&spec).unwrap()).unwrap();
        value["kind"] = Value::Null;
        fs_err::write(&spec, value.to_string()).unwrap();
        let out = self.path().join("without-kind.tar").display().to_string();
        self.quickstart(&["bundle", "create", "--from", &spec.display().to_string(), &out]).await.expect(0);
        out
    }

    /// `~/.local/state/quickstart/quickstart`.
    pub(crate) fn state_folder(&self) -> PathBuf {
        self.home().join(".local/state/quickstart/quickstart")
    }

    /// `state.json`.
    pub(crate) fn state(&self) -> Value {
        serde_json::from_str(&fs_err::read_to_string(self.state_folder().join("state.json")).unwrap()).unwrap()
    }

    /// Changes `state.json`.
    pub(crate) fn edit_state(&self, change: impl FnOnce(&mut Value)) {
        let mut state = self.state();
        change(&mut state);
        fs_err::write(self.state_folder().join("state.json"), state.to_string()).unwrap();
    }

    /// What the engine and the server saw and did not know: a test that ends with something here lacks a piece of a fake.
    #[track_caller]
    pub(crate) fn knows_everything(&self) {
        assert_eq!(self.engine.state().unknown, Vec::<String>::new());
    }
}

/// One bundle for all tests of a run: making it takes longer than reading it.
async fn bundle() -> &'static Path {
    static BUNDLE: OnceCell<PathBuf> = OnceCell::const_new();
    BUNDLE
        .get_or_init(|| async {
            let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
            fs_err::create_dir_all(folder).unwrap();
            let sandbox = Sandbox::new().await;
            let (new, kept) = (folder.join(format!("small-{}.tar", std::process::id())), folder.join("small.tar"));
            fs_err::copy(sandbox.bundle().await, &new).unwrap();
            fs_err::rename(&new, &kept).unwrap();
            kept
        })
        .await
}

/// Strings as arguments.
pub(crate) fn texts(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

/// The events of one kind.
pub(crate) fn of<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["event"] == kind).collect()
}

/// The `error[ID]: …` of a run's standard error, or nothing.
pub(crate) fn error_id(output: &Output) -> Option<&str> {
    let line = output.stderr.lines().find(|line| line.starts_with("error["))?;
    line.strip_prefix("error[")?.split(']').next()
}

/// Fails with everything that was printed unless the run ended with this code and this ID, a cause or hint included.
#[track_caller]
pub(crate) fn refused(output: Output, code: i32, id: &str) -> Output {
    let output = output.expect(code);
    assert_eq!(error_id(&output), Some(id), "{}", output.text());
    assert!(output.stderr.lines().any(|line| line.starts_with("hint: ")), "no next step:\n{}", output.text());
    assert!(!output.stdout.contains("error["), "stdout is data:\n{}", output.text());
    output
}

/// All regular files below a folder with their contents.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs_err::read_dir(folder) else { return Vec::new() };
    entries.flatten().flat_map(|entry| if entry.path().is_dir() { files(&entry.path()) } else { vec![entry.path()] }).collect()
}

/// Sends a signal to a program that a test has started.
pub(crate) fn signal(child: &tokio::process::Child, signal: rustix::process::Signal) {
    let id = i32::try_from(child.id().unwrap()).unwrap();
    rustix::process::kill_process(rustix::process::Pid::from_raw(id).unwrap(), signal).unwrap();
}
