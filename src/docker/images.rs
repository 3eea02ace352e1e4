//! Images of the engine: found, loaded, named, saved.

use std::path::Path;
use std::time::Duration;

use bollard::query_parameters::{ImportImageOptionsBuilder, TagImageOptionsBuilder};
use futures_util::StreamExt;
use tokio::io::AsyncRead;
use tokio_util::io::ReaderStream;

use super::{DockerError, Engine, saved};
use crate::fetch::{AtomicFile, OnBytes, Pulse};

const CHUNK: usize = 128 * 1024;
/// The daemon writes layers out before it says anything more; on a slow disk a large one takes minutes.
const IDLE: Duration = Duration::from_mins(10);

impl Engine {
    /// The ID of an image that the engine has.
    pub async fn image_id(&self, reference: &str) -> Result<Option<String>, DockerError> {
        match self.call(&format!("inspect image {reference}"), self.api.inspect_image(reference)).await {
            Ok(image) => Ok(image.id),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Loads an archive of `docker save` and answers with the names (or IDs) that the engine says it loaded.
    ///
    /// When `reader` fails, that is the error ([`DockerError::Io`]), whatever the engine thinks of the rest.
    pub async fn load<R>(&self, reader: R, on_bytes: OnBytes<'_>) -> Result<Vec<String>, DockerError>
    where
        R: AsyncRead + Send + Unpin + 'static,
    {
        let what = "load images into the engine";
        let pulse = Pulse::default();
        let (failed, mut failure) = tokio::sync::mpsc::channel(1);
        let counted = pulse.clone();
        let body = ReaderStream::with_capacity(reader, CHUNK).map(move |chunk| match chunk {
            Ok(bytes) => {
                counted.add(bytes.len());
                Ok(bytes)
            }
            Err(error) => {
                let text = error.to_string();
                let _ = failed.try_send(error);
                Err(std::io::Error::other(text))
            }
        });
        let options = ImportImageOptionsBuilder::default().build();
        let work = async {
            let mut answers = Box::pin(self.streams.import_image_stream(options, body, None));
            let mut loaded = Vec::new();
            while let Some(answer) = answers.next().await {
                let answer = answer.map_err(|error| self.error(what, &error))?;
                pulse.touch();
                if let Some(line) = answer.stream {
                    loaded.extend(loaded_image(&line));
                }
            }
            Ok(loaded)
        };
        let done = pulse.watch(IDLE, on_bytes, work).await.map_err(|idle| DockerError::Idle { what: what.to_owned(), idle });
        if let Ok(source) = failure.try_recv() {
            return Err(DockerError::Io { what: format!("{what}: read the archive"), source });
        }
        done?
    }

    /// Gives an image another name.
    pub async fn tag(&self, source: &str, reference: &str) -> Result<(), DockerError> {
        let (repository, tag) = split_tag(reference);
        let options = TagImageOptionsBuilder::default().repo(repository).tag(tag).build();
        self.call(&format!("tag image {source} as {reference}"), self.api.tag_image(source, Some(options))).await
    }

    /// Saves images under their names to a file, which appears when it is whole and synced; the same images are the same file. For a moment
    /// it takes twice its size.
    pub async fn export(&self, names: &[&str], to: &Path, on_bytes: OnBytes<'_>) -> Result<(), DockerError> {
        let what = format!("save {} images to {}", names.len(), to.display());
        let io = || DockerError::io(what.clone());
        let pulse = Pulse::default();
        let work = async {
            let mut file = AtomicFile::create(to).await.map_err(io())?;
            let mut archive = Box::pin(self.streams.export_images(names));
            while let Some(chunk) = archive.next().await {
                let chunk = chunk.map_err(|error| self.error(&what, &error))?;
                file.write_all(&chunk).await.map_err(io())?;
                pulse.add(chunk.len());
            }
            file.rewrite(saved::rewrite).await.map_err(io())?;
            file.commit(None).await.map_err(io())
        };
        pulse.watch(IDLE, on_bytes, work).await.map_err(|idle| DockerError::Idle { what: what.clone(), idle })?
    }
}

/// `Loaded image: x:1` or `Loaded image ID: sha256:…`.
pub(super) fn loaded_image(line: &str) -> Option<String> {
    let line = line.trim();
    line.strip_prefix("Loaded image: ").or_else(|| line.strip_prefix("Loaded image ID: ")).map(str::to_owned)
}

/// `localhost:5000/x` has no tag; `x:1` has one.
pub(super) fn split_tag(reference: &str) -> (&str, &str) {
    match reference.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, tag),
        _ => (reference, "latest"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_not_a_tag() {
        assert_eq!(split_tag("localhost:5000/x"), ("localhost:5000/x", "latest"));
        assert_eq!(split_tag("localhost:5000/x:1"), ("localhost:5000/x", "1"));
        assert_eq!(split_tag("lab/static:1"), ("lab/static", "1"));
    }

    #[test]
    fn the_engine_says_what_it_loaded() {
        assert_eq!(loaded_image("Loaded image: kserve/agent:v1\n").as_deref(), Some("kserve/agent:v1"));
        assert_eq!(loaded_image("Loaded image ID: sha256:00ff\n").as_deref(), Some("sha256:00ff"));
        assert_eq!(loaded_image("Loading layer"), None);
    }
}
