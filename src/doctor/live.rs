//! What the cluster itself is asked, all of it side by side.

use std::time::Duration;

use serde_json::Value;

use super::gateway;
use super::webhooks::Webhooks;
use crate::catalog::Catalog;
use crate::cluster::{Cluster, ClusterError};
use crate::config::{ClusterPaths, Environment};
use crate::error::{Exit, Failure};
use crate::stages::of_state;
use crate::state::State;
use crate::status::{Report, gather};

/// Bound on everything.
const DEADLINE: Duration = Duration::from_secs(60);

/// What the API server said; nothing where there is no cluster to ask.
#[derive(Debug, Default)]
pub(super) struct Live {
    /// Its version.
    pub(super) api: Option<Result<String, Failure>>,
    /// What `status` says.
    pub(super) status: Option<Report>,
    /// Webhook configurations and what stands behind them.
    pub(super) webhooks: Option<Result<Webhooks, Failure>>,
    /// cert-manager's Certificates.
    pub(super) certificates: Vec<Value>,
    /// The gateway's Service.
    pub(super) gateway: Option<Value>,
    /// Our private kubeconfig.
    pub(super) kubeconfig: String,
}

/// Asks the cluster of a state, where it was created.
pub(super) async fn live(environment: &Environment, state: Option<&State>, paths: &ClusterPaths, catalog: &Catalog) -> Live {
    let Some(state) = state.filter(|state| state.created || state.context().is_some()) else { return Live::default() };
    let asked = async {
        let cluster = match of_state(environment, paths, state).await {
            Ok(cluster) => cluster,
            Err(failure) => return failed(failure),
        };
        match cluster.version().await {
            Ok(version) => Box::pin(answers(&cluster, version, state, paths, catalog)).await,
            Err(error) => failed(error.into()),
        }
    };
    tokio::time::timeout(DEADLINE, Box::pin(asked)).await.unwrap_or_else(|_| {
        let failure = Failure::new("DEADLINE", Exit::Deadline, format!("no full answer within {} s", DEADLINE.as_secs()));
        failed(failure.hint("the node is overloaded or hangs: `docker stats` tells; run `quickstart doctor` again"))
    })
}

fn failed(failure: Failure) -> Live {
    Live { api: Some(Err(failure)), ..Live::default() }
}

async fn answers(cluster: &Cluster, version: String, state: &State, paths: &ClusterPaths, catalog: &Catalog) -> Live {
    let service = gateway::service(state.network());
    let (status, webhooks, certificates, gateway, kubeconfig) = tokio::join!(
        gather(Some(cluster), state, crate::forward::list(paths), catalog, false),
        webhooks(cluster),
        cluster.list("/apis/cert-manager.io/v1/certificates", ""),
        cluster.find(&service),
        fs_err::tokio::read_to_string(&paths.kubeconfig),
    );
    Live {
        api: Some(Ok(version)),
        status: Some(status),
        webhooks: Some(webhooks.map_err(Failure::from)),
        // Without cert-manager there are none; that it is not ready is `status`' word.
        certificates: certificates.unwrap_or_default(),
        gateway: gateway.ok().flatten(),
        kubeconfig: kubeconfig.unwrap_or_default(),
    }
}

async fn webhooks(cluster: &Cluster) -> Result<Webhooks, ClusterError> {
    const GROUP: &str = "/apis/admissionregistration.k8s.io/v1";
    let (mutating, validating) = (format!("{GROUP}/mutatingwebhookconfigurations"), format!("{GROUP}/validatingwebhookconfigurations"));
    let (mutating, validating, slices) = tokio::try_join!(
        cluster.list(&mutating, ""),
        cluster.list(&validating, ""),
        cluster.list("/apis/discovery.k8s.io/v1/endpointslices", ""),
    )?;
    Ok(Webhooks { configurations: mutating.into_iter().chain(validating).collect(), slices })
}
