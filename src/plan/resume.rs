//! The plan of `start`: of the stages of `up` only their checks.

use super::{Plan, StageId};

impl Plan {
    /// The stages that prove what is there: nothing is fetched, nothing applied.
    #[must_use]
    pub fn resumed(mut self) -> Self {
        let proves =
            |id: &StageId| !matches!(id, StageId::Fetch | StageId::Kubeconfig | StageId::Pull(_) | StageId::Images(_) | StageId::Crds);
        self.stages.retain(|stage| proves(&stage.id));
        for stage in &mut self.stages {
            let all = std::mem::take(&mut stage.needs);
            let lost = all.iter().any(|need| !proves(need));
            stage.needs = all.into_iter().filter(proves).collect();
            // What waited for manifests or images now waits for the cluster itself.
            if lost && !matches!(stage.id, StageId::EngineCheck | StageId::Cluster) && !stage.needs.contains(&StageId::Cluster) {
                stage.needs.push(StageId::Cluster);
            }
        }
        self
    }
}
