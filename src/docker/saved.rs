//! An archive of `docker save`, written anew so that the same images are the same bytes. The engine lists its images as they come out of a
//! map, each time in another order; in Docker's classic form the order also decides which of two equal layers is a link to the other and what
//! the files beside them, for readers of 2015, say. Of that form only the list, the configurations and the layers are needed.

use std::collections::BTreeMap;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use serde_json::Value;

/// The list of Docker's own form, and that of an OCI layout, which has it as well.
const LIST: &str = "manifest.json";
const INDEX: &str = "index.json";
/// Most bytes of a list or of a configuration; real ones have a few thousand.
const MAX_JSON: u64 = 4 * 1024 * 1024;
/// Links that lead to links; the engine writes none.
const MAX_LINKS: usize = 4;

/// Where the bytes of a file of the new archive are.
#[derive(Clone, Debug)]
enum Piece {
    Text(String),
    Range { at: u64, size: u64 },
}

#[derive(Debug)]
enum Place {
    Here { at: u64, size: u64 },
    Link(PathBuf),
}

/// The files of an archive by path.
#[derive(Debug)]
struct Files {
    file: fs_err::File,
    places: BTreeMap<PathBuf, Place>,
}

/// Writes the images of the archive `from` to `to`; answers false, with nothing written, for an archive of a form that is not known.
pub(super) fn rewrite(from: &Path, to: &mut std::fs::File) -> io::Result<bool> {
    let mut files = Files::of(from)?;
    let Some(pieces) = files.pieces()? else { return Ok(false) };
    let mut archive = tar::Builder::new(io::BufWriter::new(to));
    for (path, piece) in pieces {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        match piece {
            Piece::Text(text) => {
                header.set_size(text.len() as u64);
                archive.append_data(&mut header, path, text.as_bytes())?;
            }
            Piece::Range { at, size } => {
                header.set_size(size);
                files.file.seek(SeekFrom::Start(at))?;
                archive.append_data(&mut header, path, (&mut files.file).take(size))?;
            }
        }
    }
    archive.into_inner()?.into_inner().map_err(io::IntoInnerError::into_error)?;
    Ok(true)
}

impl Files {
    fn of(archive: &Path) -> io::Result<Self> {
        let mut places = BTreeMap::new();
        for entry in tar::Archive::new(fs_err::File::open(archive)?).entries_with_seek()? {
            let entry = entry?;
            let path = entry.path()?.into_owned();
            let kind = entry.header().entry_type();
            if kind.is_file() {
                places.insert(path, Place::Here { at: entry.raw_file_position(), size: entry.size() });
            } else if let Some(target) = entry.link_name()?.filter(|_| kind.is_symlink()) {
                let to = normal(&path.parent().unwrap_or(Path::new("")).join(target));
                places.insert(path, Place::Link(to));
            }
        }
        Ok(Self { file: fs_err::File::open(archive)?, places })
    }

    /// Where a file's bytes are, also where it is a link.
    fn range(&self, path: &Path) -> Option<(u64, u64)> {
        let mut path = path;
        for _ in 0..=MAX_LINKS {
            match self.places.get(path)? {
                Place::Here { at, size } => return Some((*at, *size)),
                Place::Link(to) => path = to,
            }
        }
        None
    }

    fn text(&mut self, path: &str) -> io::Result<Option<String>> {
        let Some((at, size)) = self.range(Path::new(path)).filter(|(_, size)| *size <= MAX_JSON) else { return Ok(None) };
        let mut text = String::new();
        self.file.seek(SeekFrom::Start(at))?;
        (&mut self.file).take(size).read_to_string(&mut text)?;
        Ok(Some(text))
    }

    fn json(&mut self, path: &str) -> io::Result<Option<Value>> {
        Ok(self.text(path)?.and_then(|text| serde_json::from_str(&text).ok()))
    }

    /// The files of the new archive in their order.
    fn pieces(&mut self) -> io::Result<Option<BTreeMap<PathBuf, Piece>>> {
        let Some(mut list) = self.json(LIST)? else { return Ok(None) };
        let mut pieces = BTreeMap::new();
        if let Some(mut index) = self.json(INDEX)? {
            for (path, place) in &self.places {
                if let Place::Here { at, size } = *place {
                    pieces.insert(path.clone(), Piece::Range { at, size });
                }
            }
            if let Some(manifests) = index.get_mut("manifests") {
                sort(manifests);
            }
            pieces.insert(INDEX.into(), Piece::Text(index.to_string()));
        } else {
            for image in list.as_array_mut().into_iter().flatten() {
                let Some(own) = self.classic(image)? else { return Ok(None) };
                pieces.extend(own);
            }
        }
        sort(&mut list);
        pieces.insert(LIST.into(), Piece::Text(list.to_string()));
        Ok(Some(pieces))
    }

    /// Configuration and layers of one image of the classic form; each layer gets the name that its content has in the configuration.
    fn classic(&mut self, image: &mut Value) -> io::Result<Option<Vec<(PathBuf, Piece)>>> {
        let Some(path) = image.get("Config").and_then(Value::as_str).map(str::to_owned) else { return Ok(None) };
        let Some(text) = self.text(&path)? else { return Ok(None) };
        let Ok(config) = serde_json::from_str::<Value>(&text) else { return Ok(None) };
        let contents: Vec<&str> =
            config.pointer("/rootfs/diff_ids").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        let layers = image.get_mut("Layers").and_then(Value::as_array_mut);
        let Some(layers) = layers.filter(|layers| layers.len() == contents.len()) else { return Ok(None) };
        let mut pieces = vec![(PathBuf::from(path), Piece::Text(text))];
        for (layer, content) in layers.iter_mut().zip(contents) {
            let Some((at, size)) = layer.as_str().and_then(|layer| self.range(Path::new(layer))) else { return Ok(None) };
            let name = format!("{}/layer.tar", content.trim_start_matches("sha256:"));
            pieces.push((PathBuf::from(&name), Piece::Range { at, size }));
            *layer = name.into();
        }
        Ok(Some(pieces))
    }
}

/// Orders a list of images, and the names of each.
fn sort(images: &mut Value) {
    let Some(images) = images.as_array_mut() else { return };
    for names in images.iter_mut().filter_map(|image| image.get_mut("RepoTags")?.as_array_mut()) {
        names.sort_by_cached_key(ToString::to_string);
    }
    images.sort_by_cached_key(ToString::to_string);
}

/// Without `..`.
fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => drop(out.pop()),
            part => out.push(part),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    enum File<'a> {
        Text(&'a str, String),
        Link(&'a str, &'a str),
    }
    use File::{Link, Text};

    fn archive(files: &[File<'_>]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut archive = tar::Builder::new(file.reopen().unwrap());
        for (second, file) in (1..).zip(files) {
            let mut header = tar::Header::new_gnu();
            header.set_mtime(second);
            match file {
                Text(name, text) => {
                    header.set_size(text.len() as u64);
                    archive.append_data(&mut header, name, text.as_bytes()).unwrap();
                }
                Link(name, to) => {
                    header.set_entry_type(tar::EntryType::Symlink);
                    header.set_size(0);
                    archive.append_link(&mut header, name, to).unwrap();
                }
            }
        }
        archive.into_inner().unwrap();
        file
    }

    fn rewritten(files: &[File<'_>]) -> Option<Vec<u8>> {
        let out = tempfile::NamedTempFile::new().unwrap();
        rewrite(archive(files).path(), &mut out.reopen().unwrap()).unwrap().then(|| fs_err::read(out.path()).unwrap())
    }

    fn contents(archive: &[u8]) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        for entry in tar::Archive::new(archive).entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            found.insert(entry.path().unwrap().display().to_string(), text);
        }
        found
    }

    fn config(layers: &[&str]) -> String {
        serde_json::json!({"rootfs": {"type": "layers", "diff_ids": layers.iter().map(|id| format!("sha256:{id}")).collect::<Vec<_>>()}})
            .to_string()
    }

    /// Two bundles of the same images were two files: Docker 28 with its classic store had saved the images in another order, the file of a
    /// shared layer lay under the first image's name for it, and what was beside it said so.
    #[test]
    fn the_same_images_are_the_same_archive() {
        let list = |first: &str, second: &str| {
            let a = format!(r#"{{"Config":"a.json","RepoTags":["a:2","a:1"],"Layers":["{first}/layer.tar"]}}"#);
            let b = format!(r#"{{"Config":"b.json","RepoTags":null,"Layers":["{second}/layer.tar","top/layer.tar"]}}"#);
            (a, b)
        };
        let (a, b) = list("one", "two");
        let common = |order: String| {
            [Text("a.json", config(&["d1"])), Text("b.json", config(&["d1", "d2"])), Text("manifest.json", format!("[{order}]\n"))]
        };
        let top = || [Text("top/layer.tar", "top".into()), Text("top/json", "{}".into())];
        let mut one =
            vec![Text("one/layer.tar", "base".into()), Text("one/json", "of a".into()), Link("two/layer.tar", "../one/layer.tar")];
        one.extend(top());
        one.extend(common(format!("{a},{b}")));
        let mut other =
            vec![Link("one/layer.tar", "../two/layer.tar"), Text("two/layer.tar", "base".into()), Text("two/json", "of b".into())];
        other.extend(top());
        other.extend(common(format!("{b},{a}").replace(r#""a:2","a:1""#, r#""a:1","a:2""#)));
        let made = rewritten(&one).unwrap();
        assert_eq!(made, rewritten(&other).unwrap());
        let files = contents(&made);
        assert_eq!(files.keys().collect::<Vec<_>>(), ["a.json", "b.json", "d1/layer.tar", "d2/layer.tar", "manifest.json"]);
        assert_eq!((files["d1/layer.tar"].as_str(), files["d2/layer.tar"].as_str()), ("base", "top"));
        assert!(files["manifest.json"].contains(r#""Layers":["d1/layer.tar","d2/layer.tar"]"#), "layers lie on each other: {files:?}");
    }

    #[test]
    fn an_oci_layout_keeps_its_files() {
        let layout = |manifests: &str, order: &str| {
            [
                Text("blobs/sha256/aa", "blob".into()),
                Text("oci-layout", "{}".into()),
                Text("index.json", format!(r#"{{"manifests":[{manifests}]}}"#)),
                Text("manifest.json", format!("[{order}]")),
            ]
        };
        let made = rewritten(&layout(r#"{"digest":"1"},{"digest":"2"}"#, r#"{"Config":"blobs/sha256/aa"},{"Config":"b"}"#)).unwrap();
        assert_eq!(made, rewritten(&layout(r#"{"digest":"2"},{"digest":"1"}"#, r#"{"Config":"b"},{"Config":"blobs/sha256/aa"}"#)).unwrap());
        assert_eq!(contents(&made)["blobs/sha256/aa"], "blob");
    }

    #[test]
    fn an_archive_of_no_known_form_is_left_alone() {
        assert!(rewritten(&[Text("repositories", "{}".into())]).is_none());
        assert!(rewritten(&[Text("manifest.json", "no JSON".into())]).is_none());
        let list = r#"[{"Config":"a.json","Layers":["x/layer.tar"]}]"#;
        assert!(rewritten(&[Text("a.json", config(&[])), Text("x/layer.tar", "x".into()), Text("manifest.json", list.into())]).is_none());
        assert!(rewritten(&[Text("a.json", config(&["d1"])), Text("manifest.json", list.into())]).is_none(), "its layer is not there");
    }
}
