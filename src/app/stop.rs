//! `stop`: the containers sleep, everything in them stays.

use std::time::Duration;

use super::session;
use crate::app::App;
use crate::cli::Stop;
use crate::error::{Exit, Failure};
use crate::event::EventKind;
use crate::forward;
use crate::lifecycle;
use crate::report::trace;
use crate::stages::connect;
use crate::state::Lock;

const LOCK_PATIENCE: Duration = Duration::from_secs(60);

pub(super) async fn run(app: &App, arguments: &Stop) -> Result<Exit, Failure> {
    let (state, paths) = session::existing(app)?;
    session::ours(&state, "stopped")?;
    let told = |holder: &str| app.printer.talk(&format!("{holder} is at work on this cluster: waiting for it"));
    let _lock = Lock::take(&paths.lock, "stop", LOCK_PATIENCE, &app.cancel, told).await?;
    trace(&paths.log, app.cli.global.verbose);
    super::story::told(app, arguments.output, Some(&paths.events), async |events| {
        events.tell(EventKind::RunStarted {
            verb: "stop".into(),
            cluster: state.name.clone(),
            set: String::new(),
            profile: String::new(),
            stages: Vec::new(),
        });
        let engine = connect(&app.settings.environment).await?;
        let nodes = engine.nodes(&state.name).await?;
        if nodes.is_empty() {
            return Err(session::gone(&state.name));
        }
        forward::suspend_all(&paths).await?;
        let stopped = lifecycle::stop(&engine, nodes).await?;
        events.note(match stopped.len() {
            0 => format!("{} is stopped already", state.name),
            _ => format!("stopped {}; `quickstart start{}` goes on", stopped.join(", "), session::named(&state.name)),
        });
        Ok(None)
    })
    .await
}
