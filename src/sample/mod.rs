//! Samples: InferenceServices that come with the program, each with a proof of what it shows.
//!
//! They are plain manifests under `manifests/samples` that `kubectl apply` takes as well; [`index`] says what each proves and needs.
//! What differs from cluster to cluster is put in when they are applied: the namespace, the server's image, where the demo's model is.

mod bench;
pub mod canary;
mod error;
mod index;
pub mod init;
pub mod lint;
pub mod load;
mod manifest;
mod prove;
mod scale;
mod wait;

pub use bench::{Applied, Bench, NAMESPACE, label};
pub use error::SampleError;
pub use index::{Index, PodProof, Proof, Sample, SampleState, Scaling, Split, find, index};
pub use manifest::{Place, text};
pub use prove::{Proven, prove};
