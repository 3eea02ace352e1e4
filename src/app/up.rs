//! `up`.

use super::join::{self, Source, Teller};
use super::session::Session;
use super::story;
use super::switch;
use crate::app::App;
use crate::cli::Up;
use crate::error::{Exit, Failure};
use crate::state::State;

pub(super) async fn run(app: &App, arguments: &Up) -> Result<Exit, Failure> {
    let paths = app.settings.paths.cluster(&app.settings.name);
    let joined = match arguments.join.as_deref() {
        Some(invitation) => Some(join::source(app, invitation, arguments.known_as.is_some()).await?),
        None => None,
    };
    let _lock = story::lock(app, &paths, "up", story::LOCK_PATIENCE).await?;
    let room = joined.as_ref().and_then(Source::room);
    let mut teller = room.zip(arguments.known_as.as_deref()).map(|(room, name)| Teller::new(room.clone(), name));
    let done = match open(app, joined.as_ref(), teller.as_mut()).await {
        Ok((mut session, state)) => {
            story::told_to(app, arguments.output, &paths, teller.as_mut(), async |events| {
                story::started(events, "up", &session.plan);
                let former = std::mem::take(&mut session.former);
                let before = session.state.clone().filter(|_| !former.is_empty());
                let context = story::context(session, before.unwrap_or_else(|| state.clone()), events);
                if !former.is_empty() {
                    Box::pin(switch::carry_out(app, &context, former, state, arguments.yes)).await?;
                }
                story::stages(app, &context, events).await.map(Some)
            })
            .await
        }
        Err(failure) => {
            if let Some(teller) = &mut teller {
                teller.failed(&failure);
            }
            Err(failure)
        }
    };
    if let Some(teller) = teller {
        teller.end().await;
    }
    done
}

/// What is known before anything is done; the room's bundle, where there is one, stands in the place of a typed one.
async fn open(app: &App, joined: Option<&Source>, teller: Option<&mut Teller>) -> Result<(Session, State), Failure> {
    let session = match joined {
        Some(source) => {
            let mut settings = app.settings.clone();
            settings.bundle = Some(join::bundle(app, source, teller).await?);
            Session::with(settings).await?
        }
        None => Session::open(app).await?,
    };
    let state = if session.former.is_empty() { session.begin()? } else { session.begun()? };
    Ok((session, state))
}
