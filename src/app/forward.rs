//! `forward run`.

use super::session;
use crate::app::App;
use crate::catalog::embedded;
use crate::cli::{ForwardCommand, ForwardRun};
use crate::error::{Exit, Failure};
use crate::forward::{Service, Tunnel};
use crate::predict::{Protocol, Request};

pub(super) async fn run(app: &App, command: &ForwardCommand) -> Result<Exit, Failure> {
    match command {
        ForwardCommand::Run(arguments) => tunnel(app, arguments).await,
    }
}

async fn tunnel(app: &App, arguments: &ForwardRun) -> Result<Exit, Failure> {
    let (state, paths) = session::existing(app)?;
    let cluster = session::cluster(&paths).await?;
    let asked = &arguments.service;
    let service = Service { namespace: asked.namespace.clone(), name: asked.name.clone(), port: asked.port };
    let gateway = asked.name == "istio-ingressgateway";
    let tunnel = Tunnel::open(cluster, service, arguments.port).await?;
    let port = tunnel.port();
    app.data(&format!("http://127.0.0.1:{port} → {asked} (Ctrl-C ends it)"))?;
    if let Some(host) = state.demo_host.filter(|_| gateway) {
        let name = host.split('.').next().unwrap_or_default().to_owned();
        let body = serde_json::from_str(embedded::SAMPLE_INPUT).unwrap_or_default();
        app.data(&Request { name, host, port, protocol: Protocol::V1, body }.curl())?;
    }
    tunnel.run(app.cancel.clone()).await;
    Ok(Exit::Ok)
}
