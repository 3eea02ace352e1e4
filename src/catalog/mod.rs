//! Pinned inputs: which versions, which files, which images, and our few changes to them.

mod addons;
pub mod embedded;
mod error;
mod fields;
pub mod lines;
pub mod merge;
mod object;
mod overlay;
mod rest;
mod select;
mod target;
mod types;
pub mod yaml;

pub use error::CatalogError;
pub use fields::differing;
pub use object::{Gvk, Object, strip_nulls};
pub use overlay::{Embedded, Extra, NeverClaimed, OnCreate, Overlay, Overlays, Rule, Scope, patch, patch_text};
pub use rest::{Resource, RestMap, served_collections};
pub use select::Choice;
pub use target::Target;
pub use types::{
    Binary, Catalog, Component, ComponentVersion, File, Filter, Image, KindPins, KindVersion, KubernetesRange, Model, Node, Set,
};
