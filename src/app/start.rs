//! `start`: the containers run again, and what was in them is proven to work.

use super::session::{self, Session};
use super::story;
use crate::app::App;
use crate::cli::Start;
use crate::error::{Exit, Failure};
use crate::stages::Context;
use std::sync::Arc;

pub(super) async fn run(app: &App, arguments: &Start) -> Result<Exit, Failure> {
    let (state, paths) = session::existing(app)?;
    session::ours(&state, "started")?;
    let _lock = story::lock(app, &paths, "start", story::LOCK_PATIENCE).await?;
    // Read again: whoever held the lock may have changed it.
    let (state, _) = session::existing(app)?;
    if !state.created {
        return Err(session::gone(&state.name));
    }
    let session = Session::again(app).await?;
    let plan = session.plan.clone().resumed();
    story::told(app, arguments.output, &paths, async |events| {
        story::started(events, "start", &plan);
        let Session { settings, paths, bundle, .. } = session;
        let context = Arc::new(Context::new(plan, settings, bundle, paths, events.clone(), state).resuming());
        let outcome = Box::pin(story::stages(app, &context, events)).await?;
        story::tunnels(&context, &app.settings.name, events).await;
        Ok(Some(outcome))
    })
    .await
}
