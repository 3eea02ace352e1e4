//! `up`.

use super::session::Session;
use super::story;
use crate::app::App;
use crate::cli::Up;
use crate::error::{Exit, Failure};

pub(super) async fn run(app: &App, arguments: &Up) -> Result<Exit, Failure> {
    let paths = app.settings.paths.cluster(&app.settings.name);
    let _lock = story::lock(app, &paths, "up", story::LOCK_PATIENCE).await?;
    let session = Session::open(app).await?;
    let state = session.begin()?;
    story::told(app, arguments.output, &paths, async |events| {
        story::started(events, "up", &session.plan);
        let context = story::context(session, state, events);
        story::stages(app, &context, events).await.map(Some)
    })
    .await
}
