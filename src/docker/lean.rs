//! The node image without the images inside it.
//!
//! kind gives every node an anonymous volume at `/var` (kind, `pkg/cluster/internal/providers/docker/provision.go`), which the engine fills
//! with what the image has there: half a gigabyte and more of Kubernetes' own images, 2 to 3 seconds at every `kind create`, and as much disk
//! for every cluster. A node whose image store is mounted has them there already, so it is made of the same image with an empty
//! `/var/lib/containerd`.

use std::collections::HashMap;
use std::time::Duration;

use bollard::models::{ContainerConfig, ImageConfig};
use bollard::query_parameters::{ListImagesOptionsBuilder, RemoveImageOptions};

use super::{DockerError, Engine, Once};

/// The repository of such images in the engine; the tag is the key of the node image.
const REPOSITORY: &str = "quickstart/node";
/// On the image, and on the container that it is made from.
const LABEL: &str = "dev.kserve.quickstart.node";
/// Twenty thousand files are taken out, on a slow disk.
const EMPTIED_WITHIN: Duration = Duration::from_mins(1);

impl Engine {
    /// The node image `node_image`, whose ID begins with `key`, without the images inside; made where it is not there yet. Answers its name.
    pub(super) async fn lean_image(&self, node_image: &str, key: &str) -> Result<String, DockerError> {
        let name = format!("{REPOSITORY}:{key}");
        let wanted = self.configuration(node_image).await?;
        if let Ok(there) = self.configuration(&name).await {
            if starts_alike(&there, &wanted) {
                return Ok(name);
            }
            self.forget_image(&name).await?;
        }
        self.remove_lean_images().await.ok();
        let emptying = Once {
            image: node_image.to_owned(),
            argv: ["/bin/bash", "-c", "rm -rf /var/lib/containerd && mkdir -m 711 /var/lib/containerd"].map(str::to_owned).into(),
            binds: Vec::new(),
            labels: HashMap::from([(LABEL.to_owned(), "emptying".to_owned())]),
            privileged: false,
        };
        self.once_into(&emptying, EMPTIED_WITHIN, &name, container(&wanted)).await?;
        // An engine that takes the container's words for the image's would make nodes that never start.
        if starts_alike(&self.configuration(&name).await?, &wanted) {
            return Ok(name);
        }
        self.forget_image(&name).await?;
        let message = "the engine changes how an image starts when it makes one of a container".into();
        Err(DockerError::Refused { what: format!("make image {name}"), code: None, message })
    }

    /// Removes every such image that no node is made of.
    pub(super) async fn remove_lean_images(&self) -> Result<(), DockerError> {
        let filters = HashMap::from([("label".to_owned(), vec![LABEL.to_owned()])]);
        let options = ListImagesOptionsBuilder::default().filters(&filters).build();
        for image in self.call("list images", self.api.list_images(Some(options))).await? {
            for name in image.repo_tags.iter().filter(|name| name.starts_with(REPOSITORY)) {
                self.forget_image(name).await?;
            }
        }
        Ok(())
    }

    /// Removes it unless a container needs it.
    async fn forget_image(&self, name: &str) -> Result<(), DockerError> {
        match self.call(&format!("remove image {name}"), self.api.remove_image(name, None::<RemoveImageOptions>, None)).await {
            Err(error) if !error.is_not_found() && !error.is_conflict() => Err(error),
            _ => Ok(()),
        }
    }

    async fn configuration(&self, image: &str) -> Result<ImageConfig, DockerError> {
        let found = self.call(&format!("inspect image {image}"), self.api.inspect_image(image)).await?;
        Ok(found.config.unwrap_or_default())
    }
}

/// Does a container of the one start as one of the other?
fn starts_alike(one: &ImageConfig, other: &ImageConfig) -> bool {
    let set = |list: &Option<Vec<String>>| {
        let mut list = list.clone().unwrap_or_default();
        list.sort();
        list
    };
    one.entrypoint == other.entrypoint
        && one.cmd.clone().unwrap_or_default() == other.cmd.clone().unwrap_or_default()
        && one.stop_signal == other.stop_signal
        && set(&one.env) == set(&other.env)
}

/// What a container of the image would be made with.
fn container(image: &ImageConfig) -> ContainerConfig {
    let mut labels = image.labels.clone().unwrap_or_default();
    labels.insert(LABEL.to_owned(), "lean".to_owned());
    ContainerConfig {
        user: image.user.clone(),
        env: image.env.clone(),
        cmd: image.cmd.clone(),
        entrypoint: image.entrypoint.clone(),
        working_dir: image.working_dir.clone(),
        stop_signal: image.stop_signal.clone(),
        volumes: image.volumes.clone(),
        labels: Some(labels),
        ..ContainerConfig::default()
    }
}
