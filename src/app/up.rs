//! `up`.

use super::session::Session;
use super::story;
use crate::app::App;
use crate::cli::Up;
use crate::error::{Exit, Failure};
use crate::report::trace;
use crate::state::Lock;

pub(super) async fn run(app: &App, arguments: &Up) -> Result<Exit, Failure> {
    let paths = app.settings.paths.cluster(&app.settings.name);
    let told = |holder: &str| app.printer.talk(&format!("{holder} is at work on this cluster: waiting for it"));
    let _lock = Lock::take(&paths.lock, "up", story::LOCK_PATIENCE, &app.cancel, told).await?;
    trace(&paths.log, app.cli.global.verbose);
    let session = Session::open(app).await?;
    let state = session.begin()?;
    story::told(app, arguments.output, Some(&paths.events), async |events| {
        story::started(events, "up", &session.plan);
        let context = story::context(session, state, events);
        story::stages(app, &context, events).await.map(Some)
    })
    .await
}
