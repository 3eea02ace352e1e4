//! Another profile for a cluster of ours: shown, agreed to, begun. The stages of `up` do the rest.

use std::time::Duration;

use super::plan::assembled;
use super::session::{self, Session};
use crate::app::App;
use crate::cluster::Cluster;
use crate::docker::{ContainerStore, normalize_reference};
use crate::error::{Exit, Failure};
use crate::lifecycle::{self, KEPT, Kept};
use crate::plan::{Assembled, Fate, Plan, Switch, Switched};
use crate::report::switch_lines;
use crate::stages::Context;
use crate::state::{State, Switching};

/// How long the cluster is asked what is in it.
const ASKED_WITHIN: Duration = Duration::from_secs(20);

/// What `up` would switch, for `plan`; what is in a cluster that does not answer is left open.
pub(super) async fn planned(session: &Session) -> Option<Switch> {
    if session.former.is_empty() {
        return None;
    }
    let look = async {
        let cluster = session::cluster(&session.paths).await.ok()?;
        lifecycle::look(&cluster, &session.former, &session.plan).await.ok()
    };
    let looked = tokio::time::timeout(ASKED_WITHIN, look).await.ok().flatten();
    Some(looked.unwrap_or_else(|| Switch::new(&session.former, &session.plan)))
}

/// Asks, and only then begins: from the moment at which `begun` is written an `up` that is run again ends what was begun.
pub(super) async fn carry_out(app: &App, context: &Context, former: Vec<Plan>, begun: State, yes: bool) -> Result<(), Failure> {
    let old = objects(app, context, &former).await?;
    lifecycle::reach(context, &app.cancel).await?;
    let cluster = context.cluster()?;
    let switch = look(cluster, &former, &context.plan).await?;
    for line in switch_lines(&switch).lines() {
        context.events.note(line.to_owned());
    }
    let file = context.paths.folder.join(KEPT);
    let mut kept = Kept::read(&file)?.unwrap_or_default();
    let agreed = begun.switching.as_ref().map(|switching| switching.agreed.clone()).unwrap_or_default();
    let open: Vec<&Switched> = switch.affected().filter(|object| !agreed.contains(&object.full_name())).collect();
    if !open.is_empty() && !yes {
        return Err(would_touch(&switch, &open));
    }
    images_at_hand(context, &former).await?;
    kept.merge(lifecycle::keep_for_switch(cluster, &switch).await?);
    if !kept.objects.is_empty() {
        kept.write(&file)?;
        context.events.note(format!("{} are kept in {}", kept.models().join(", "), file.display()));
    }
    let agreed = agreed.into_iter().chain(open.iter().map(|object| object.full_name())).collect();
    context.change(|state| {
        let from = begun.switching.map(|switching| switching.from).unwrap_or_default();
        state.switching = Some(Switching { from, agreed });
        state.bundle = begun.bundle;
        state.take(&context.plan);
    })?;
    Box::pin(lifecycle::leave(context, &switch, &old, &app.cancel)).await
}

/// `reset --stack` in the middle of a switch: what is left of the old profile goes with the rest.
pub(super) async fn give_up(app: &App, context: &Context, former: &[Plan]) -> Result<(), Failure> {
    if former.is_empty() {
        return Ok(());
    }
    let old = objects(app, context, former).await?;
    lifecycle::reach(context, &app.cancel).await?;
    let switch = look(context.cluster()?, former, &context.plan).await?;
    Box::pin(lifecycle::leave(context, &switch, &old, &app.cancel)).await
}

async fn objects(app: &App, context: &Context, former: &[Plan]) -> Result<Vec<Assembled>, Failure> {
    let mut old = Vec::new();
    for plan in former {
        let bundle = context.bundle.clone().map(|index| (index, context.bundle_path.clone()));
        old.push(assembled(app, context.settings.clone(), context.paths.clone(), bundle, plan).await?);
    }
    Ok(old)
}

async fn look(cluster: &Cluster, former: &[Plan], plan: &Plan) -> Result<Switch, Failure> {
    match tokio::time::timeout(ASKED_WITHIN, lifecycle::look(cluster, former, plan)).await {
        Ok(looked) => Ok(looked?),
        Err(_) => {
            Err(Failure::new("API_UNREACHABLE", Exit::NotRunning, "the cluster does not answer, so nobody knows what a switch would touch")
                .hint("nothing was changed: `quickstart status` says what is wrong with it"))
        }
    }
}

/// Nothing was touched yet.
fn would_touch(switch: &Switch, open: &[&Switched]) -> Failure {
    let names = |fate: Fate| {
        let all: Vec<String> = open.iter().filter(|object| object.fate == fate).map(|object| object.full_name()).collect();
        (!all.is_empty()).then(|| all.join(", "))
    };
    let again = names(Fate::Recreated).map(|names| format!("made again in the other mode: {names}"));
    let lost = names(Fate::Lost).map(|names| format!("lost: {names}"));
    let what = format!("a switch from profile {} to {} touches what is yours", switch.from, switch.to);
    Failure::new("WOULD_LOSE", Exit::Usage, what).cause([again, lost].into_iter().flatten().collect::<Vec<_>>().join("; ")).hint(format!(
        "nothing was changed: `quickstart up --profile {} --yes` goes on; `quickstart plan --profile {}` shows all of it",
        switch.to, switch.to
    ))
}

/// The images of what comes are in the node or in a bundle that is still there.
async fn images_at_hand(context: &Context, former: &[Plan]) -> Result<(), Failure> {
    let Some(index) = context.bundle.as_ref().filter(|_| context.bundle_path.is_none()) else { return Ok(()) };
    let comes = |group: &str| context.plan.component(group).is_some() && former.iter().all(|plan| plan.component(group).is_none());
    let wanted: Vec<&str> = index.images.iter().filter(|image| comes(&image.group)).map(|image| image.reference.as_str()).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let store = ContainerStore::open(context.engine()?, context.node()?).await?;
    let present = store.references().await?;
    match wanted.into_iter().find(|reference| !present.contains(&normalize_reference(reference))) {
        None => Ok(()),
        Some(image) => {
            Err(Failure::new("BUNDLE_UNREADABLE", Exit::Usage, "the bundle that this cluster was made from is not there any more")
                .cause(format!("profile {} needs {image}, which the node has not; nothing was changed", context.plan.profile))
                .hint("put it back where it was, or name it with --bundle FILE"))
        }
    }
}
