//! `forward start|stop|status|run`.

use serde_json::json;

use super::{session, trust};
use crate::app::App;
use crate::catalog::embedded;
use crate::cli::{Detached, ForwardCommand, ForwardRun, ForwardStart, ForwardStop, ServicePort, TableOutput};
use crate::config::{ClusterPaths, Settings};
use crate::error::{Exit, Failure};
use crate::forward::{self, Alive, Port, Service, Start, Tunnel, Word};
use crate::plan::DEMO;
use crate::predict::{Protocol, Request};
use crate::report::{document, tunnels};
use crate::state::State;

pub(super) async fn run(app: &App, command: &ForwardCommand) -> Result<Exit, Failure> {
    match command {
        ForwardCommand::Start(arguments) => start(app, arguments).await,
        ForwardCommand::Stop(arguments) => stop(app, arguments).await,
        ForwardCommand::Status(arguments) => status(app, arguments.output),
        ForwardCommand::Run(arguments) => match arguments.detached {
            Some(port) => background(app, arguments, port).await,
            None => foreground(app, arguments).await,
        },
    }
}

impl From<&ServicePort> for Service {
    fn from(typed: &ServicePort) -> Self {
        Self { namespace: typed.namespace.clone(), name: typed.name.clone(), port: typed.port }
    }
}

/// The service that was named, or the gateway.
fn meant(named: Option<&ServicePort>, state: &State) -> Service {
    named.map_or_else(|| Service::ingress_of(state.network(), state.scheme()), Service::from)
}

async fn start(app: &App, arguments: &ForwardStart) -> Result<Exit, Failure> {
    let (state, paths) = session::existing(app)?;
    let service = meant(arguments.service.as_ref(), &state);
    let wanted = Start { paths: &paths, name: &app.settings.name, service: service.clone(), port: arguments.port, first: Settings::PORT };
    let record = forward::start(wanted).await?;
    app.data(&format!("{} → {service}", service.url(record.port)))?;
    if service.is_ingress() {
        curl(app, &state, &paths, &service, record.port).await?;
    }
    app.printer.talk("it runs in the background: `quickstart forward status` shows it, `quickstart forward stop` ends it");
    Ok(Exit::Ok)
}

async fn stop(app: &App, arguments: &ForwardStop) -> Result<Exit, Failure> {
    let (_, paths) = session::existing(app)?;
    let ended = match &arguments.service {
        Some(service) => forward::end(&paths, &Service::from(service)).await?.into_iter().collect(),
        None => forward::end_all(&paths).await?,
    };
    if ended.is_empty() {
        app.printer.talk("there is no tunnel: nothing to do");
    }
    for record in ended {
        app.data(&format!("ended: {} → {}", record.service.url(record.port), record.service))?;
    }
    Ok(Exit::Ok)
}

fn status(app: &App, output: TableOutput) -> Result<Exit, Failure> {
    let (state, paths) = session::existing(app)?;
    let all = forward::list(&paths);
    match output {
        TableOutput::Json => app.data(&document(&json!({"version": 1, "cluster": state.name, "tunnels": &all}))?)?,
        TableOutput::Table if all.is_empty() => app.printer.talk("there is no tunnel: `quickstart forward start` opens one"),
        TableOutput::Table => app.data(tunnels(&all, app.printer.data_palette()).trim_end())?,
    }
    Ok(if all.iter().any(|tunnel| tunnel.state == Alive::Crashed) { Exit::Degraded } else { Exit::Ok })
}

async fn foreground(app: &App, arguments: &ForwardRun) -> Result<Exit, Failure> {
    let (state, paths) = session::existing(app)?;
    let (cluster, kubeconfig) = session::access(app, &state, &paths).await?;
    let service = meant(arguments.service.as_ref(), &state);
    let tunnel = Tunnel::open(cluster, kubeconfig, service.clone(), Port::Exactly(arguments.port)).await?;
    let port = tunnel.port();
    app.data(&format!("{} → {service} (Ctrl-C ends it)", service.url(port)))?;
    if service.is_ingress() {
        curl(app, &state, &paths, &service, port).await?;
    }
    tunnel.run(app.cancel.clone()).await;
    Ok(Exit::Ok)
}

/// The process behind `forward start`: one line to whoever started it, then alone until it is told to end.
async fn background(app: &App, arguments: &ForwardRun, port: Detached) -> Result<Exit, Failure> {
    let say = |word: &Word| app.data(&serde_json::to_string(word).unwrap_or_default());
    let opened = async {
        let (state, paths) = session::existing(app)?;
        let service = meant(arguments.service.as_ref(), &state);
        let held = forward::hold(&paths, &service, &app.cancel).await?;
        let (cluster, kubeconfig) = session::access(app, &state, &paths).await?;
        let port = match port {
            Detached::Exactly => Port::Exactly(arguments.port),
            Detached::From => Port::From(arguments.port),
        };
        let tunnel = Tunnel::open(cluster, kubeconfig, service, port).await?;
        let record = held.ready(&tunnel)?;
        Ok::<_, Failure>((held, tunnel, record))
    };
    match opened.await {
        Ok((held, tunnel, record)) => {
            say(&Word::Ready(Box::new(record.clone())))?;
            held.serve(tunnel, record, app.cancel.clone()).await;
            Ok(Exit::Ok)
        }
        Err(failure) => {
            let exit = failure.exit;
            say(&Word::Failed(failure))?;
            Ok(exit)
        }
    }
}

/// The demo's prediction through this tunnel, as a line for a shell.
async fn curl(app: &App, state: &State, paths: &ClusterPaths, service: &Service, port: u16) -> Result<(), Failure> {
    let Some(host) = state.demo_host.clone() else { return Ok(()) };
    let authority = if service.is_tls() {
        let (cluster, _) = session::access(app, state, paths).await?;
        trust::authority(&cluster, state.scheme(), paths).await?
    } else {
        None
    };
    let body = serde_json::from_str(embedded::SAMPLE_INPUT).unwrap_or_default();
    app.data(&Request { name: DEMO.1.to_owned(), host, port, authority, protocol: Protocol::V1, body }.curl())
}
