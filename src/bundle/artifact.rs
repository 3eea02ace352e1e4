//! A bundle in pieces, for registries: what is large in it (layers, above all) becomes blobs of their own, the rest is one blob, and a
//! recipe says how they make the same file again, byte for byte.
//!
//! Two bundles that share a layer share its blob, and so does a registry that has the image itself. Where the cuts are is no matter of
//! trust: whatever they are, the whole is compared with the recipe's sum.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tar::Header;

use super::extract::{beside, commit};
use super::frame::{BLOCK, padding};
use super::{Bundle, BundleError};

/// The version of recipes.
const VERSION: u32 = 1;
/// What is smaller goes into the one blob of all that is small.
const LARGE: u64 = 64 * 1024;
/// Most bytes of all that is small together; of a bundle with a thousand files it is a few megabytes.
const MAX_SMALL: u64 = 256 * 1024 * 1024;
const BUFFER: usize = 256 * 1024;

/// How pieces make a bundle.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Recipe {
    /// Format version; 1.
    pub version: u32,
    /// The bundle's name, for people.
    pub name: String,
    /// GOARCH.
    pub architecture: String,
    /// Of the whole bundle, in hexadecimal.
    pub sha256: String,
    /// Bytes of the whole bundle.
    pub size: u64,
    /// The blob of all that is small: its sum.
    pub small: String,
    /// One after the other.
    pub pieces: Vec<Piece>,
}

/// A piece of a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(untagged)]
pub enum Piece {
    /// A blob of its own.
    Blob {
        /// In hexadecimal.
        sha256: String,
        /// Bytes.
        size: u64,
    },
    /// The next so many bytes of what is small.
    Small {
        /// How many.
        small: u64,
    },
}

/// A bundle taken apart.
#[derive(Debug)]
pub struct Apart {
    /// How it goes together.
    pub recipe: Recipe,
    /// All that is small.
    pub small: Vec<u8>,
    /// By sum: where in the bundle it starts, and its size.
    pub blobs: BTreeMap<String, (u64, u64)>,
}

/// Takes a bundle apart; it is read once.
pub fn take_apart(path: &Path) -> Result<Apart, BundleError> {
    let bundle = Bundle::open(path)?;
    let reading = |source| BundleError::Read { at: path.display().to_string(), source };
    let mut file = BufReader::with_capacity(BUFFER, fs_err::File::open(path).map_err(reading)?);
    let size = file.get_ref().metadata().map_err(reading)?.len();
    // A compressed one is one piece: what is in it shows only when it is unpacked.
    let large = if bundle.is_gzip() { vec![(0, size)] } else { large(&mut file, size).map_err(reading)? };
    file.seek(SeekFrom::Start(0)).map_err(reading)?;
    let (mut whole, mut pieces, mut small, mut blobs) = (Sha256::new(), Vec::new(), Vec::new(), BTreeMap::new());
    let mut at = 0;
    for (start, length) in large.into_iter().chain([(size, 0)]) {
        let before = start - at;
        if small.len() as u64 + before > MAX_SMALL {
            return Err(BundleError::Bomb { reason: "more than 256 MiB of it are small files".into() });
        }
        if before > 0 {
            let from = small.len();
            file.by_ref().take(before).read_to_end(&mut small).map_err(reading)?;
            whole.update(&small[from..]);
            pieces.push(Piece::Small { small: before });
        }
        if length > 0 {
            let mut sum = Sha256::new();
            let read = copy(&mut file.by_ref().take(length), &mut |bytes| {
                sum.update(bytes);
                whole.update(bytes);
                Ok(())
            });
            if read.map_err(reading)? != length {
                return Err(BundleError::Truncated { at: path.display().to_string() });
            }
            let sha256 = hex::encode(sum.finalize());
            blobs.entry(sha256.clone()).or_insert((start, length));
            pieces.push(Piece::Blob { sha256, size: length });
        }
        at = start + length;
    }
    let index = bundle.index();
    let recipe = Recipe {
        version: VERSION,
        name: index.name.clone(),
        architecture: index.architecture.clone(),
        sha256: hex::encode(whole.finalize()),
        size,
        small: hex::encode(Sha256::digest(&small)),
        pieces,
    };
    Ok(Apart { recipe, small, blobs })
}

/// Reads a recipe that came from elsewhere.
pub fn recipe(bytes: &[u8]) -> Result<Recipe, BundleError> {
    const AT: &str = "the bundle's recipe";
    let recipe: Recipe = serde_json::from_slice(bytes).map_err(|error| BundleError::damaged(AT, error.to_string()))?;
    if recipe.version > VERSION {
        return Err(BundleError::Newer { found: recipe.version, known: VERSION });
    }
    let is_sum = |text: &str| text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let mut total = 0_u64;
    for piece in &recipe.pieces {
        let (sum, size) = match piece {
            Piece::Blob { sha256, size } => (sha256, *size),
            Piece::Small { small } => (&recipe.small, *small),
        };
        if !is_sum(sum) {
            return Err(BundleError::damaged(AT, "a sum is none"));
        }
        total = total.checked_add(size).ok_or_else(|| BundleError::damaged(AT, "more bytes than can be counted"))?;
    }
    if total != recipe.size || !is_sum(&recipe.sha256) || !is_sum(&recipe.small) {
        return Err(BundleError::damaged(AT, "its pieces are not the whole"));
    }
    Ok(recipe)
}

/// Puts the bundle together at `out`, which appears whole and verified or not at all. `place` says where a blob is.
pub fn put_together(recipe: &Recipe, place: &dyn Fn(&str) -> PathBuf, out: &Path) -> Result<(), BundleError> {
    let failed = || BundleError::write(format!("write bundle {}", out.display()));
    let open = |sum: &str| fs_err::File::open(place(sum)).map(|file| BufReader::with_capacity(BUFFER, file)).map_err(failed());
    let mut small = open(&recipe.small)?;
    let mut temporary = beside(out).map_err(failed())?;
    let mut whole = Sha256::new();
    for piece in &recipe.pieces {
        let mut write = |bytes: &[u8]| {
            whole.update(bytes);
            temporary.as_file_mut().write_all(bytes)
        };
        match piece {
            Piece::Small { small: count } => copy(&mut small.by_ref().take(*count), &mut write),
            Piece::Blob { sha256, size } => copy(&mut open(sha256)?.take(*size), &mut write),
        }
        .map_err(failed())?;
    }
    let found = hex::encode(whole.finalize());
    if found != recipe.sha256 {
        return Err(BundleError::Checksum { path: out.display().to_string(), expected: recipe.sha256.clone(), found });
    }
    commit(temporary, out, 0o644).map_err(failed())
}

fn copy(from: &mut dyn Read, to: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<u64> {
    let mut buffer = vec![0; BUFFER];
    let mut size = 0;
    loop {
        let count = from.read(&mut buffer)?;
        if count == 0 {
            return Ok(size);
        }
        to(&buffer[..count])?;
        size += count as u64;
    }
}

/// Where what is large starts, and its size: entries of the bundle, and of the archives of images the files in them.
fn large(file: &mut (impl Read + Seek), end: u64) -> io::Result<Vec<(u64, u64)>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some((path, start, size)) = entry(file, at, end)? {
        if path.starts_with("images/") || path.starts_with("node/") {
            let (mut inner, before) = (start, found.len());
            while let Some((_, start, size)) = entry(file, inner, at_most(start, size, end))? {
                if size >= LARGE {
                    found.push((start, size));
                }
                inner = behind(start, size);
            }
            if found.len() == before && size >= LARGE {
                found.push((start, size));
            }
        } else if size >= LARGE {
            found.push((start, size));
        }
        at = behind(start, size);
    }
    Ok(found)
}

fn behind(start: u64, size: u64) -> u64 {
    start + size + padding(size) as u64
}

fn at_most(start: u64, size: u64, end: u64) -> u64 {
    start.saturating_add(size).min(end)
}

/// Path, start and size of the entry whose header is at `at`; `None` where there is none that can be read.
fn entry(file: &mut (impl Read + Seek), at: u64, end: u64) -> io::Result<Option<(String, u64, u64)>> {
    let start = at.saturating_add(BLOCK as u64);
    if start > end {
        return Ok(None);
    }
    let mut header = Header::new_old();
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(header.as_mut_bytes())?;
    let sum: u32 =
        header.as_bytes().iter().enumerate().map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u32::from(*byte) }).sum();
    let size = header
        .entry_size()
        .ok()
        .filter(|size| header.cksum().ok() == Some(sum) && start.checked_add(*size).is_some_and(|behind| behind <= end));
    Ok(size.map(|size| (String::from_utf8_lossy(&header.path_bytes()).into_owned(), start, size)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::{INDEX_PATH, NODE_PATH};

    fn noise(seed: u32, length: usize) -> Vec<u8> {
        (0..length).map(|at| (Sha256::digest((seed, at / 32).1.to_le_bytes())[at % 32]) ^ seed.to_le_bytes()[0]).collect()
    }

    fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, bytes) in files {
            let mut header = Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            header.set_cksum();
            builder.append_data(&mut header, path, *bytes).unwrap();
        }
        builder.into_inner().unwrap()
    }

    #[test]
    fn layers_are_pieces_of_their_own_and_what_cannot_be_read_is_one() {
        let (a, b) = (noise(1, 100_000), noise(2, 70_000));
        let inner = tar(&[("index.json", b"{}"), ("blobs/sha256/a", &a), ("blobs/sha256/s", b"small"), ("blobs/sha256/b", &b)]);
        let node = noise(3, 90_000);
        let whole = tar(&[(INDEX_PATH, b"{}"), ("bin/kind", &a), (NODE_PATH, &node), ("images/istio.tar", &inner)]);
        let found = large(&mut io::Cursor::new(&whole), whole.len() as u64).unwrap();
        let bytes: Vec<&[u8]> =
            found.iter().map(|(start, size)| &whole[usize::try_from(*start).unwrap()..][..usize::try_from(*size).unwrap()]).collect();
        assert_eq!(bytes.len(), 4);
        assert!(bytes[0] == a && bytes[1] == node && bytes[2] == a && bytes[3] == b);
        // Any bytes at all can be cut: it is no reader that trusts.
        for end in [0, 100, 600, whole.len() - 1] {
            large(&mut io::Cursor::new(&whole[..end]), end as u64).unwrap();
        }
    }

    #[test]
    fn recipes_from_elsewhere_are_checked() {
        let zeros = "0".repeat(64);
        let good = Recipe {
            version: 1,
            name: "x".into(),
            architecture: "amd64".into(),
            sha256: zeros.clone(),
            size: 3,
            small: zeros.clone(),
            pieces: vec![Piece::Small { small: 1 }, Piece::Blob { sha256: zeros, size: 2 }],
        };
        let check = |change: &dyn Fn(&mut Recipe)| {
            let mut changed = good.clone();
            change(&mut changed);
            recipe(&serde_json::to_vec(&changed).unwrap())
        };
        assert_eq!(check(&|_| {}).unwrap().pieces, good.pieces);
        let bad: [&dyn Fn(&mut Recipe); 4] =
            [&|recipe| recipe.version = 2, &|recipe| recipe.size = 4, &|recipe| recipe.small = "../../etc/passwd".into(), &|recipe| {
                recipe.pieces[1] = Piece::Blob { sha256: "../x".into(), size: 2 }
            }];
        for change in bad {
            assert!(check(change).is_err());
        }
    }
}
