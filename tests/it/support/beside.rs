//! A second cluster on the same machine, with an API server and a gateway of its own.

use std::{sync::Arc, time::Duration};

use super::{
    api_server::{ApiServer, Pace},
    gateway::Gateway,
    sandbox::{Sandbox, free_port},
};

/// What stands behind the second name.
#[derive(Debug)]
pub struct Beside {
    /// Its API server.
    pub server: ApiServer,
    /// Its gateway.
    pub gateway: Gateway,
    /// A port for its `--port`.
    pub port: u16,
    watch: tokio::task::JoinHandle<()>,
}

impl Drop for Beside {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

impl Beside {
    /// From now on the cluster of this name is another one than the machine's first.
    pub async fn of(machine: &Sandbox, name: &str) -> Self {
        let server = ApiServer::start().await;
        server.pace(Pace { crds: 0, deployments: 0, inference_services: 0, nodes: 0, webhook_lag: 0 });
        machine.kind.state.serve(name, &server.url());
        let (state, wanted) = (machine.kind.state.clone(), name.to_owned());
        let gateway = Gateway::new(Arc::new(move || Some(state.cluster(&wanted)?.ports().next()?.1)));
        server.attach_gateway(gateway.clone());
        let (state, wanted) = (machine.kind.state.clone(), name.to_owned());
        server.live_with(Arc::new(move || state.cluster(&wanted).map(|cluster| (cluster.serial, cluster.name))));
        let watched = server.clone();
        let watch = tokio::spawn(async move {
            loop {
                watched.sync_gateway().await;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        Self { server, gateway, port: free_port(), watch }
    }
}
