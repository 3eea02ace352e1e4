//! `image load`: images of the local engine, or of an archive, into the nodes, without a registry in between.
//!
//! Two things ask a registry for an image that is in the node already. Knative's controller asks for a tag's digest before it makes a
//! revision, except for registries in `registries-skipping-tag-resolving`; and the kubelet pulls `:latest` always unless told otherwise.
//! So an image of any other registry gets a second name under `dev.local`, which Knative skips, and `:latest` is pointed out.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use crate::cluster::Cluster;
use crate::docker::{ContainerStore, Engine, normalize_reference};
use crate::error::{Exit, Failure};
use crate::fetch::quiet;
use crate::rules;

const CONFIGURATION: &str = "/api/v1/namespaces/knative-serving/configmaps/config-deployment";
const SKIPPED: &str = "registries-skipping-tag-resolving";
/// Knative's own list where the key is not set (serving 1.21, pkg/deployment/config.go).
const DEFAULT: &str = "kind.local,ko.local,dev.local";

/// Where images come from.
#[derive(Clone, Debug)]
pub enum From {
    /// The engine has them under these names.
    Engine(Vec<String>),
    /// An archive as `docker save` writes it.
    Archive(PathBuf),
}

/// An image that is in the nodes now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Loaded {
    /// Its full name there.
    pub name: String,
    /// The name to write into an InferenceService: the same, or one that Knative does not ask a registry about.
    pub write: String,
    /// Whether the kubelet pulls it anyway unless `imagePullPolicy: IfNotPresent` is written beside it.
    pub always_pulled: bool,
}

/// Loads images into every node of a cluster. `folder`: where an archive may lie for a moment.
pub async fn load(
    engine: &Engine,
    nodes: &[String],
    cluster: Option<&Cluster>,
    from: &From,
    folder: &Path,
) -> Result<Vec<Loaded>, Failure> {
    let saved = tempfile::Builder::new().prefix("image-load-").tempdir_in(folder).map_err(|error| unwritable(folder, &error))?;
    let archive = match from {
        From::Archive(path) => path.clone(),
        From::Engine(names) => save(engine, names, &saved.path().join("images.tar")).await?,
    };
    let skipped = match cluster {
        Some(cluster) => skipped(cluster).await?,
        None => None,
    };
    let mut loaded = Vec::new();
    for node in nodes {
        let store = ContainerStore::open(engine, node).await?;
        let before = store.references().await?;
        let file = fs_err::tokio::File::open(&archive).await.map_err(|error| {
            Failure::new("USAGE", Exit::Usage, format!("{} cannot be read", archive.display()))
                .cause(error.to_string())
                .hint("`docker save IMAGE -o FILE` writes one")
        })?;
        store.import(file, &quiet).await?;
        let names: Vec<String> = match from {
            From::Engine(names) => names.iter().map(|name| normalize_reference(name)).collect(),
            // A name that was there before may have another image now; containerd does not say which names it took.
            From::Archive(_) => store.references().await?.difference(&before).filter(|name| is_a_name(name)).cloned().collect(),
        };
        loaded = names.into_iter().map(|name| one(name, skipped.as_deref())).collect();
        let further: Vec<(String, String)> =
            loaded.iter().filter(|image| image.name != image.write).map(|image| (image.name.clone(), image.write.clone())).collect();
        store.tag(&further).await?;
    }
    Ok(loaded)
}

/// `sha256:…` and `import-2026-…@sha256:…` are containerd's own.
fn is_a_name(name: &str) -> bool {
    name.contains('/') && !name.contains('@')
}

async fn save(engine: &Engine, names: &[String], to: &Path) -> Result<PathBuf, Failure> {
    for name in names {
        if engine.image_id(name).await?.is_none() {
            let failure = rules::rule("IMAGE_NOT_FOUND")
                .map(|rule| rule.failure(format!("the engine has no image {name}"), "it is neither built nor pulled"));
            let failure = failure.unwrap_or_else(|| Failure::internal("rule IMAGE_NOT_FOUND is missing"));
            return Err(Failure { exit: Exit::Prerequisite, ..failure }
                .hint(format!("`docker images` lists what it has; `docker build -t {name} FOLDER` or `docker pull {name}` makes it")));
        }
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    engine.export(&names, to, &quiet).await?;
    Ok(to.to_owned())
}

fn unwritable(folder: &Path, error: &std::io::Error) -> Failure {
    Failure::internal(format!("{} cannot hold the images for a moment: {error}", folder.display()))
}

/// Knative's list; `None` where there is no Knative, and nobody asks.
async fn skipped(cluster: &Cluster) -> Result<Option<String>, Failure> {
    let found = cluster.find(CONFIGURATION).await?;
    Ok(found.map(|configuration| {
        let list = configuration.pointer("/data").and_then(|data| data.get(SKIPPED)).and_then(Value::as_str);
        list.unwrap_or(DEFAULT).to_owned()
    }))
}

fn one(name: String, skipped: Option<&str>) -> Loaded {
    let (registry, rest) = name.split_once('/').unwrap_or(("docker.io", &name));
    // Knative knows Docker Hub under the name that its client library gives it.
    let known = if registry == "docker.io" { "index.docker.io" } else { registry };
    let asked = skipped.is_some_and(|list| !list.split(',').map(str::trim).any(|one| one == known || one == registry));
    let write = if asked && !name.contains('@') { format!("dev.local/{rest}") } else { name.clone() };
    let always_pulled = name.ends_with(":latest");
    Loaded { name, write, always_pulled }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(reference: &str, skipped: Option<&str>) -> (String, bool) {
        let loaded = one(normalize_reference(reference), skipped);
        (loaded.write, loaded.always_pulled)
    }

    /// An image that was in the node was not found: Knative asked its registry for the tag's digest (kserve#3689).
    #[test]
    fn an_image_whose_registry_knative_would_ask_gets_a_name_that_it_does_not_ask_about() {
        let ours = "kind.local,ko.local,dev.local,index.docker.io,docker.io";
        for (reference, skipped, name) in [
            ("dev.local/my-model:1", Some(DEFAULT), "dev.local/my-model:1"),
            ("my-model:1", Some(ours), "docker.io/library/my-model:1"),
            ("my-model:1", Some(DEFAULT), "dev.local/library/my-model:1"),
            ("ghcr.io/me/x:1", Some(ours), "dev.local/me/x:1"),
            ("localhost:5000/x:1", Some(ours), "dev.local/x:1"),
            ("ghcr.io/me/x:1", None, "ghcr.io/me/x:1"),
            ("ghcr.io/me/x:1", Some("dev.local, ghcr.io"), "ghcr.io/me/x:1"),
        ] {
            assert_eq!(written(reference, skipped), (name.to_owned(), false), "{reference}");
        }
        assert_eq!(written("x", Some(ours)), ("docker.io/library/x:latest".to_owned(), true));
    }

    #[test]
    fn containerds_own_names_are_nobodys() {
        assert!(is_a_name("docker.io/library/x:1") && !is_a_name("sha256:00ff") && !is_a_name("docker.io/library/import@sha256:00ff"));
    }
}
