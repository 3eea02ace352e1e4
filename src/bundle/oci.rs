//! An archive of images put together from blobs on disk while it is read: an OCI layout that `docker load` and containerd both take.
//!
//! Layers stay compressed as their registry had them, and one that several images share is there once. Nothing is copied before the bundle
//! itself is written.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::PathBuf;

use serde_json::{Value, json};

use super::frame::{BLOCK, header, padding};

/// A blob on disk, which its caller has verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OciBlob {
    /// In hexadecimal.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
    /// Where it is.
    pub path: PathBuf,
}

/// An image of one platform.
#[derive(Clone, Debug)]
pub struct OciImage {
    /// Its name in the archive, with a tag.
    pub name: String,
    /// The same as containerd writes it.
    pub full_name: String,
    /// GOARCH.
    pub architecture: String,
    /// Media type of the manifest.
    pub media_type: String,
    /// Its manifest.
    pub manifest: OciBlob,
    /// Its configuration.
    pub config: OciBlob,
    /// From the lowest to the uppermost.
    pub layers: Vec<OciBlob>,
}

/// The archive. The same images make the same bytes, in whatever order they come.
#[derive(Clone, Debug)]
pub struct OciArchive {
    names: Vec<String>,
    parts: Vec<Part>,
}

#[derive(Clone, Debug)]
enum Part {
    Bytes(Vec<u8>),
    File(OciBlob),
}

impl OciArchive {
    /// The archive of these images.
    pub fn new(mut images: Vec<OciImage>) -> io::Result<Self> {
        images.sort_by(|a, b| a.name.cmp(&b.name));
        let path = |blob: &OciBlob| format!("blobs/sha256/{}", blob.sha256);
        let index: Vec<Value> = images
            .iter()
            .map(|image| {
                let tag = image.full_name.rsplit_once(':').map_or("latest", |(_, tag)| tag);
                json!({"mediaType": image.media_type, "digest": format!("sha256:{}", image.manifest.sha256), "size": image.manifest.size,
                    "platform": {"architecture": image.architecture, "os": "linux"},
                    "annotations": {"io.containerd.image.name": image.full_name, "org.opencontainers.image.ref.name": tag}})
            })
            .collect();
        let saved: Vec<Value> = images
            .iter()
            .map(|image| json!({"Config": path(&image.config), "RepoTags": [image.name], "Layers": image.layers.iter().map(path).collect::<Vec<_>>()}))
            .collect();
        let mut archive = Self { names: images.iter().map(|image| image.name.clone()).collect(), parts: Vec::new() };
        archive.text("oci-layout", &json!({"imageLayoutVersion": "1.0.0"}))?;
        archive
            .text("index.json", &json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": index}))?;
        archive.text("manifest.json", &json!(saved))?;
        let mut blobs = BTreeMap::new();
        for image in images {
            for blob in [image.manifest, image.config].into_iter().chain(image.layers) {
                blobs.insert(blob.sha256.clone(), blob);
            }
        }
        for blob in blobs.into_values() {
            archive.parts.push(Part::Bytes(header(&path(&blob), blob.size)?.as_bytes().to_vec()));
            let rest = padding(blob.size);
            archive.parts.push(Part::File(blob));
            archive.parts.push(Part::Bytes(vec![0; rest]));
        }
        archive.parts.push(Part::Bytes(vec![0; 2 * BLOCK]));
        Ok(archive)
    }

    fn text(&mut self, path: &str, value: &Value) -> io::Result<()> {
        let text = value.to_string().into_bytes();
        let size = text.len() as u64;
        let mut bytes = header(path, size)?.as_bytes().to_vec();
        bytes.extend(text);
        bytes.resize(bytes.len() + padding(size), 0);
        self.parts.push(Part::Bytes(bytes));
        Ok(())
    }

    /// The names of its images.
    pub(super) fn names(&self) -> Vec<String> {
        self.names.clone()
    }

    /// Bytes.
    pub fn size(&self) -> u64 {
        self.parts.iter().map(Part::size).sum()
    }

    /// The blobs inside.
    pub fn blobs(&self) -> impl Iterator<Item = &OciBlob> {
        self.parts.iter().filter_map(|part| match part {
            Part::File(blob) => Some(blob),
            Part::Bytes(_) => None,
        })
    }

    /// Its bytes; one file is open at a time.
    pub fn open(&self) -> impl Read + '_ {
        Chain { parts: self.parts.iter(), current: None }
    }
}

impl Part {
    fn size(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File(blob) => blob.size,
        }
    }
}

struct Chain<'a> {
    parts: std::slice::Iter<'a, Part>,
    current: Option<Box<dyn Read + 'a>>,
}

impl Read for Chain<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(current) = &mut self.current {
                let count = current.read(buffer)?;
                if count > 0 || buffer.is_empty() {
                    return Ok(count);
                }
                self.current = None;
            }
            let Some(part) = self.parts.next() else { return Ok(0) };
            self.current = Some(match part {
                Part::Bytes(bytes) => Box::new(bytes.as_slice()),
                Part::File(blob) => Box::new(Exactly { file: fs_err::File::open(&blob.path)?, left: blob.size }),
            });
        }
    }
}

/// A file that must have just so many bytes: a header with its size stands before them already.
struct Exactly {
    file: fs_err::File,
    left: u64,
}

impl Read for Exactly {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)? as u64;
        if count > self.left || (count == 0 && self.left > 0 && !buffer.is_empty()) {
            let changed = format!("{} changed since it was verified", self.file.path().display());
            return Err(io::Error::new(io::ErrorKind::InvalidData, changed));
        }
        self.left -= count;
        Ok(usize::try_from(count).unwrap_or(buffer.len()))
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::*;

    fn blob(folder: &std::path::Path, bytes: &[u8]) -> OciBlob {
        let sha256 = hex::encode(Sha256::digest(bytes));
        let path = folder.join(&sha256);
        fs_err::write(&path, bytes).unwrap();
        OciBlob { sha256, size: bytes.len() as u64, path }
    }

    fn image(folder: &std::path::Path, name: &str, layers: &[&[u8]]) -> OciImage {
        let layers: Vec<OciBlob> = layers.iter().map(|bytes| blob(folder, bytes)).collect();
        let part = |blob: &OciBlob| json!({"digest": format!("sha256:{}", blob.sha256), "size": blob.size});
        let config = blob(folder, json!({"architecture": "amd64", "os": "linux", "name": name}).to_string().as_bytes());
        let manifest = json!({"config": part(&config), "layers": layers.iter().map(part).collect::<Vec<_>>()});
        OciImage {
            name: name.to_owned(),
            full_name: format!("docker.io/library/{name}"),
            architecture: "amd64".to_owned(),
            media_type: "application/vnd.oci.image.manifest.v1+json".to_owned(),
            manifest: blob(folder, manifest.to_string().as_bytes()),
            config,
            layers,
        }
    }

    fn bytes(archive: &OciArchive) -> Vec<u8> {
        let mut bytes = Vec::new();
        archive.open().read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn shared_layers_are_there_once_and_every_tar_program_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (image(folder.path(), "a:1", &[b"base", b"of a"]), image(folder.path(), "b:1", &[b"base", b"base", b""]));
        let archive = OciArchive::new(vec![b.clone(), a.clone()]).unwrap();
        let whole = bytes(&archive);
        assert_eq!(whole.len() as u64, archive.size());
        assert_eq!(whole, bytes(&OciArchive::new(vec![a, b]).unwrap()), "the order of the images changes nothing");
        let mut paths = Vec::new();
        for entry in tar::Archive::new(&whole[..]).entries().unwrap() {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().display().to_string();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            if let Some(sum) = path.strip_prefix("blobs/sha256/") {
                assert_eq!(sum, hex::encode(Sha256::digest(&bytes)));
            }
            paths.push(path);
        }
        assert_eq!((&paths[..3], paths.len()), (&["oci-layout", "index.json", "manifest.json"].map(str::to_owned)[..], 3 + 3 + 4));
        let file = folder.path().join("saved.tar");
        fs_err::write(&file, &whole).unwrap();
        assert_eq!(super::super::tags(&file).unwrap(), ["a:1", "b:1"]);
        assert!(!super::super::repair(&file, "amd64").unwrap(), "it is whole");
    }

    /// The size of a blob stands before it: a file that shrank or grew since would make every later entry unreadable.
    #[test]
    fn a_blob_that_changed_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let archive = OciArchive::new(vec![image(folder.path(), "a:1", &[b"a layer"])]).unwrap();
        let layer = folder.path().join(hex::encode(Sha256::digest(b"a layer")));
        for other in ["short", "longer than it was"] {
            fs_err::write(&layer, other).unwrap();
            assert!(archive.open().read_to_end(&mut Vec::new()).is_err(), "{other}");
        }
    }
}
