//! What a cluster is being turned into something else from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::State;
use crate::plan::Plan;

/// A switch that has not ended: the state already says what the cluster is to be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switching {
    /// What may still be there of earlier profiles, oldest first.
    pub from: Vec<Shape>,
    /// Objects that the user has agreed to have made again or lost.
    #[serde(default)]
    pub agreed: Vec<String>,
}

/// What makes one profile of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// Profile.
    pub profile: String,
    /// Component → version.
    pub components: BTreeMap<String, String>,
}

impl Shape {
    /// Of a plan.
    pub fn of(plan: &Plan) -> Self {
        let components = plan.components.iter().map(|component| (component.name.clone(), component.version.clone())).collect();
        Self { profile: plan.profile.clone(), components }
    }
}

impl State {
    /// What a cluster may hold that this plan does not name: all shapes of a switch that has not ended, and the one that it was to get.
    pub fn former(&self, plan: &Plan) -> Vec<Shape> {
        let mut all = self.switching.as_ref().map(|switching| switching.from.clone()).unwrap_or_default();
        all.push(Shape { profile: self.profile.clone(), components: self.components.clone() });
        let mut found: Vec<Shape> = Vec::new();
        for shape in all.into_iter().filter(|shape| shape.profile != plan.profile) {
            found.retain(|known| *known != shape);
            found.push(shape);
        }
        found
    }
}
