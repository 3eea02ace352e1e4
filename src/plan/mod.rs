//! The plan: a pure value. `plan` prints it, tests look at it, `up` carries it out.

mod assemble;
mod budget;
mod build;
mod caution;
mod check;
mod checks;
mod existing;
mod graph;
mod host;
mod https;
mod id;
mod marks;
mod pulls;
mod resources;
mod resume;
mod serving;
mod stage;
mod stages;
mod switch;
mod wave;

pub use assemble::{Assembled, Texts, assemble};
pub use budget::{Amount, Budget, Coverage, EngineSize, Expected, Found, Limit, Part, Pulls, Requests, budget};
pub use build::{DEMO, GATEWAY_NODE_PORT, build};
pub use caution::Beyond;
pub use check::{Check, Probe, Verdict};
pub use checks::addon as addon_checks;
pub use existing::{Adopted, MANAGED_BY, minor};
pub use graph::arrows;
pub use host::{Names, host, is_raw, said_host};
pub use https::CERTIFICATE;
pub use id::StageId;
pub use marks::{Mark, What};
pub use pulls::{PulledGroup, PulledImage, archive_name};
pub use stage::{Demo, Plan, PlannedBundle, PlannedComponent, PlannedFile, PlannedImage, Stage, Target};
pub use switch::{Fate, Switch, Switched};
pub use wave::{Wave, component as component_waves, foundation};
