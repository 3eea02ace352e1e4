//! All parts side by side, then one archive.

use std::time::Duration;

use serde_json::json;

use super::archive::{Out, Packed, files};
use super::staging::Staging;
use super::{LogsError, kubernetes, nodes};
use crate::bundle::Index;
use crate::catalog::Catalog;
use crate::cluster::Cluster;
use crate::config::{ClusterPaths, Settings};
use crate::docker::Engine;
use crate::doctor::{Place, look};
use crate::error::{Exit, Failure};
use crate::kind::Program;
use crate::plan::build;
use crate::stages::connect;
use crate::state::State;
use crate::status;

/// Bounds of the parts; they run side by side, so the longest is what all of it takes.
const ENGINE: Duration = Duration::from_secs(15);
const DOCTOR: Duration = Duration::from_secs(45);
const STATUS: Duration = Duration::from_secs(45);
const API: Duration = Duration::from_secs(10);
const CLUSTER: Duration = Duration::from_secs(55);
const NODES: Duration = Duration::from_secs(50);
/// Bytes of one file of the state folder: its end.
const STATE_FILE: u64 = 4 << 20;
/// Files and folders of the state folder that are packed; the kubeconfig, which holds keys, is not.
const STATE: &[&str] = &["state.json", "bundle.json", "events.jsonl", "quickstart.log", "forward.json", "forward.log", "kind-logs"];
/// Namespaces beside those of the components whose containers' logs are packed.
const NAMESPACES: &[&str] = &["kube-system", "kserve-test"];

const README: &str = "\
What `quickstart logs` gathered. Secrets, tokens, keys and passwords are replaced by [redacted], the home folder by ~.

MISSING.txt      parts that could not be had, with the reason; start there
status.json      what runs, what does not, and why (`quickstart status -o json`)
doctor.json      the machine (`quickstart doctor -o json`)
plan.json        what `up` would do (`quickstart plan -o json`)
versions.json    ours, kind's, the engine's, Kubernetes'
settings.json    what is meant, and who said so
state/           our own files of this cluster: journal, events, log
cluster/         events, objects, the end of each container's log
kind/            `kind export logs`: kubelet, containerd, journal, pods
";

/// What is known before anything is asked.
#[derive(Debug)]
pub struct Request<'a> {
    /// What is meant.
    pub settings: &'a Settings,
    /// The pins.
    pub catalog: &'a Catalog,
    /// The index of the bundle in use, or why it cannot be read; `None`: no bundle.
    pub bundle: Option<Result<&'a Index, Failure>>,
    /// The kind program.
    pub kind: Option<Program>,
    /// The name of the folder inside the archive.
    pub top: String,
}

/// Gathers all that can be had and packs it.
///
/// # Errors
/// Only that no archive can be written: what cannot be had is named in it.
pub async fn gather(request: &Request<'_>, out: Out) -> Result<Packed, LogsError> {
    let settings = request.settings;
    let paths = settings.paths.cluster(&settings.name);
    let failed = |source: std::io::Error| LogsError::Write { path: "the temporary folder".into(), source };
    let staging = Staging::new(settings.environment.home.as_deref()).map_err(failed)?;
    staging.text("README.txt", README.to_owned(), false).await;
    let state = read_state(&paths).await;
    let (engine, cluster) = tokio::join!(reach_engine(settings), reach_cluster(&paths, state.as_ref().ok().and_then(Option::as_ref)));
    tokio::join!(
        own(&staging, request, &paths),
        staging.within("versions.json", ENGINE, versions(&staging, request, &engine, &cluster)),
        staging.within("doctor.json", DOCTOR, doctor(&staging, request)),
        staging.within("status.json", STATUS, ask_status(&staging, request, &state, &cluster)),
        staging.within("cluster (some of its parts)", CLUSTER, of_cluster(&staging, request, &state, &cluster)),
        of_nodes(&staging, request, &state, &engine),
    );
    let missing = staging.all_missing();
    let list = if missing.is_empty() {
        "nothing is missing\n".to_owned()
    } else {
        missing.iter().fold(String::new(), |list, (part, why)| list + part + ": " + why + "\n")
    };
    staging.text("MISSING.txt", list, false).await;
    let top = request.top.clone();
    let packed = tokio::task::spawn_blocking(move || out.pack(&staging.packed(), &top, missing.len())).await;
    packed.unwrap_or_else(|error| Err(failed(std::io::Error::other(error))))
}

async fn read_state(paths: &ClusterPaths) -> Result<Option<State>, Failure> {
    let path = paths.state.clone();
    let read = tokio::task::spawn_blocking(move || State::read(&path).map_err(Failure::from)).await;
    read.unwrap_or_else(|error| Err(Failure::internal(error.to_string())))
}

async fn reach_engine(settings: &Settings) -> Result<Engine, Failure> {
    let late = |_| Err(Failure::new("ENGINE_UNREACHABLE", Exit::Prerequisite, format!("no answer within {} s", ENGINE.as_secs())));
    tokio::time::timeout(ENGINE, connect(&settings.environment)).await.unwrap_or_else(late)
}

/// The API server by our own kubeconfig, and its version.
/// A cluster that was there before is full of other people's objects and logs: those are not packed.
async fn reach_cluster(paths: &ClusterPaths, state: Option<&State>) -> Result<(Cluster, String), Failure> {
    if let Some(context) = state.and_then(State::context) {
        let what = format!("the cluster of context {context} is not quickstart's: what is in it is not packed");
        return Err(Failure::new("NOT_RUNNING", Exit::NotRunning, what));
    }
    if !paths.kubeconfig.exists() {
        return Err(Failure::new("NOT_RUNNING", Exit::NotRunning, "there is no such cluster, or it was never made"));
    }
    let asked = async {
        let cluster = Cluster::from_file(&paths.kubeconfig, None).await?;
        let version = cluster.version().await?;
        Ok((cluster, version))
    };
    let late =
        |_| Err(Failure::new("API_UNREACHABLE", Exit::NotRunning, format!("the API server does not answer within {} s", API.as_secs())));
    tokio::time::timeout(API, asked).await.unwrap_or_else(late)
}

/// What is ours: settings, plan, the state folder.
async fn own(staging: &Staging, request: &Request<'_>, paths: &ClusterPaths) {
    let settings = request.settings;
    let environment = &settings.environment;
    let shown = |path: &std::path::Path| path.display().to_string();
    let told = json!({
        "version": 1,
        "settings": settings.origins,
        "folders": {"cache": shown(&settings.paths.cache), "state": shown(&settings.paths.state)},
        "environment": {
            "docker_host": environment.docker_host, "docker_context": environment.docker_context,
            "kubeconfig": environment.kubeconfig.as_ref().map(|list| list.to_string_lossy()),
            "http_proxy": environment.proxies.http, "https_proxy": environment.proxies.https,
            "all_proxy": environment.proxies.all, "no_proxy": environment.proxies.none,
            "term": environment.term, "quickstart": environment.quickstart,
        },
    });
    staging.json("settings.json", &told).await;
    let plan = match &request.bundle {
        Some(Err(failure)) => Err(failure.clone()),
        bundle => {
            let index = bundle.as_ref().and_then(|bundle| bundle.as_ref().ok().copied());
            build(settings, request.catalog, index).map_err(Failure::from)
        }
    };
    staging.part("plan.json", plan).await;
    let folder = paths.folder.clone();
    let listed = tokio::task::spawn_blocking(move || files(&folder)).await.unwrap_or_default();
    if listed.is_empty() {
        staging.missing("state", "there is no state folder: no `up` has run for this cluster, or `down` took it away");
    }
    for path in listed {
        let Some(name) = path.strip_prefix(&paths.folder).ok().and_then(|name| name.to_str()).map(str::to_owned) else { continue };
        let first = name.split('/').next().unwrap_or_default();
        if STATE.contains(&first) {
            staging.file(&format!("state/{name}"), path, STATE_FILE).await;
        }
    }
}

async fn versions(
    staging: &Staging,
    request: &Request<'_>,
    engine: &Result<Engine, Failure>,
    cluster: &Result<(Cluster, String), Failure>,
) {
    let facts = match engine {
        Ok(engine) => engine.facts().await.map_err(Failure::from),
        Err(failure) => Err(failure.clone()),
    };
    if let Err(failure) = &facts {
        staging.failed("versions.json: engine", failure);
    }
    let system = fs_err::tokio::read_to_string("/etc/os-release").await.unwrap_or_default();
    let system = system.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=")).map(|name| name.trim_matches('"').to_owned());
    let known = json!({
        "version": 1,
        "quickstart": env!("CARGO_PKG_VERSION"),
        "os": std::env::consts::OS,
        "architecture": std::env::consts::ARCH,
        "system": system,
        "kind": request.kind.as_ref().map(|kind| json!({"version": kind.version.to_string(), "path": kind.path.display().to_string()})),
        "engine": facts.ok(),
        "engine_address": engine.as_ref().ok().map(|engine| engine.endpoint().host.clone()),
        "kubernetes": cluster.as_ref().ok().map(|(_, version)| version),
    });
    staging.json("versions.json", &known).await;
}

async fn doctor(staging: &Staging, request: &Request<'_>) {
    let place = Place { settings: request.settings, catalog: request.catalog, bundle: request.bundle.clone() };
    staging.part("doctor.json", Box::pin(look(&place)).await).await;
}

async fn ask_status(
    staging: &Staging,
    request: &Request<'_>,
    state: &Result<Option<State>, Failure>,
    cluster: &Result<(Cluster, String), Failure>,
) {
    const PART: &str = "status.json";
    match state {
        Err(failure) => staging.failed(PART, failure),
        Ok(None) => staging.missing(PART, &format!("there is no cluster {}", request.settings.name)),
        Ok(Some(state)) => {
            let cluster = cluster.as_ref().ok().map(|(cluster, _)| cluster);
            let tunnels = crate::forward::list(&request.settings.paths.cluster(&request.settings.name));
            staging.json(PART, &status::gather(cluster, state, tunnels, request.catalog, false).await).await;
        }
    }
}

async fn of_cluster(
    staging: &Staging,
    request: &Request<'_>,
    state: &Result<Option<State>, Failure>,
    cluster: &Result<(Cluster, String), Failure>,
) {
    let mut namespaces: Vec<String> = request.catalog.components.iter().map(|component| component.namespace.clone()).collect();
    namespaces.extend(NAMESPACES.iter().map(|name| (*name).to_owned()));
    namespaces.extend(state.as_ref().ok().and_then(Option::as_ref).map(|state| state.namespace().to_owned()));
    namespaces.sort();
    namespaces.dedup();
    match cluster {
        Ok((cluster, _)) => kubernetes::look(staging, cluster, &namespaces).await,
        Err(failure) => staging.failed("cluster", failure),
    }
}

/// Only of a cluster of ours; where our state cannot be read, its folder says that it is.
async fn of_nodes(staging: &Staging, request: &Request<'_>, state: &Result<Option<State>, Failure>, engine: &Result<Engine, Failure>) {
    let ours = state.as_ref().map_or(true, |state| state.as_ref().is_some_and(|state| state.created || state.creating));
    match engine {
        _ if !ours => staging.missing("kind", "quickstart has made no node for this cluster"),
        Err(failure) => staging.failed("kind", failure),
        Ok(engine) => nodes::export(staging, request.settings, engine, request.kind.as_ref(), NODES).await,
    }
}
