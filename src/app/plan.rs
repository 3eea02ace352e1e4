//! `plan`.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;

use super::budget;
use super::session::{self, Session, gone};
use super::switch;
use crate::app::App;
use crate::bundle::Index;
use crate::catalog::embedded;
use crate::cli::{Plan as Arguments, PlanOutput};
use crate::config::{ClusterPaths, Settings};
use crate::error::{Exit, Failure};
use crate::event::Emitter;
use crate::fetch::Cache;
use crate::plan::{Assembled, Budget, Plan, Switch, Target, assemble};
use crate::report::{self, document, plan_difference, plan_dot, plan_mermaid, plan_svg, plan_tree};
use crate::stages::{self, Context, Difference, compare};
use crate::state::State;

pub(super) async fn run(app: &App, arguments: &Arguments) -> Result<Exit, Failure> {
    if arguments.diff && !matches!(arguments.output, PlanOutput::Tree | PlanOutput::Json) {
        return Err(Failure::new("USAGE", Exit::Usage, "--diff goes with -o tree or -o json").hint("leave one of the two out"));
    }
    let session = Session::open(app).await?;
    if !session.plan.is_local() {
        session.notes.iter().for_each(|note| app.printer.talk(note));
    }
    if arguments.diff {
        return Box::pin(difference(app, session, arguments.output)).await;
    }
    match arguments.output {
        PlanOutput::Tree => {
            let tree = plan_tree(&session.plan, &budget::of(&session).await?, app.printer.data_palette());
            match switch::planned(&session).await {
                Some(switch) => app.data(&format!("{}\n{tree}", report::switch_lines(&switch)))?,
                None => app.data(&tree)?,
            }
        }
        PlanOutput::Json => {
            let switch = switch::planned(&session).await;
            app.data(&document(&Priced { plan: &session.plan, switch, budget: &budget::of(&session).await? })?)?;
        }
        PlanOutput::Mermaid => app.data(&plan_mermaid(&session.plan.stages))?,
        PlanOutput::Dot => app.data(&plan_dot(&session.plan.stages))?,
        PlanOutput::Svg => app.data(&plan_svg(&session.plan.stages))?,
        PlanOutput::Manifests => app.data(&Box::pin(manifests(app, session)).await?)?,
    }
    Ok(Exit::Ok)
}

/// `plan -o json`: the plan, and what it costs on this machine.
#[derive(serde::Serialize)]
struct Priced<'a> {
    #[serde(flatten)]
    plan: &'a Plan,
    /// The cluster that is there has another profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    switch: Option<Switch>,
    budget: &'a Budget,
}

/// Exactly what would be applied to a cluster that has none of it, in order.
async fn manifests(app: &App, session: Session) -> Result<String, Failure> {
    let plan = session.plan.clone();
    let assembled = objects(app, session).await?;
    let claimed = embedded::never_claimed()?;
    report::manifests(&assembled.in_order(&plan), &assembled.marks, |object| claimed.strip(object, None))
}

/// What `up` would change in the cluster that is there.
async fn difference(app: &App, session: Session, output: PlanOutput) -> Result<Exit, Failure> {
    let plan = session.plan.clone();
    let (state, paths) = match (&session.state, &plan.target) {
        (None, Target::Existing { .. }) => (State::fresh(&plan), session.paths.clone()),
        _ => session::existing(app)?,
    };
    if matches!(plan.target, Target::Kind { .. }) && !state.created {
        return Err(gone(&state.name));
    }
    let assembled = objects(app, session).await?;
    let (cluster, _) = session::access(app, &state, &paths).await?;
    let objects = stages::served(&cluster, &assembled.rest, assembled.in_order(&plan)).await?;
    let compared = compare(&cluster, &objects, &assembled.rest, &app.cancel).await?;
    let same = compared.iter().all(|one| one.difference == Difference::Same);
    let exit = if same { Exit::Ok } else { Exit::Degraded };
    if output == PlanOutput::Json {
        let whole = json!({"version": 1, "cluster": plan.cluster, "same": same, "exit": exit.code(), "objects": compared});
        app.data(&document(&whole)?)?;
    } else {
        app.data(&plan_difference(&compared, app.printer.data_palette()))?;
    }
    Ok(exit)
}

/// The plan's objects; needs the files, from the cache, the bundle or the network.
async fn objects(app: &App, session: Session) -> Result<Assembled, Failure> {
    let Session { settings, paths, bundle, plan, .. } = session;
    assembled(app, settings, paths, bundle, &plan).await
}

/// The objects of any plan.
pub(super) async fn assembled(
    app: &App,
    settings: Settings,
    paths: ClusterPaths,
    bundle: Option<(Index, Option<PathBuf>)>,
    plan: &Plan,
) -> Result<Assembled, Failure> {
    let cache = Cache::new(&settings.paths.cache);
    let (events, _heard) = Emitter::new();
    let state = State::fresh(plan);
    let context = Arc::new(Context::new(plan.clone(), settings, bundle, paths, events, state));
    context.unpack_small(&cache, &app.cancel).await?;
    let texts = stages::manifests(&context, &cache, &app.cancel).await.map_err(not_at_hand)?;
    let mut assembled = assemble(plan, &texts)?;
    stages::carry_model(&context, &mut assembled, &app.cancel).await?;
    Ok(assembled)
}

fn not_at_hand(mut failure: Failure) -> Failure {
    if failure.exit != Exit::Interrupted {
        let way = "the manifests are needed for this: name a bundle with --bundle FILE, or run it once with a network, and they stay in the cache";
        failure.hint = Some(failure.hint.map_or_else(|| way.to_owned(), |hint| format!("{hint}; {way}")));
    }
    failure
}
