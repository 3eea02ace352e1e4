//! Everything that a run is told, resolved, with the place each value came from.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Serialize, Serializer};

use super::{
    Change, ClusterName, ConfigError, ConfigFile, DEFAULT_FILE, Environment, Ingress, Network, Paths, Profile, Resources, Scheme, Serving,
};
use crate::cli::{Cli, Span, Verb, parse_duration};

mod layers;

use layers::{Layers, List, Shown, is_url, port, profile, yes_or_no};

/// What is meant.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is an answer to a question of its own")]
pub struct Settings {
    /// Which cluster.
    pub name: ClusterName,
    /// How KServe deploys models.
    pub profile: Profile,
    /// What carries requests to Knative's routes.
    pub network: Network,
    /// How the gateway is to be spoken to, where that was said: the add-on of [`Scheme::ADDON`] decides.
    pub gateway: Option<Scheme>,
    /// Component → version, where one was asked for; the catalog decides whether there is such a thing.
    pub versions: BTreeMap<String, String>,
    /// The version set that was asked for.
    pub set: Option<String>,
    /// Add-ons; the catalog decides whether there are such.
    pub with: Vec<String>,
    /// Where the ingress listens on 127.0.0.1.
    pub port: u16,
    /// The port was asked for: if it is taken, that is an error, not a reason to look for another.
    pub port_explicit: bool,
    /// The bundle that everything comes from; a path that can be opened, or `oci://REGISTRY/NAME:TAG`.
    pub bundle: Option<PathBuf>,
    /// The registry that images are pulled from instead of their own, as it was written.
    pub mirror: Option<String>,
    /// Pull images ourselves, from the first moment on.
    pub prefetch: bool,
    /// Another node image.
    pub node_image: Option<String>,
    /// The kubectl context of a cluster that is there already.
    pub on: Option<String>,
    /// Install the demo model and make a prediction.
    pub demo: bool,
    /// How the ingress becomes reachable on 127.0.0.1.
    pub forward: Ingress,
    /// Leave kubectl's current context alone.
    pub keep_context: bool,
    /// Images outlive the cluster, in a volume of the engine.
    pub keep_images: bool,
    /// How long all of it may take.
    pub timeout: Duration,
    /// Run programs whose checksum is not known.
    pub accept_unpinned: bool,
    /// How models are served.
    pub serving: Serving,
    /// What single containers ask for and may take.
    pub resources: Vec<Resources>,
    /// Changes of objects, after all of ours.
    pub patches: Vec<Change>,
    /// Objects of the user's own, applied after all of ours.
    pub manifests: Vec<OwnManifest>,
    /// Where our files are.
    pub paths: Paths,
    /// The environment, for whoever needs another part of it.
    pub environment: Environment,
    /// Where each value came from, in the order of the fields.
    pub origins: Vec<Origin>,
}

/// A file of `manifests`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OwnManifest {
    /// As written.
    pub file: String,
    /// What is in it.
    #[serde(skip)]
    pub text: String,
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// As in `quickstart.yaml`: `name`, `versions.kserve`, `node.image`.
    pub key: String,
    /// As people write it.
    pub value: String,
    /// Who said so.
    pub source: Source,
}

/// Who said so; its text form is what `plan` prints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The command line: `flag`.
    Flag,
    /// `environment QUICKSTART_…`.
    Environment(String),
    /// `file PATH`.
    File(PathBuf),
    /// Something else that was said: `the cluster that is there`, `set kserve-0.10`.
    Implied(String),
    /// `default`.
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("flag"),
            Self::Environment(variable) => write!(f, "environment {variable}"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Implied(by) => f.write_str(by),
            Self::Default => f.write_str("default"),
        }
    }
}

impl Serialize for Source {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Settings {
    /// How long `up` may take where nothing else is said.
    pub const TIMEOUT: Duration = Duration::from_mins(15);
    /// The first port that is tried.
    pub const PORT: u16 = 8080;

    /// Puts the four sources together; reads the configuration file.
    ///
    /// # Errors
    /// Exit code 2: a value of any source that cannot be meant, or a file that cannot be read.
    pub fn resolve(cli: &Cli, environment: Environment) -> Result<Self, ConfigError> {
        let flags = cli.selection().unwrap_or_default();
        let (path, file) = find_file(cli.global.config.as_deref(), &environment)?;
        let paths = Paths::new(&environment)?;
        let mut layers = Layers { environment: &environment, path: path.as_deref(), origins: Vec::new() };

        let name_flag = cli.global.name.as_deref().map(ClusterName::new).transpose()?;
        let name = layers.value(
            "name",
            name_flag,
            layers.read("QUICKSTART_NAME", |text| ClusterName::new(text).map_err(|e| e.to_string()))?,
            file.name,
        );
        let profile = layers.value("profile", flags.profile, layers.read("QUICKSTART_PROFILE", profile)?, file.profile);
        let network = layers.value("ingress", flags.ingress, None, file.network);
        let gateway = layers.value("gateway.protocol", None, None, file.gateway);
        let named = flags.set.iter().find(|set| set.is_named()).map(|set| set.version.clone());
        let set = layers.value("set", named, layers.read("QUICKSTART_SET", |text| Ok(text.to_owned()))?, file.set);
        let with = layers.value(
            "with",
            (!flags.with.is_empty()).then(|| List::new(&flags.with)),
            layers.read("QUICKSTART_WITH", |text| Ok(List::new(text.split(','))))?,
            file.with.map(List::new),
        );
        let mut versions = BTreeMap::new();
        let single = flags.set.iter().filter(|set| !set.is_named());
        let asked: BTreeMap<&str, &str> = single.map(|set| (set.component.as_str(), set.version.as_str())).collect();
        let written: BTreeMap<&str, &str> =
            file.versions.iter().map(|(component, version)| (component.as_str(), version.as_str())).collect();
        for component in asked.keys().chain(written.keys()) {
            if !versions.contains_key(*component) {
                let pick = |from: &BTreeMap<&str, &str>| from.get(component).map(|version| (*version).to_owned());
                let version = layers.value(&format!("versions.{component}"), pick(&asked), None, pick(&written));
                versions.extend(version.map(|version| ((*component).to_owned(), version)));
            }
        }
        let port = layers.value("port", flags.port, layers.read("QUICKSTART_PORT", port)?, file.port);
        let here = |path: &Path| if is_url(path) { path.to_owned() } else { environment.directory.join(path) };
        let bundle = layers.value(
            "bundle",
            flags.bundle.as_deref().map(here).map(Shown),
            layers.read("QUICKSTART_BUNDLE", |text| Ok(Shown(here(Path::new(text)))))?,
            file.bundle.map(|bundle| Shown(beside(&here(path.as_deref().unwrap_or(Path::new(""))), &bundle, &environment))),
        );
        let mirror =
            layers.value("mirror", flags.mirror.clone(), layers.read("QUICKSTART_MIRROR", |text| Ok(text.to_owned()))?, file.mirror);
        let prefetch = layers.value("prefetch", flags.no_prefetch.then_some(false), None, file.prefetch);
        let node_image = layers.value(
            "node.image",
            flags.node_image.clone(),
            layers.read("QUICKSTART_NODE_IMAGE", |text| Ok(text.to_owned()))?,
            file.node_image,
        );
        let on = layers.value("on", flags.on.clone(), None, None);
        let demo = layers.value("demo", flags.without_demo.then_some(false), None, file.demo);
        let typed = flags.no_forward.then_some(Ingress::None).or(flags.forward.map(Ingress::from));
        let forward = layers.value("forward", typed, None, file.forward);
        let keep_context = layers.value("keepContext", flags.keep_context.then_some(true), None, file.keep_context);
        let keep_images = layers.value("keepImages", None, layers.read("QUICKSTART_KEEP_IMAGES", yes_or_no)?, file.keep_images);
        let timeout = layers.value(
            "timeout",
            flags.timeout.map(Span),
            layers.read("QUICKSTART_TIMEOUT", |text| parse_duration(text).map(Span))?,
            file.timeout.map(Span),
        );
        let accept_unpinned = layers.value("acceptUnpinned", flags.accept_unpinned.then_some(true), None, None);

        let port_explicit = port.is_some();
        let name = layers.or("name", name, ClusterName::default());
        let profile = layers.or("profile", profile, Profile::default());
        let network = network.unwrap_or_default();
        let port = layers.or("port", port, Self::PORT);
        let prefetch = layers.or("prefetch", prefetch, true);
        let demo = layers.or("demo", demo, true);
        let forward = layers.or("forward", forward, if on.is_some() { Ingress::Tunnel } else { Ingress::Mapped });
        let keep_context = layers.or("keepContext", keep_context, false);
        let keep_images = layers.or("keepImages", keep_images, true);
        let Span(timeout) = layers.or("timeout", timeout, Span(Self::TIMEOUT));
        let accept_unpinned = layers.or("acceptUnpinned", accept_unpinned, false);
        for (key, value) in file.serving.lines() {
            layers.value(&key, None, None, Some(value));
        }
        for resources in &file.resources {
            layers.value(&format!("resources.{}", resources.component), None, None, Some(resources.to_string()));
        }
        for change in &file.patches {
            let what = format!("{} {}", change.kind, change.name);
            layers.value(&format!("patches.{}", change.component), None, None, Some(what));
        }
        // `down` and `status` do not miss a file that they do not need.
        let needed = matches!(cli.verb, Verb::Up(_) | Verb::Plan(_) | Verb::Reset(_) | Verb::Config(_));
        let written = if needed { file.manifests.as_slice() } else { &[] };
        let manifests = own_manifests(written, path.as_deref(), &environment)?;
        for manifest in &manifests {
            layers.value("manifests", None, None, Some(manifest.file.clone()));
        }
        let origins = layers.sorted();
        Ok(Self {
            name,
            profile,
            network,
            gateway,
            versions,
            set,
            with: with.unwrap_or_default().0,
            port,
            port_explicit,
            bundle: bundle.map(|shown| shown.0),
            mirror,
            prefetch,
            node_image,
            on,
            demo,
            forward,
            keep_context,
            keep_images,
            timeout,
            accept_unpinned,
            serving: file.serving,
            resources: file.resources,
            patches: file.patches,
            manifests,
            paths,
            environment,
            origins,
        })
    }

    /// Nobody said which profile: it follows from something else.
    pub fn follow(&mut self, profile: Profile, by: &str) {
        if self.profile != profile && self.source("profile") == Some(&Source::Default) {
            self.profile = profile;
            for origin in self.origins.iter_mut().filter(|origin| origin.key == "profile") {
                (origin.value, origin.source) = (profile.to_string(), Source::Implied(by.to_owned()));
            }
        }
    }

    /// Where one value came from.
    pub fn source(&self, key: &str) -> Option<&Source> {
        self.origins.iter().find(|origin| origin.key == key).map(|origin| &origin.source)
    }
}

/// Read now, so that a missing file is told before anything is done.
fn own_manifests(written: &[PathBuf], file: Option<&Path>, environment: &Environment) -> Result<Vec<OwnManifest>, ConfigError> {
    let folder = environment.directory.join(file.and_then(Path::parent).unwrap_or(Path::new("")));
    let read = |written: &PathBuf| {
        let text =
            fs_err::read_to_string(folder.join(written)).map_err(|source| ConfigError::Manifest { path: written.clone(), source })?;
        Ok(OwnManifest { file: written.display().to_string(), text })
    };
    written.iter().map(read).collect()
}

/// `--config FILE`, which must be there, or `quickstart.yaml` of the current folder, which need not.
fn find_file(given: Option<&Path>, environment: &Environment) -> Result<(Option<PathBuf>, ConfigFile), ConfigError> {
    let shown = given.unwrap_or(Path::new(DEFAULT_FILE));
    let path = environment.directory.join(shown);
    if given.is_none() && !path.exists() {
        return Ok((None, ConfigFile::default()));
    }
    Ok((Some(shown.to_owned()), ConfigFile::read(&path, shown)?))
}

/// A path in a file starts at the file's folder, and no shell expands `~` there.
fn beside(file: &Path, path: &Path, environment: &Environment) -> PathBuf {
    match (path.strip_prefix("~"), &environment.home, file.parent()) {
        _ if is_url(path) => path.to_owned(),
        (Ok(below), Some(home), _) => home.join(below),
        (_, _, Some(folder)) => folder.join(path),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests;
