//! `plan`.

use std::sync::Arc;

use super::budget;
use super::session::Session;
use crate::app::App;
use crate::cli::{Plan as Arguments, PlanOutput};
use crate::error::{Exit, Failure};
use crate::event::Emitter;
use crate::fetch::Cache;
use crate::plan::{Budget, Plan, assemble};
use crate::report::{document, plan_tree};
use crate::stages::{Context, manifests};
use crate::state::State;

pub(super) async fn run(app: &App, arguments: &Arguments) -> Result<Exit, Failure> {
    let session = Session::open(app).await?;
    match arguments.output {
        PlanOutput::Tree => app.data(&plan_tree(&session.plan, &budget::of(&session).await?, app.printer.data_palette()))?,
        PlanOutput::Json => app.data(&document(&Priced { plan: &session.plan, budget: &budget::of(&session).await? })?)?,
        PlanOutput::Manifests => app.data(&objects(app, session).await?)?,
    }
    Ok(Exit::Ok)
}

/// `plan -o json`: the plan, and what it costs on this machine.
#[derive(serde::Serialize)]
struct Priced<'a> {
    #[serde(flatten)]
    plan: &'a Plan,
    budget: &'a Budget,
}

/// Exactly what would be applied, in order; needs the files, from the cache, the bundle or the network.
async fn objects(app: &App, session: Session) -> Result<String, Failure> {
    let Session { settings, paths, bundle, plan, .. } = session;
    let cache = Cache::new(&settings.paths.cache);
    let (events, _heard) = Emitter::new();
    let state = State::fresh(&plan);
    let context = Arc::new(Context::new(plan.clone(), settings, bundle, paths, events, state));
    context.unpack_small(&cache, &app.cancel).await?;
    let texts = manifests(&context, &cache, &app.cancel).await?;
    let assembled = assemble(&plan, &texts)?;
    let mut documents = Vec::new();
    let mut add = |wave: &crate::plan::Wave| documents.extend(wave.objects.iter().cloned());
    assembled.foundation().iter().for_each(&mut add);
    for component in &plan.components {
        assembled.waves(&plan, &component.name).iter().for_each(&mut add);
    }
    documents.extend(assembled.runtimes.iter().chain(&assembled.own).chain(&assembled.demo).cloned());
    let texts: Result<Vec<String>, _> = documents.iter().map(|document| serde_saphyr::to_string(&*document.whole())).collect();
    Ok(texts.map_err(|error| Failure::internal(error.to_string()))?.join("---\n"))
}
