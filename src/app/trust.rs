//! The authority of a gateway that speaks HTTPS, with a copy of it beside the state for `curl` and others.

use crate::cluster::Cluster;
use crate::config::{ClusterPaths, Scheme};
use crate::error::Failure;
use crate::gateway::Authority;
use crate::state::persist;

/// `None`: the gateway speaks HTTP.
///
/// # Errors
/// `GATEWAY_CERTIFICATE` where the cluster has none to show.
pub(super) async fn authority(cluster: &Cluster, scheme: Scheme, paths: &ClusterPaths) -> Result<Option<Authority>, Failure> {
    let Some(authority) = Authority::of(cluster, scheme).await? else { return Ok(None) };
    let file = &paths.authority;
    if fs_err::tokio::read(file).await.ok().as_deref() != Some(authority.pem().as_bytes()) {
        let failed = |error: std::io::Error| Failure::internal(format!("{} cannot be written: {error}", file.display()));
        persist::write(file, authority.pem().as_bytes(), true).map_err(failed)?;
    }
    Ok(Some(authority.at(file)))
}
