//! The bundle that is served: looked through as a whole before the first byte goes out.

use std::io::Read as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::ServeError;
use super::registry::Registry;
use crate::bundle::{Bundle, BundleError, Index};

const BUFFER: usize = 1024 * 1024;

/// A verified bundle, and the images in it. The file stays open: what replaces it at its path is not served.
#[derive(Debug)]
pub struct Share {
    pub(super) file: fs_err::File,
    /// Bytes.
    pub size: u64,
    /// Of the whole file, in hexadecimal.
    pub sha256: String,
    /// What the bundle says of itself.
    pub index: Index,
    pub(super) registry: Registry,
}

/// Bytes of the served file, from `offset` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slice {
    pub(super) offset: u64,
    pub(super) size: u64,
}

impl Share {
    /// Reads all of a bundle: the sum of the whole, and every file against its own. Synchronous; a gigabyte takes about a second.
    pub fn open(path: &Path) -> Result<Self, ServeError> {
        let bundle = Bundle::open(path)?;
        let unreadable = |source| BundleError::Unreadable { path: path.to_owned(), source };
        let file = fs_err::File::open(path).map_err(unreadable)?;
        let (verified, summed) = std::thread::scope(|scope| {
            let summing = scope.spawn(|| sum(&file));
            (bundle.verify(|_, _| {}), summing.join())
        });
        verified?;
        let summed = summed.unwrap_or_else(|_| Err(std::io::Error::other("the sum could not be made")));
        let (sha256, size) = summed.map_err(unreadable)?;
        // A compressed bundle has its layers nowhere in one piece.
        let registry = if bundle.is_gzip() { Registry::default() } else { Registry::of(bundle.index(), path)? };
        Ok(Self { file, size, sha256, registry, index: bundle.into_index() })
    }

    /// How many images a node can pull from here.
    pub fn images(&self) -> usize {
        self.registry.images()
    }
}

fn sum(mut file: &fs_err::File) -> std::io::Result<(String, u64)> {
    let (mut sum, mut size, mut buffer) = (Sha256::new(), 0, vec![0; BUFFER]);
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok((hex::encode(sum.finalize()), size));
        }
        sum.update(&buffer[..count]);
        size += count as u64;
    }
}
