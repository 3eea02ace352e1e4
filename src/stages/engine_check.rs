//! Is there a container engine, and can it carry the stack?

use super::waiting::told;
use super::{Context, Ended};
use crate::docker::{Endpoint, Engine, EngineEnvironment, Facts};
use crate::error::{Exit, Failure};
use crate::plan::StageId;

/// The lean requests of all components and the node fit into these (catalog: 1370m and 1214Mi, plus what a node itself takes).
const MIN_CPUS: u64 = 2;
/// Bytes.
const MIN_MEMORY: u64 = 4 * 1024 * 1024 * 1024;
const COMFORTABLE_MEMORY: u64 = 6 * 1024 * 1024 * 1024;

/// The part of the environment that says where the engine is.
fn engine_environment(environment: &crate::config::Environment) -> EngineEnvironment {
    EngineEnvironment {
        docker_host: environment.docker_host.clone(),
        docker_context: environment.docker_context.clone(),
        docker_config_dir: environment.docker_config.clone(),
        tls_verify: environment.docker_tls_verify,
        cert_path: environment.docker_cert_path.clone(),
        home: environment.home.clone(),
        xdg_runtime_dir: environment.xdg_runtime_dir.clone(),
    }
}

/// Connects to the engine that kind will be told to use too.
pub async fn connect(environment: &crate::config::Environment) -> Result<Engine, Failure> {
    let endpoint = Endpoint::resolve(&engine_environment(environment)).await?;
    Ok(Engine::connect(&endpoint).await?)
}

pub(super) async fn run(ctx: &Context, stage: &StageId) -> Result<Ended, Failure> {
    let ask = async {
        let engine = connect(&ctx.settings.environment).await?;
        let facts = engine.facts().await?;
        Ok::<_, Failure>((engine, facts))
    };
    let (engine, facts) = told(&ctx.events, stage, "engine", "no answer yet", Box::pin(ask)).await?;
    large_enough(&facts)?;
    if let Some(bundle) = &ctx.bundle
        && bundle.architecture != facts.architecture
    {
        return Err(Failure::new("BUNDLE_ARCH", Exit::Verification, "the bundle is for another processor than the engine's")
            .cause(format!("this bundle is for {}, the engine runs {}", bundle.architecture, facts.architecture))
            .hint(format!("ask for a bundle made for {}", facts.architecture)));
    }
    if facts.memory < COMFORTABLE_MEMORY {
        ctx.events.note(format!("the engine has {:.1} GiB of memory: the demo fits, several models may not", gib(facts.memory)));
    }
    drop(ctx.engine.set(engine));
    Ok(Ended::Done)
}

/// Refuses an engine on which the pods could not be scheduled.
pub fn large_enough(facts: &Facts) -> Result<(), Failure> {
    if facts.cpus < MIN_CPUS {
        return Err(Failure::new(
            "INSUFFICIENT_CPU",
            Exit::Prerequisite,
            format!("the engine has {} CPU, {MIN_CPUS} are needed", facts.cpus),
        )
        .hint("give the engine's virtual machine more CPUs (Docker Desktop: Settings → Resources; colima: `colima start --cpu 4`)"));
    }
    if facts.memory < MIN_MEMORY {
        return Err(Failure::new(
            "INSUFFICIENT_MEMORY",
            Exit::Prerequisite,
            format!("the engine has {:.1} GiB of memory, 4 are needed", gib(facts.memory)),
        )
        .hint("give the engine's virtual machine more memory (Docker Desktop: Settings → Resources; colima: `colima start --memory 6`)"));
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "one decimal of a GiB")]
fn gib(bytes: u64) -> f64 {
    bytes as f64 / 1024.0 / 1024.0 / 1024.0
}
