//! Bundles: everything `up` needs in one file, version 1.
//!
//! A bundle is a tar, perhaps gzipped. Its first entry is `bundle.json` ([`Index`]); behind it follow exactly the entries of `files`, in
//! that order: `manifests/COMPONENT/FILE`, `manifests/catalog.yaml`, `bin/kind`, `node/image.tar`, `model/NAME/FILE`, `images/GROUP.tar`.
//! Reading and writing are synchronous and stream; callers on the runtime use `spawn_blocking`.

mod archive;
mod artifact;
mod check;
mod compose;
mod describe;
mod diff;
mod error;
mod extract;
mod frame;
mod layout;
mod oci;
mod path;
mod read;
mod seal;
mod spec;
mod write;

#[cfg(test)]
mod tests;

pub use archive::{repair, tags};
pub use artifact::{Apart, Piece, Recipe, put_together, recipe, take_apart};
pub use check::{MAX_FILES, MAX_INDEX, MAX_MANIFEST, MAX_PROGRAM};
pub use describe::{ImageSummary, ManifestSummary, NodeSummary, Section, Summary, describe};
pub use diff::{Change, Difference, diff};
pub use error::BundleError;
pub use layout::{Entry, Image, Index, Kind, KindSettings, Manifest, Model, Node, Origin, Patch, Spec, Substitute, VERSION};
pub use oci::{OciArchive, OciBlob, OciImage};
pub use path::{MAX_PATH, check_path};
pub use read::{Bundle, Sink};
pub use spec::GROUPS;
pub use write::{Phase, Progress, Saved, SavedImages, Sources, write};

/// The index's path in every bundle.
pub const INDEX_PATH: &str = "bundle.json";
/// Path of the catalog.
pub const CATALOG_PATH: &str = "manifests/catalog.yaml";
/// Path of the kind program.
pub const KIND_PATH: &str = "bin/kind";
/// Path of the node image's archive.
pub const NODE_PATH: &str = "node/image.tar";
