//! `stop`: the containers sleep, everything in them stays.

use std::time::Duration;

use super::session;
use crate::app::App;
use crate::cli::Stop;
use crate::error::{Exit, Failure};
use crate::event::EventKind;
use crate::forward;
use crate::lifecycle;
use crate::stages::connect;

const LOCK_PATIENCE: Duration = Duration::from_secs(60);

pub(super) async fn run(app: &App, arguments: &Stop) -> Result<Exit, Failure> {
    let (state, paths) = session::existing(app)?;
    session::ours(&state, "stopped")?;
    let _lock = super::story::lock(app, &paths, "stop", LOCK_PATIENCE).await?;
    super::story::told(app, arguments.output, &paths, async |events| {
        events.tell(EventKind::RunStarted {
            verb: "stop".into(),
            cluster: state.name.clone(),
            set: String::new(),
            profile: String::new(),
            stages: Vec::new(),
            needs: std::collections::BTreeMap::new(),
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
