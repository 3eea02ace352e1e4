//! What a session on somebody else's cluster has to know before its plan is made.

use crate::config::{Ingress, Settings, Source};
use crate::error::{Exit, Failure};
use crate::plan::{Plan, StageId, Target};
use crate::stages::{self, Who, survey};
use crate::state::State;

/// Something of ours may be on the existing cluster that this state is about.
pub(super) fn begun(state: &State) -> bool {
    state.context().is_some() && state.stages.contains_key(&StageId::Crds)
}

/// A name stands for one cluster: a command that names none goes on where the first one was, one that names another is refused.
pub(super) fn same_place(settings: &mut Settings, state: Option<&State>) -> Result<(), Failure> {
    let Some(state) = state.filter(|state| state.created || state.creating || begun(state)) else { return Ok(()) };
    let differs = |what: String| {
        let hint = format!("`--name OTHER` installs beside it; `quickstart down --name {}` takes it away", state.name);
        Err(Failure::new("CLUSTER_DIFFERS", Exit::Usage, what).hint(hint))
    };
    match settings.on.as_deref() {
        Some(wanted) if state.context().is_none() => {
            differs(format!("{} is a kind cluster of quickstart's, not context {wanted}", state.name))
        }
        Some(wanted) if state.target != wanted => differs(format!("{} is on context {}, not {wanted}", state.name, state.target)),
        None if state.context().is_some() => {
            settings.on = state.context().map(str::to_owned);
            if settings.source("forward") == Some(&Source::Default) {
                settings.forward = Ingress::Tunnel;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// The plan without components that are there and used as they are. A cluster that cannot be asked is no reason to show no plan: `up`
/// asks again, and says why.
pub(super) async fn using(settings: &Settings, plan: Plan, notes: &mut Vec<String>) -> Plan {
    let Target::Existing { context, .. } = &plan.target else { return plan };
    let looked = async {
        let cluster = stages::of_context(&settings.environment, context).await?;
        Ok::<_, Failure>(survey(&cluster, &plan).await?)
    };
    match looked.await {
        Ok(found) => {
            for one in &found {
                if let (Who::Theirs(theirs), None) = (&one.who, one.adopted()) {
                    notes.push(format!("{} is there already: {theirs}; `up` refuses", one.title));
                }
            }
            plan.using(found.iter().filter_map(stages::Found::adopted).collect())
        }
        Err(failure) => {
            notes.push(format!("context {context} cannot be asked what is there already: {}", failure.cause.unwrap_or(failure.what)));
            plan
        }
    }
}
