//! What most verbs start with: the state of the cluster, the bundle's index, the plan.

use std::path::PathBuf;

use serde_json::Value;

use super::bundle::{is_artifact, localize};
use super::existing;
use crate::app::App;
use crate::bundle::{Bundle, Index};
use crate::catalog::{embedded, yaml};
use crate::cli::Verb;
use crate::cluster::Cluster;
use crate::config::{ClusterPaths, Ingress, Network, Profile, Settings, Source};
use crate::error::{Exit, Failure};
use crate::kind::API_PORT;
use crate::plan::{GATEWAY_NODE_PORT, Plan, PlannedComponent, StageId, build};
use crate::registry::Mirror;
use crate::stages::{self, connect, free_port, owner, taken};
use crate::state::{State, Switching, persist};

mod remembered;

use remembered::{profile_of, remembered, shaped};

/// The bundle's index as it was when the cluster was made: a second `up` needs no bundle.
const INDEX: &str = "bundle.json";

/// What is known before anything is done.
pub(super) struct Session {
    pub(super) settings: Settings,
    pub(super) paths: ClusterPaths,
    pub(super) state: Option<State>,
    pub(super) bundle: Option<(Index, Option<PathBuf>)>,
    pub(super) plan: Plan,
    /// Plans of other profiles that the cluster has, or still has parts of: this is a switch.
    pub(super) former: Vec<Plan>,
    /// Something the user should hear before the run.
    pub(super) notes: Vec<String>,
}

impl Session {
    /// Reads the state, opens the bundle, makes the plan.
    pub(super) async fn open(app: &App) -> Result<Self, Failure> {
        Self::with(settings(app).await?).await
    }

    /// The same with settings that differ from what was typed.
    pub(super) async fn with(settings: Settings) -> Result<Self, Failure> {
        let paths = settings.paths.cluster(&settings.name);
        let state = State::read(&paths.state)?;
        // A reset that was interrupted: what it was about to make is what the cluster was, not what a bare `up` would make.
        match state {
            Some(state) if state.resetting.is_some() => Self::of(remembered(settings, &state), Some(state)).await,
            state => Self::of(settings, state).await,
        }
    }

    /// The same for the cluster as it was made: profile, versions, port and demo are those of the state.
    pub(super) async fn again(app: &App) -> Result<Self, Failure> {
        let (state, _) = existing(app)?;
        Self::of(remembered(settings(app).await?, &state), Some(state)).await
    }

    async fn of(mut settings: Settings, read: Option<State>) -> Result<Self, Failure> {
        let paths = settings.paths.cluster(&settings.name);
        let catalog = embedded::catalog()?;
        if let Some(state) = read.as_ref().filter(|state| state.created || existing::begun(state)) {
            settings.follow(profile_of(&state.profile), "the cluster that is there");
            if settings.profile == Profile::Serverless && settings.source("ingress").is_none() {
                settings.network = state.network();
            }
            // A newer program may have another default; one that it has forgotten is told below, by its versions.
            let known = catalog.set(Some(&state.set)).is_ok();
            settings.set = settings.set.take().or_else(|| Some(state.set.clone()).filter(|_| known));
            // The file that named them may be in another folder.
            let serving = &mut settings.serving;
            serving.domain = serving.domain.take().or_else(|| state.domain.clone());
            serving.namespace = serving.namespace.take().or_else(|| state.namespace.clone());
        }
        // Which way in a cluster has was decided when it was made.
        if read.as_ref().is_some_and(|state| state.ingress == Ingress::Tunnel) && settings.source("forward") == Some(&Source::Default) {
            settings.forward = Ingress::Tunnel;
        }
        existing::same_place(&mut settings, read.as_ref())?;
        let mut notes = Vec::new();
        let lost = if read.is_none() { lost(&settings, &paths).await } else { None };
        let bundle = bundle(&settings, &paths, read.as_ref(), lost.is_some()).await?;
        // The bundle's own node image is no other one, and may have to be loaded from it again.
        let own = bundle.as_ref().and_then(|(index, _)| index.node.as_ref()).map(|node| node.reference.as_str());
        if settings.node_image.is_some() && settings.node_image.as_deref() == own {
            settings.node_image = None;
        }
        settings.mirror.as_deref().map(Mirror::parse).transpose()?;
        if let Some(state) = &read {
            catalog.keep_addons(&mut settings.with, state.components.keys());
        }
        let mut plan = build(&settings, &catalog, bundle.as_ref().map(|(index, _)| index))?;
        plan = existing::using(&settings, plan, &mut notes).await;
        let state = read.or_else(|| {
            let port = lost?;
            notes.push(format!("the state of cluster {} was lost, and is made again from the cluster", settings.name));
            Some(State { created: true, port: Some(port), ..State::fresh(&plan) })
        });
        notes.extend(plan.cautions());
        let mut former = Vec::new();
        if let Some(state) = state.as_ref().filter(|state| state.created || existing::begun(state)) {
            same_cluster(state, &plan, &settings)?;
            for shape in state.former(&plan) {
                former.push(build(&shaped(&settings, &shape), &catalog, bundle.as_ref().map(|(index, _)| index))?);
            }
        }
        if let Some((index, _)) = bundle.as_ref().filter(|_| plan.is_local()) {
            notes.extend(addons_not_in(index, &plan, state.as_ref()));
        }
        if let Some(wanted) = plan.port() {
            let port = port(&settings, state.as_ref(), wanted, &mut notes)?;
            plan = plan.with_port(port);
        }
        Ok(Self { settings, paths, state, bundle, plan, former, notes })
    }

    /// Writes down what is about to be done.
    pub(super) fn begin(&self) -> Result<State, Failure> {
        let state = self.begun()?;
        state.write(&self.paths.state)?;
        Ok(state)
    }

    /// What is about to be done, for whoever writes it down later.
    pub(super) fn begun(&self) -> Result<State, Failure> {
        let mut state = self.state.clone().unwrap_or_else(|| State::fresh(&self.plan));
        let made_by = state.bundle.clone();
        if !self.former.is_empty() {
            let from = state.former(&self.plan);
            let agreed = state.switching.take().map(|switching| switching.agreed).unwrap_or_default();
            state.switching = Some(Switching { from, agreed });
        }
        state.take(&self.plan);
        state.bundle = self.bundle.as_ref().and_then(|(_, path)| path.as_ref()).map(|path| path.display().to_string()).or(made_by);
        self.keep_index()?;
        Ok(state)
    }

    /// Remembers the bundle's index beside the state.
    fn keep_index(&self) -> Result<(), Failure> {
        if let Some((index, _)) = &self.bundle {
            let text = serde_json::to_vec(index).map_err(|error| Failure::internal(error.to_string()))?;
            persist::write(&self.paths.folder.join(INDEX), &text, false).map_err(|error| Failure::internal(error.to_string()))?;
        }
        Ok(())
    }
}

/// The settings, with a bundle of a registry as a file of this machine. `plan` fetches none, and `start` needs none.
async fn settings(app: &App) -> Result<Settings, Failure> {
    let mut settings = app.settings.clone();
    match &app.cli.verb {
        Verb::Start(_) => settings.bundle = settings.bundle.filter(|path| !is_artifact(path)),
        verb => localize(app, &mut settings, !matches!(verb, Verb::Plan(_))).await?,
    }
    Ok(settings)
}

/// The mapped port of a cluster of ours whose `state.json` is gone: what proves it ours is the private kubeconfig beside it, which
/// names the API server's port of just that node.
async fn lost(settings: &Settings, paths: &ClusterPaths) -> Option<u16> {
    let ours: Value = yaml::parse(&fs_err::tokio::read_to_string(&paths.kubeconfig).await.ok()?, "kubeconfig").ok()?;
    let server = ours.pointer("/clusters/0/cluster/server")?.as_str()?;
    let engine = connect(&settings.environment).await.ok()?;
    let nodes = engine.nodes(settings.name.as_str()).await.ok()?;
    let node = nodes.iter().find(|node| node.host_port(API_PORT).is_some_and(|port| server.ends_with(&format!(":{port}"))))?;
    node.host_port(GATEWAY_NODE_PORT)
}

/// The named bundle, or the one that this cluster was made from.
async fn bundle(
    settings: &Settings,
    paths: &ClusterPaths,
    state: Option<&State>,
    lost: bool,
) -> Result<Option<(Index, Option<PathBuf>)>, Failure> {
    if let Some(path) = settings.bundle.clone() {
        let opened = tokio::task::spawn_blocking({
            let path = path.clone();
            move || Bundle::open(&path)
        })
        .await
        .map_err(|error| Failure::internal(error.to_string()))??;
        return Ok(Some((opened.index().clone(), Some(path))));
    }
    let kept = paths.folder.join(INDEX);
    if !(lost || state.is_some_and(|state| state.created || state.resetting.is_some() || existing::begun(state))) || !kept.exists() {
        return Ok(None);
    }
    let text = fs_err::tokio::read(&kept).await.map_err(|error| Failure::internal(error.to_string()))?;
    let index = serde_json::from_slice(&text).map_err(|error| {
        Failure::new("STATE_DAMAGED", Exit::Prerequisite, format!("{} cannot be read", kept.display()))
            .cause(error.to_string())
            .hint("name the bundle again with --bundle FILE")
    })?;
    let path = state.and_then(|state| state.bundle.clone()).map(PathBuf::from).filter(|path| path.exists());
    Ok(Some((index, path)))
}

/// Add-ons that are new here and whose images the bundle lacks: without a network they cannot start.
fn addons_not_in(index: &Index, plan: &Plan, state: Option<&State>) -> Vec<String> {
    let done = |name: &str| state.is_some_and(|state| state.created && state.stages.contains_key(&StageId::component(name)));
    let told = |component: &PlannedComponent| {
        let lacks = |reference: &&str| !index.images.iter().any(|image| image.reference == **reference);
        let lacking: Vec<&str> = component.images.iter().map(|image| image.reference.as_str()).filter(lacks).collect();
        (!lacking.is_empty()).then(|| {
            format!(
                "bundle {} does not hold {} of add-on {}: they are pulled, which needs a network",
                index.name,
                lacking.join(", "),
                component.name
            )
        })
    };
    plan.components.iter().filter(|component| component.addon && !done(&component.name)).filter_map(told).collect()
}

/// A cluster that exists keeps its versions, and one that somebody else made its profile.
fn same_cluster(state: &State, plan: &Plan, settings: &Settings) -> Result<(), Failure> {
    let differs = |what: &str, old: &str, new: &str| {
        Failure::new("CLUSTER_DIFFERS", Exit::Usage, format!("cluster {} has {what} {old}, not {new}", state.name))
            .hint(format!("`quickstart down --name {0}` and `up` again, or `up --name OTHER` beside it", state.name))
    };
    if state.profile != plan.profile && state.target != "kind" {
        return Err(differs("profile", &state.profile, &plan.profile));
    }
    let network = if plan.component("kourier").is_some() { Network::Kourier } else { Network::Istio };
    if state.profile == plan.profile && state.network() != network {
        return Err(differs("ingress", state.network().as_str(), network.as_str()));
    }
    if state.ingress == Ingress::Mapped && plan.ingress == Ingress::Tunnel {
        return Err(differs("a way in that is", "mapped", "a tunnel").hint("`quickstart forward start` opens a tunnel beside it"));
    }
    if plan.serving.namespace() != state.namespace() {
        return Err(differs("its demo in namespace", state.namespace(), plan.serving.namespace()));
    }
    for component in &plan.components {
        if let Some(old) = state.components.get(&component.name).filter(|old| **old != component.version) {
            return Err(differs(&component.title, old, &component.version));
        }
    }
    if let Some(image) = settings.node_image.as_ref().filter(|image| state.node_image.as_ref().is_some_and(|old| old != *image)) {
        return Err(differs("node image", state.node_image.as_deref().unwrap_or_default(), image));
    }
    Ok(())
}

/// The port of the cluster that exists; else the wanted one; else, if it was not asked for, the next free one.
fn port(settings: &Settings, state: Option<&State>, wanted: u16, notes: &mut Vec<String>) -> Result<u16, Failure> {
    let known = state.filter(|state| state.created || state.ingress == Ingress::Tunnel);
    if let Some(mapped) = known.and_then(|state| state.port) {
        if settings.port_explicit && wanted != mapped {
            return Err(Failure::new(
                "PORT_FIXED",
                Exit::Prerequisite,
                format!("cluster {} listens on 127.0.0.1:{mapped}, which cannot be changed to {wanted}", settings.name),
            )
            .hint(format!(
                "`quickstart forward start --port {wanted}` opens a second way in; `quickstart down` and `up --port {wanted}` moves the first"
            )));
        }
        return Ok(mapped);
    }
    // A run that was killed while it made the node leaves the node's own listener: stage `cluster` takes both away.
    if !taken(wanted) || state.is_some_and(|state| state.creating && state.port == Some(wanted)) {
        return Ok(wanted);
    }
    let by = owner(wanted).map(|owner| format!("{owner} listens there"));
    if settings.port_explicit {
        return Err(Failure::new("PORT_BUSY", Exit::Prerequisite, format!("127.0.0.1:{wanted} is taken"))
            .cause(by.unwrap_or_else(|| "another program listens there".into()))
            .hint("stop that program, or take another port with --port"));
    }
    let free = free_port(wanted).ok_or_else(|| {
        Failure::new("PORT_BUSY", Exit::Prerequisite, format!("no port is free from {wanted} upwards")).hint("name one with --port")
    })?;
    notes.push(format!("127.0.0.1:{wanted} is taken{}: this cluster uses {free}", by.map(|by| format!(" ({by})")).unwrap_or_default()));
    Ok(free)
}

/// Our own access to a cluster of ours: the private kubeconfig.
pub(super) async fn cluster(paths: &ClusterPaths) -> Result<Cluster, Failure> {
    Ok(Cluster::from_file(&paths.kubeconfig, None).await?)
}

/// Access to a cluster, ours or one that was there already, and the file to read again should its address change.
pub(super) async fn access(app: &App, state: &State, paths: &ClusterPaths) -> Result<(Cluster, Option<PathBuf>), Failure> {
    let cluster = stages::of_state(&app.settings.environment, paths, state).await?;
    Ok((cluster, state.context().is_none().then(|| paths.kubeconfig.clone())))
}

/// The state of the named cluster, or exit 6.
pub(super) fn existing(app: &App) -> Result<(State, ClusterPaths), Failure> {
    let paths = app.settings.paths.cluster(&app.settings.name);
    match State::read(&paths.state)? {
        Some(state) => Ok((state, paths)),
        None => Err(Failure::new("NOT_RUNNING", Exit::NotRunning, format!("there is no cluster {}", app.settings.name))
            .hint("`quickstart up` makes one")),
    }
}

/// A cluster that was there before us has its own people.
pub(super) fn ours(state: &State, done: &str) -> Result<(), Failure> {
    if state.target == "kind" {
        return Ok(());
    }
    Err(Failure::new("USAGE", Exit::Usage, format!("{} is not a cluster of quickstart's: it cannot be {done} from here", state.name))
        .hint(format!("context {} belongs to whoever made that cluster", state.target)))
}

/// There is a state and no container to it.
pub(super) fn gone(name: &str) -> Failure {
    Failure::new("NOT_RUNNING", Exit::NotRunning, format!("the containers of cluster {name} are gone"))
        .hint(format!("`quickstart up{}` makes them again", named(name)))
}

/// ` --name NAME`, where one must be said.
pub(super) fn named(name: &str) -> String {
    if name == crate::config::ClusterName::DEFAULT { String::new() } else { format!(" --name {name}") }
}
