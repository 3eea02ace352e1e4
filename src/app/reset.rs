//! `reset`: back to what `up` made, without a download and without losing what is the user's.

use std::io::{BufRead as _, IsTerminal as _};
use std::time::Duration;

use super::session::{self, Session};
use super::story;
use super::switch;
use crate::app::App;
use crate::bundle::Index;
use crate::cli::Reset;
use crate::cluster::Cluster;
use crate::error::{Exit, Failure};
use crate::forward;
use crate::kind::kubeconfig;
use crate::lifecycle::{self, KEPT, Kept};
use crate::stages::{Context, connect};
use crate::state::{ResetKind, State};

/// How long a cluster that is to be reset is asked what is in it.
const ASKED_WITHIN: Duration = Duration::from_secs(20);

pub(super) async fn run(app: &App, arguments: &Reset) -> Result<Exit, Failure> {
    let (state, paths) = session::existing(app)?;
    session::ours(&state, "reset")?;
    let verb = if arguments.stack { "reset --stack" } else { "reset" };
    let _lock = story::lock(app, &paths, verb, story::LOCK_PATIENCE).await?;
    let mut session = Session::again(app).await?;
    if !arguments.stack {
        at_hand(session.bundle.as_ref())?;
    }
    let kept = users(app, arguments, &session).await?;
    if let Some(kept) = &kept {
        kept.write(&paths.folder.join(KEPT))?;
    }
    session.settings.keep_context = !is_current(&session).await;
    let mut state = session.begin()?;
    state.resetting = Some(if arguments.stack { ResetKind::Stack } else { ResetKind::Cluster });
    state.write(&paths.state)?;
    story::told(app, arguments.output, &paths, async |events| {
        story::started(events, verb, &session.plan);
        let settings = session.settings.clone();
        if let Some(kept) = kept {
            events.note(format!("{} are kept in {}", kept.models().join(", "), paths.folder.join(KEPT).display()));
        }
        let context = if arguments.stack {
            let former = std::mem::take(&mut session.former);
            let context = story::context(session, state, events);
            Box::pin(switch::give_up(app, &context, &former)).await?;
            Box::pin(lifecycle::remove_stack(&context, arguments.patience, &app.cancel)).await?;
            forget(&context)?;
            context
        } else {
            let engine = connect(&settings.environment).await?;
            Box::pin(forward::suspend_all(&paths)).await?;
            Box::pin(lifecycle::remove_nodes(&engine, &settings.name, Some(&state))).await?;
            if let Some(sentence) = lifecycle::keep_images(&engine, &settings.name, Some(&state), true).await {
                events.note(sentence);
            }
            events.note(format!("cluster {} is gone: making it again", settings.name));
            story::context(session, begun_anew(state, &paths.state)?, events)
        };
        let outcome = Box::pin(story::stages(app, &context, events)).await?;
        story::tunnels(&context, &app.settings.name, events).await;
        Ok(Some(outcome))
    })
    .await
}

/// Nothing of the journal is true any more.
fn forget(context: &Context) -> Result<(), Failure> {
    context.change(|state| state.stages.clear())
}

fn begun_anew(mut state: State, path: &std::path::Path) -> Result<State, Failure> {
    state.created = false;
    state.switching = None;
    state.creating = false;
    state.stages.clear();
    state.write(path)?;
    Ok(state)
}

/// A cluster that came out of a bundle needs its images again, and they lie nowhere else.
fn at_hand(bundle: Option<&(Index, Option<std::path::PathBuf>)>) -> Result<(), Failure> {
    match bundle {
        Some((index, None)) if !index.images.is_empty() => {
            Err(Failure::new("BUNDLE_UNREADABLE", Exit::Usage, "the bundle that this cluster was made from is not there any more")
                .cause("a fresh node needs its images again; nothing was taken away")
                .hint("put it back where it was, or `quickstart reset --stack`, which keeps the node and its images"))
        }
        _ => Ok(()),
    }
}

/// What would be lost is said before anything is; answers what is to be kept.
async fn users(app: &App, arguments: &Reset, session: &Session) -> Result<Option<Kept>, Failure> {
    let file = session.paths.folder.join(KEPT);
    if let Some(kept) = Kept::read(&file)? {
        // An earlier reset wrote it and did not get to its end: this one does.
        app.printer.talk(&format!("{} still holds {}: they will be put back", file.display(), kept.models().join(", ")));
        return Ok(None);
    }
    let listed = match session::cluster(&session.paths).await {
        Ok(cluster) => match tokio::time::timeout(ASKED_WITHIN, listed(&cluster, session)).await {
            Ok(listed) => listed.map(|models| (cluster, models)),
            Err(_) => Err(Failure::new("API_UNREACHABLE", Exit::NotRunning, "the cluster does not answer")),
        },
        Err(failure) => Err(failure),
    };
    let (cluster, models) = match listed {
        Ok(listed) => listed,
        Err(failure) if arguments.keep_user => {
            return Err(Failure::new("NOT_RUNNING", Exit::NotRunning, "the cluster does not answer, so nothing of it can be kept")
                .cause(failure.what)
                .hint("`quickstart start` first; or `quickstart reset --yes`, which gives up what is in it"));
        }
        Err(_) if arguments.yes => return Ok(None),
        Err(failure) => {
            let mut lost = would_lose("the cluster does not answer: InferenceServices of yours in it would be lost");
            lost.cause = Some(failure.what);
            return agreed(app, lost).await.map(|()| None);
        }
    };
    if models.is_empty() {
        return Ok(None);
    }
    if arguments.keep_user {
        return Ok(Some(lifecycle::gather(&cluster, &models).await?));
    }
    let names: Vec<&str> = models.iter().map(|(name, _)| name.as_str()).collect();
    if !arguments.yes {
        let lost = would_lose(&format!("{} of yours would be lost", counted(names.len()))).cause(names.join(", "));
        agreed(app, lost).await?;
    }
    Ok(None)
}

async fn listed(cluster: &Cluster, session: &Session) -> Result<Vec<(String, serde_json::Value)>, Failure> {
    let demo = session.plan.demo.as_ref().map(|demo| (demo.namespace.as_str(), demo.name.as_str()));
    Ok(lifecycle::models(cluster, demo).await?)
}

fn counted(count: usize) -> String {
    if count == 1 { "1 InferenceService".to_owned() } else { format!("{count} InferenceServices") }
}

fn would_lose(what: &str) -> Failure {
    Failure::new("WOULD_LOSE", Exit::Usage, what).hint("--keep-user carries them over, --yes gives them up")
}

/// On a terminal a person decides; a script must have said so.
async fn agreed(app: &App, lost: Failure) -> Result<(), Failure> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Err(lost);
    }
    app.printer.talk(&format!("{}: {}", lost.what, lost.cause.clone().unwrap_or_default()));
    app.printer.talk("go on? Type yes to give them up (--keep-user would carry them over):");
    let answer = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).map(|_| line)
    });
    let answer = tokio::select! {
        () = app.cancel.cancelled() => return Err(crate::health::interrupted()),
        answer = answer => answer.ok().and_then(Result::ok).unwrap_or_default(),
    };
    if matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") { Ok(()) } else { Err(lost) }
}

/// Does the user work with this cluster right now? Otherwise kubectl's context is not ours to switch.
async fn is_current(session: &Session) -> bool {
    let environment = &session.settings.environment;
    let files = kubeconfig::files(environment.kubeconfig.as_deref(), environment.home.as_deref());
    let current = kubeconfig::current_context(&files).await.ok().flatten().map(|(context, _)| context);
    current.is_none_or(|current| current == session.settings.name.context())
}
