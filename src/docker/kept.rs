//! Images that outlive their cluster: nodes keep them in one volume of the engine (`kept.sh` is its other half), so that `reset` and
//! the next `up` load nothing.
//!
//! kind gives every node an anonymous volume at /var that the engine fills from the image: a node image with all images inside makes
//! `kind create` slower by what it copies. Here the images lie below a mount of their own.

use std::collections::HashMap;
use std::time::Duration;

use super::{DockerError, Engine, Once};

/// The volume's name.
pub const VOLUME: &str = "quickstart-images";
/// On the volume and on the containers that work in it.
const LABEL: &str = "dev.kserve.quickstart.images";
const SCRIPT: &str = include_str!("kept.sh");
/// The first time a gigabyte may be copied, on a slow disk.
const PREPARED_WITHIN: Duration = Duration::from_mins(3);
const SHORT: Duration = Duration::from_mins(1);

/// Where a node finds its images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageStore {
    /// A folder on the engine's machine, for a mount at `/var/lib/containerd`.
    pub folder: String,
    /// MiB of images of an earlier cluster in it; `None`: it holds what the node image brought.
    pub kept: Option<u64>,
    /// The image to make the node of, where it is not the node image itself.
    pub node_image: Option<String>,
}

/// The kept images of one node image.
#[derive(Clone, Debug)]
pub struct KeptImages<'a> {
    engine: &'a Engine,
    node_image: String,
    key: String,
}

impl<'a> KeptImages<'a> {
    /// For a node image that the engine has; `None` where it has not, or where nodes cannot use the volume (user namespaces).
    pub async fn of(engine: &'a Engine, node_image: &str) -> Result<Option<Self>, DockerError> {
        let Some(id) = engine.image_id(node_image).await? else { return Ok(None) };
        let key = id.trim_start_matches("sha256:").chars().take(16).collect();
        Ok(Some(Self { engine, node_image: node_image.to_owned(), key }))
    }

    /// Makes the store of a cluster's node anew.
    pub async fn prepare(&self, cluster: &str) -> Result<ImageStore, DockerError> {
        let mount = self.mount().await?;
        let said = self.run(&mount, &["prepare", cluster, &self.key], PREPARED_WITHIN).await?;
        Ok(ImageStore {
            folder: format!("{mount}/nodes/{cluster}"),
            kept: said.trim().strip_prefix("kept ").and_then(|size| size.parse().ok()),
            node_image: None,
        })
    }

    /// The node image without the images that the store has; made where it is not there yet.
    pub async fn lean(&self) -> Result<String, DockerError> {
        self.engine.lean_image(&self.node_image, &self.key).await
    }

    /// The images of a cluster whose node is gone become those of the next one: what `names` says, and what the node image brought.
    /// With `wait` it is done when this returns, else the engine goes on alone.
    pub async fn keep(&self, cluster: &str, names: &[String], wait: bool) -> Result<(), DockerError> {
        let mount = self.mount().await?;
        let mut words = vec!["keep", cluster, &self.key];
        words.extend(names.iter().map(String::as_str));
        if wait {
            return self.run(&mount, &words, PREPARED_WITHIN).await.map(drop);
        }
        self.engine.once_alone(&self.container(&mount, &words)).await
    }

    /// The store of a cluster whose node is gone goes; nobody waits for it.
    pub async fn drop_of(&self, cluster: &str) -> Result<(), DockerError> {
        let mount = self.mount().await?;
        self.engine.once_alone(&self.container(&mount, &["drop", cluster])).await
    }

    /// Kept images that a node could not start with are not used again, nor is the node image that goes with them.
    pub async fn distrust(&self) -> Result<(), DockerError> {
        if let Err(error) = self.engine.remove_lean_images().await {
            tracing::warn!("{error}");
        }
        let mount = self.mount().await?;
        self.run(&mount, &["distrust", &self.key], SHORT).await.map(drop)
    }

    async fn mount(&self) -> Result<String, DockerError> {
        self.engine.volume(VOLUME, HashMap::from([(LABEL.to_owned(), "volume".to_owned())])).await
    }

    async fn run(&self, mount: &str, words: &[&str], within: Duration) -> Result<String, DockerError> {
        let container = self.container(mount, words);
        let ended = self.engine.once(&container, within).await?;
        ended.ok(&self.node_image, &[&["kept.sh"], words].concat())
    }

    fn container(&self, mount: &str, words: &[&str]) -> Once {
        let mut argv: Vec<String> = ["/bin/bash", "-c", SCRIPT, "kept.sh"].map(str::to_owned).into();
        argv.extend(words.iter().map(|&word| word.to_owned()));
        Once {
            image: self.node_image.clone(),
            argv,
            binds: vec![format!("{mount}:/images"), format!("{VOLUME}:/volume")],
            labels: HashMap::from([(LABEL.to_owned(), words.first().map_or("", |&verb| verb).to_owned())]),
            privileged: true,
        }
    }
}

impl Engine {
    /// Removes the volume, whoever still works in it first, and the node images that need it; answers whether there was a
    /// volume.
    pub async fn remove_kept_images(&self) -> Result<bool, DockerError> {
        let there = self.volume_exists(VOLUME).await?;
        if there {
            for container in self.with_label(LABEL).await? {
                self.remove(&container).await?;
            }
            self.remove_volume(VOLUME).await?;
        }
        self.remove_lean_images().await?;
        Ok(there)
    }
}
