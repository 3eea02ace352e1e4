//! The demo's host after a change of the domain.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{Context, unless_stopped};
use crate::cluster::ClusterError;
use crate::error::Failure;
use crate::plan::said_host;

/// Knative looks at every route again, and KServe at every model after it; whoever made that impossible is heard by the prediction.
const WITHIN: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(500);

/// Waits until the demo says a host under the domain that was asked for: until then a prediction proves the old one.
pub(super) async fn settled(ctx: &Context, cancel: &CancellationToken) -> Result<(), Failure> {
    let Some((demo, domain)) = ctx.plan.demo.as_ref().zip(ctx.plan.serving.domain.as_ref()) else { return Ok(()) };
    let path = format!("/apis/serving.kserve.io/v1beta1/namespaces/{}/inferenceservices/{}", demo.namespace, demo.name);
    let cluster = ctx.cluster()?;
    let under = async {
        let started = Instant::now();
        while started.elapsed() < WITHIN {
            let live = cluster.find(&path).await?;
            if live.as_ref().and_then(said_host).is_none_or(|host| host.ends_with(&format!(".{domain}"))) {
                break;
            }
            sleep(PAUSE).await;
        }
        Ok::<_, ClusterError>(())
    };
    unless_stopped(cancel, under).await
}
