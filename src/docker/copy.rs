//! Files into a container.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use bollard::query_parameters::UploadToContainerOptionsBuilder;
use bytes::Bytes;

use super::{DockerError, Engine};

const MKDIR: Duration = Duration::from_secs(30);

/// A small file for a container: it is held in memory.
#[derive(Clone, Debug)]
pub struct ContainerFile {
    /// Relative to the folder, with `/`.
    pub path: String,
    /// What is in it.
    pub contents: Bytes,
    /// 0755 instead of 0644.
    pub executable: bool,
}

impl Engine {
    /// Puts files under a folder of a running container; folders that are missing are made, files that are there are replaced.
    ///
    /// The folder must not lie on a tmpfs (`/tmp`, `/run` of a kind node): the engine writes beneath such mounts.
    pub async fn copy_in(&self, container: &str, folder: &str, files: &[ContainerFile]) -> Result<(), DockerError> {
        let what = format!("copy files into {container}:{folder}");
        let archive = archive(files).map_err(DockerError::io(what.clone()))?;
        self.exec_ok(container, &["mkdir", "-p", folder], MKDIR).await?;
        let options = UploadToContainerOptionsBuilder::default().path(folder).build();
        self.call(&what, self.api.upload_to_container(container, Some(options), bollard::body_full(archive))).await
    }
}

fn archive(files: &[ContainerFile]) -> std::io::Result<Bytes> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut folders = BTreeSet::new();
    for file in files {
        for folder in Path::new(&file.path).ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty()) {
            folders.insert(folder.to_owned());
        }
    }
    let header = |kind, mode, size| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(size);
        header
    };
    for folder in folders {
        archive.append_data(&mut header(tar::EntryType::Directory, 0o755, 0), folder, std::io::empty())?;
    }
    for file in files {
        let mode = if file.executable { 0o755 } else { 0o644 };
        archive.append_data(&mut header(tar::EntryType::Regular, mode, file.contents.len() as u64), &file.path, &file.contents[..])?;
    }
    Ok(archive.into_inner()?.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_come_before_their_files_and_modes_are_set() {
        let file = |path: &str, executable| ContainerFile { path: path.into(), contents: Bytes::from_static(b"x"), executable };
        let bytes = archive(&[file("a/b/model.joblib", false), file("run", true)]).unwrap();
        let mut reader = tar::Archive::new(&bytes[..]);
        let entries: Vec<(String, u32)> = reader
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                (entry.path().unwrap().display().to_string(), entry.header().mode().unwrap())
            })
            .collect();
        let expected = [("a", 0o755), ("a/b", 0o755), ("a/b/model.joblib", 0o644), ("run", 0o755)];
        assert_eq!(entries, expected.map(|(path, mode)| (path.to_owned(), mode)));
        assert!(archive(&[file("../out", false)]).is_err());
    }
}
